/** Residual nets of basic blocks or bottlenecks, for small pictures (3×3 stem) and large ones (7×7). */
import type { Tensor } from "../core/graph.ts";
import { add, relu } from "../ops/pointwise.ts";
import { maxPool2d } from "../ops/pool.ts";
import { mean } from "../ops/reduce.ts";
import { kaimingNormal } from "./init.ts";
import { BatchNorm2d, Conv2d, type Layer, Linear } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";
import type { Pass } from "./pass.ts";
import { imagenetPreparation } from "./preparation.ts";

const conv = (from: number, to: number, kernel: number, stride: number): Conv2d => {
  const padding = kernel >> 1;
  const init = kaimingNormal(kernel * kernel * to);
  return new Conv2d(from, to, kernel, { stride, padding, bias: false, init });
};

/** Projects the shortcut where sizes change; a list, as torchvision's paths want. */
type Projection = readonly [Conv2d, BatchNorm2d];

const projection = (from: number, to: number, stride: number): Projection | undefined =>
  stride === 1 && from === to ? undefined : [conv(from, to, 1, stride), new BatchNorm2d(to)];

const projected = (x: Tensor, by: Projection | undefined, pass: Pass): Tensor =>
  by ? by[1].forward(by[0].forward(x), pass) : x;

/**
 * Two 3×3 convolutions and a shortcut: `[n,h,w,from]` → `[n,⌈h/stride⌉,⌈w/stride⌉,to]`.
 *
 * @source He et al. 2015, arXiv:1512.03385, figure 2
 */
export class BasicBlock implements Layer {
  /** 3×3, from → to, with the block's stride. */
  readonly conv1: Conv2d;
  /** Over `to` channels, before the first ReLU. */
  readonly bn1: BatchNorm2d;
  /** 3×3, to → to. */
  readonly conv2: Conv2d;
  /** Over `to` channels, before the shortcut is added. */
  readonly bn2: BatchNorm2d;
  /** Projects the shortcut where sizes change; a list, as torchvision's paths want. */
  readonly downsample?: readonly [Conv2d, BatchNorm2d];

  /**
   * Makes the layers.
   *
   * @param from channels of the input
   * @param to channels of the result
   * @param stride of the first convolution and of the shortcut
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor(from: number, to: number, stride: number) {
    this.conv1 = conv(from, to, 3, stride);
    this.bn1 = new BatchNorm2d(to);
    this.conv2 = conv(to, to, 3, 1);
    this.bn2 = new BatchNorm2d(to);
    this.downsample = projection(from, to, stride);
  }

  /**
   * `relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut)`.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const first = relu(this.bn1.forward(this.conv1.forward(x), pass));
    const second = this.bn2.forward(this.conv2.forward(first), pass);
    return relu(add(second, projected(x, this.downsample, pass)));
  }
}

/**
 * Convolutions of 1×1, 3×3 and 1×1, the middle one narrow, and a shortcut: `[n,h,w,from]` →
 * `[n,⌈h/stride⌉,⌈w/stride⌉,to]`. The stride is the 3×3's, as in torchvision's "v1.5".
 *
 * @source He et al. 2015, arXiv:1512.03385, figure 5; Zagoruyko & Komodakis 2016, arXiv:1605.07146
 */
export class Bottleneck implements Layer {
  /** 1×1, from → inner. */
  readonly conv1: Conv2d;
  /** Over the inner channels. */
  readonly bn1: BatchNorm2d;
  /** 3×3, inner → inner, with the block's stride. */
  readonly conv2: Conv2d;
  /** Over the inner channels. */
  readonly bn2: BatchNorm2d;
  /** 1×1, inner → to. */
  readonly conv3: Conv2d;
  /** Over `to` channels, before the shortcut is added. */
  readonly bn3: BatchNorm2d;
  /** Projects the shortcut where sizes change; a list, as torchvision's paths want. */
  readonly downsample?: readonly [Conv2d, BatchNorm2d];

  /**
   * Makes the layers.
   *
   * @param from channels of the input
   * @param inner channels of the 3×3 convolution
   * @param to channels of the result
   * @param stride of the 3×3 convolution and of the shortcut
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor(from: number, inner: number, to: number, stride: number) {
    this.conv1 = conv(from, inner, 1, 1);
    this.bn1 = new BatchNorm2d(inner);
    this.conv2 = conv(inner, inner, 3, stride);
    this.bn2 = new BatchNorm2d(inner);
    this.conv3 = conv(inner, to, 1, 1);
    this.bn3 = new BatchNorm2d(to);
    this.downsample = projection(from, to, stride);
  }

  /**
   * `relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut)`.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const first = relu(this.bn1.forward(this.conv1.forward(x), pass));
    const second = relu(this.bn2.forward(this.conv2.forward(first), pass));
    const third = this.bn3.forward(this.conv3.forward(second), pass);
    return relu(add(third, projected(x, this.downsample, pass)));
  }
}

/** How a residual net begins: for pictures of 32 pixels, or of 224. */
export type Stem = "small" | "imagenet";

/** What tells one residual net from another. */
export interface ResNetSettings {
  /** What it is made of: {@link BasicBlock} (default) or {@link Bottleneck}. */
  readonly block?: "basic" | "bottleneck";
  /** Number of blocks in each of the four layers. */
  readonly depths: readonly [number, number, number, number];
  /** Factor of the bottlenecks' inner channels (default 1). */
  readonly width?: number;
  /** How it begins (default `imagenet`). */
  readonly stem?: Stem;
}

/** Channels of the four layers, before bottlenecks make four times as many of them. */
const planes = [64, 128, 256, 512] as const;

/** The blocks of one of the four layers. */
function layerOf(k: 0 | 1 | 2 | 3, settings: ResNetSettings): (BasicBlock | Bottleneck)[] {
  const { block = "basic", depths, width = 1 } = settings, more = block === "basic" ? 1 : 4;
  const to = planes[k] * more, before = k === 0 ? 64 : planes[k - 1] * more;
  return Array.from({ length: depths[k] }, (_, b) => {
    const from = b === 0 ? before : to, stride = b === 0 && k > 0 ? 2 : 1;
    return block === "basic"
      ? new BasicBlock(from, to, stride)
      : new Bottleneck(from, planes[k] * width, to, stride);
  });
}

/**
 * ResNet; parameter paths and order are torchvision's.
 *
 * @source He et al. 2015, "Deep residual learning for image recognition", arXiv:1512.03385
 */
export class ResNet implements Classifier {
  /** As in the table of models. */
  readonly name: string;
  /** Side of the pictures in pixels: 32 with the small stem, else 224. */
  readonly inputSize: number;
  /** Number of logits. */
  classes: number;
  /** Channels of the pictures. */
  readonly channels: number;
  /** The stem: 3×3, or 7×7 with stride 2 and a pool behind it; 64 channels. */
  readonly conv1: Conv2d;
  /** Over the 64 channels of the stem. */
  readonly bn1: BatchNorm2d;
  /** Blocks of 64 planes, at the stem's size. */
  readonly layer1: readonly (BasicBlock | Bottleneck)[];
  /** Blocks of 128 planes, at half of the size. */
  readonly layer2: readonly (BasicBlock | Bottleneck)[];
  /** Blocks of 256 planes, at a quarter. */
  readonly layer3: readonly (BasicBlock | Bottleneck)[];
  /** Blocks of 512 planes, at an eighth. */
  readonly layer4: readonly (BasicBlock | Bottleneck)[];
  /** From the mean of each of 512 or 2048 channels to the logits. */
  fc: Linear;
  readonly #stem: Stem;

  /**
   * Makes the layers.
   *
   * @param name as in the table of models
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor(name: string, settings: ResNetSettings, options: ModelOptions) {
    const { classes, channels = 3 } = options, { stem = "imagenet" } = settings;
    this.name = name;
    this.classes = classes;
    this.channels = channels;
    this.inputSize = stem === "small" ? 32 : 224;
    this.#stem = stem;
    this.conv1 = stem === "small" ? conv(channels, 64, 3, 1) : conv(channels, 64, 7, 2);
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = layerOf(0, settings);
    this.layer2 = layerOf(1, settings);
    this.layer3 = layerOf(2, settings);
    this.layer4 = layerOf(3, settings);
    this.fc = new Linear(settings.block === "bottleneck" ? 2048 : 512, classes);
  }

  /**
   * Pictures `[n,h,w,channels]`, normalised → the mean of each of the last channels, `[n,512]`, or
   * `[n,2048]` with bottlenecks.
   *
   * @throws {ShapeError} when the pictures have other channels
   */
  features(x: Tensor, pass: Pass): Tensor {
    let h = relu(this.bn1.forward(this.conv1.forward(x), pass));
    if (this.#stem === "imagenet") h = maxPool2d(h, { size: 3, stride: 2, padding: 1 });
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) {
      for (const block of stage) h = block.forward(h, pass);
    }
    return mean(h, { axes: [1, 2] });
  }

  /** Features `[n,512]` or `[n,2048]` → logits `[n,classes]`. */
  head(features: Tensor): Tensor {
    return this.fc.forward(features);
  }

  /** A new {@link fc}. */
  resetHead(classes: number): void {
    this.fc = new Linear(this.fc.weight.shape[0], classes);
    this.classes = classes;
  }

  /** Pictures `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.head(this.features(x, pass));
  }
}

/** One of torchvision's for pictures of 224 pixels; `digits` begin the SHA-256 of its weights. */
const large = (
  name: string,
  summary: string,
  digits: string,
  settings: ResNetSettings,
): ModelEntry => ({
  summary: `${summary}, 224×224 pictures`,
  preparation: imagenetPreparation,
  classes: 1000,
  published: `https://download.pytorch.org/models/${name}-${digits}.pth`,
  create: (options) => new ResNet(name, settings, options),
});

/** ResNet-18 for pictures of 224 pixels, as torchvision's. */
export const resnet18: ModelEntry = large(
  "resnet18",
  "ResNet-18, 11.7 million parameters",
  "f37072fd",
  { depths: [2, 2, 2, 2] },
);

/** ResNet-34, as torchvision's. */
export const resnet34: ModelEntry = large(
  "resnet34",
  "ResNet-34, 21.8 million parameters",
  "b627a593",
  { depths: [3, 4, 6, 3] },
);

/** ResNet-50, as torchvision's: the stride is in the 3×3 convolutions. */
export const resnet50: ModelEntry = large(
  "resnet50",
  "ResNet-50, 25.6 million parameters",
  "0676ba61",
  { block: "bottleneck", depths: [3, 4, 6, 3] },
);

/** ResNet-50 with twice as many inner channels, as torchvision's. */
export const wideResnet50: ModelEntry = large(
  "wide_resnet50_2",
  "ResNet-50 with bottlenecks twice as wide, 68.9 million parameters",
  "95faca4d",
  { block: "bottleneck", depths: [3, 4, 6, 3], width: 2 },
);

/** ResNet-18 with a 3×3 stem and no first pool, for pictures of 32 pixels. */
export const resnet18Small: ModelEntry = {
  summary: "ResNet-18 with a stem for small pictures, 11.2 million parameters, 32×32 pictures",
  preparation: {
    ...{ height: 32, width: 32, fit: "pad", share: 1, filter: "bilinear" },
    ...{ channels: 3, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  },
  classes: 10,
  create: (options) =>
    new ResNet("resnet18-small", { depths: [2, 2, 2, 2], stem: "small" }, options),
};
