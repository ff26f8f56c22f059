/** Residual nets with basic blocks, for small pictures (3×3 stem) and large ones (7×7 stem). */
import type { Tensor } from "../core/graph.ts";
import { add, relu } from "../ops/pointwise.ts";
import { maxPool2d } from "../ops/pool.ts";
import { mean } from "../ops/reduce.ts";
import { kaimingNormal } from "./init.ts";
import { BatchNorm2d, Conv2d, type Layer, Linear } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";
import type { Pass } from "./pass.ts";
import { imagenetNormalization } from "./preparation.ts";

const conv = (from: number, to: number, kernel: number, stride: number): Conv2d => {
  const padding = kernel >> 1;
  const init = kaimingNormal(kernel * kernel * to);
  return new Conv2d(from, to, kernel, { stride, padding, bias: false, init });
};

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
    if (stride !== 1 || from !== to) {
      this.downsample = [conv(from, to, 1, stride), new BatchNorm2d(to)];
    }
  }

  /**
   * `relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut)`.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const first = relu(this.bn1.forward(this.conv1.forward(x), pass));
    const second = this.bn2.forward(this.conv2.forward(first), pass);
    const [project, norm] = this.downsample ?? [];
    const shortcut = project && norm ? norm.forward(project.forward(x), pass) : x;
    return relu(add(second, shortcut));
  }
}

/** How a residual net begins: for pictures of 32 pixels, or of 224. */
export type Stem = "small" | "imagenet";

/**
 * ResNet of basic blocks; parameter paths and order are torchvision's.
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
  /** Blocks of 64 channels, at the stem's size. */
  readonly layer1: readonly BasicBlock[];
  /** Blocks of 128 channels, at half of the size. */
  readonly layer2: readonly BasicBlock[];
  /** Blocks of 256 channels, at a quarter. */
  readonly layer3: readonly BasicBlock[];
  /** Blocks of 512 channels, at an eighth. */
  readonly layer4: readonly BasicBlock[];
  /** From the mean of each of 512 channels to the logits. */
  fc: Linear;
  readonly #stem: Stem;

  /**
   * Makes the layers.
   *
   * @param name as in the table of models
   * @param depths number of blocks in each of the four layers
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor(name: string, depths: readonly number[], stem: Stem, options: ModelOptions) {
    const { classes, channels = 3 } = options;
    this.name = name;
    this.classes = classes;
    this.channels = channels;
    this.inputSize = stem === "small" ? 32 : 224;
    this.#stem = stem;
    this.conv1 = stem === "small" ? conv(channels, 64, 3, 1) : conv(channels, 64, 7, 2);
    this.bn1 = new BatchNorm2d(64);
    const stage = (from: number, to: number, depth: number, stride: number): BasicBlock[] =>
      Array.from(
        { length: depth },
        (_, k) => k === 0 ? new BasicBlock(from, to, stride) : new BasicBlock(to, to, 1),
      );
    this.layer1 = stage(64, 64, depths[0], 1);
    this.layer2 = stage(64, 128, depths[1], 2);
    this.layer3 = stage(128, 256, depths[2], 2);
    this.layer4 = stage(256, 512, depths[3], 2);
    this.fc = new Linear(512, classes);
  }

  /**
   * Pictures `[n,h,w,channels]`, normalised → the mean of each of the last 512 channels, `[n,512]`.
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

  /** Features `[n,512]` → logits `[n,classes]`. */
  head(features: Tensor): Tensor {
    return this.fc.forward(features);
  }

  /** A new {@link fc}. */
  resetHead(classes: number): void {
    this.fc = new Linear(512, classes);
    this.classes = classes;
  }

  /** Pictures `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.head(this.features(x, pass));
  }
}

/** ResNet-18 for pictures of 224 pixels, as torchvision's. */
export const resnet18: ModelEntry = {
  summary: "ResNet-18, 11.7 million parameters, 224×224 pictures",
  preparation: {
    ...{ height: 224, width: 224, fit: "crop", share: 224 / 256, filter: "bilinear" },
    ...{ channels: 3, ...imagenetNormalization },
  },
  create: (options) => new ResNet("resnet18", [2, 2, 2, 2], "imagenet", options),
};

/** ResNet-18 with a 3×3 stem and no first pool, for pictures of 32 pixels. */
export const resnet18Small: ModelEntry = {
  summary: "ResNet-18 with a stem for small pictures, 11.2 million parameters, 32×32 pictures",
  preparation: {
    ...{ height: 32, width: 32, fit: "pad", share: 1, filter: "bilinear" },
    ...{ channels: 3, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  },
  create: (options) => new ResNet("resnet18-small", [2, 2, 2, 2], "small", options),
};
