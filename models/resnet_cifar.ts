/** The residual nets of He et al. for CIFAR-10: 6k + 2 layers, shortcuts without parameters. */
import type { Tensor } from "../core/graph.ts";
import { pad } from "../ops/layout.ts";
import { add, relu } from "../ops/pointwise.ts";
import { avgPool2d } from "../ops/pool.ts";
import { mean } from "../ops/reduce.ts";
import { kaimingNormal } from "./init.ts";
import { BatchNorm2d, Conv2d, type Layer, Linear } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";
import type { Pass } from "./pass.ts";
import { imagenetNormalization } from "./preparation.ts";

/** By fan-in, as the reference implementation begins. */
const conv3x3 = (from: number, to: number, stride: number): Conv2d =>
  new Conv2d(from, to, 3, { stride, padding: 1, bias: false, init: kaimingNormal(9 * from) });

/**
 * Two 3×3 convolutions and a shortcut without parameters: `[n,h,w,from]` →
 * `[n,⌈h/stride⌉,⌈w/stride⌉,to]`.
 *
 * @source He et al. 2015, arXiv:1512.03385, §4.2, shortcut of option A
 */
export class CifarBlock implements Layer {
  /** 3×3, from → to, with the block's stride. */
  readonly conv1: Conv2d;
  /** Over `to` channels, before the first ReLU. */
  readonly bn1: BatchNorm2d;
  /** 3×3, to → to. */
  readonly conv2: Conv2d;
  /** Over `to` channels, before the shortcut is added. */
  readonly bn2: BatchNorm2d;
  readonly #stride: number;
  readonly #added: number;

  /**
   * Makes the layers.
   *
   * @param from channels of the input
   * @param to channels of the result, `from` or an even number more
   * @param stride of the first convolution and of the shortcut
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor(from: number, to: number, stride: number) {
    this.conv1 = conv3x3(from, to, stride);
    this.bn1 = new BatchNorm2d(to);
    this.conv2 = conv3x3(to, to, 1);
    this.bn2 = new BatchNorm2d(to);
    this.#stride = stride;
    this.#added = to - from;
  }

  /**
   * `relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut)`; the shortcut is every second pixel, with
   * half of the new channels as zeros before its own and half after.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const first = relu(this.bn1.forward(this.conv1.forward(x), pass));
    const second = this.bn2.forward(this.conv2.forward(first), pass);
    // A mean over windows of one pixel: every stride-th of them.
    const thinned = this.#stride === 1 ? x : avgPool2d(x, { size: 1, stride: this.#stride });
    const side = this.#added / 2;
    return relu(add(second, pad(thinned, [[0, 0], [0, 0], [0, 0], [side, side]])));
  }
}

const stageOf = (from: number, to: number, depth: number): CifarBlock[] =>
  Array.from(
    { length: depth },
    (_, k) => new CifarBlock(k === 0 ? from : to, to, k === 0 && from !== to ? 2 : 1),
  );

/**
 * ResNet for pictures of 32 pixels; paths are those of akamaster's "pytorch_resnet_cifar10", whose
 * weights reproduce the paper.
 *
 * @source He et al. 2015, arXiv:1512.03385, §4.2
 */
export class CifarResNet implements Classifier {
  /** As in the table of models. */
  readonly name: string;
  /** Side of the pictures in pixels. */
  readonly inputSize = 32;
  /** Number of logits. */
  classes: number;
  /** Channels of the pictures. */
  readonly channels: number;
  /** 3×3, channels → 16. */
  readonly conv1: Conv2d;
  /** Over the 16 channels of the stem. */
  readonly bn1: BatchNorm2d;
  /** Blocks of 16 channels at 32×32. */
  readonly layer1: readonly CifarBlock[];
  /** Blocks of 32 channels at 16×16. */
  readonly layer2: readonly CifarBlock[];
  /** Blocks of 64 channels at 8×8. */
  readonly layer3: readonly CifarBlock[];
  /** From the mean of each of 64 channels to the logits. */
  linear: Linear;

  /**
   * Makes the layers.
   *
   * @param name as in the table of models
   * @param depth number of blocks in each of the three layers
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor(name: string, depth: number, { classes, channels = 3 }: ModelOptions) {
    this.name = name;
    this.classes = classes;
    this.channels = channels;
    this.conv1 = conv3x3(channels, 16, 1);
    this.bn1 = new BatchNorm2d(16);
    this.layer1 = stageOf(16, 16, depth);
    this.layer2 = stageOf(16, 32, depth);
    this.layer3 = stageOf(32, 64, depth);
    this.linear = new Linear(64, classes, { init: kaimingNormal(64) });
  }

  /**
   * Pictures `[n,h,w,channels]`, normalised → the mean of each of the last 64 channels, `[n,64]`.
   *
   * @throws {ShapeError} when the pictures have other channels
   */
  features(x: Tensor, pass: Pass): Tensor {
    let h = relu(this.bn1.forward(this.conv1.forward(x), pass));
    for (const stage of [this.layer1, this.layer2, this.layer3]) {
      for (const block of stage) h = block.forward(h, pass);
    }
    return mean(h, { axes: [1, 2] });
  }

  /** Features `[n,64]` → logits `[n,classes]`. */
  head(features: Tensor): Tensor {
    return this.linear.forward(features);
  }

  /** A new {@link linear}. */
  resetHead(classes: number): void {
    this.linear = new Linear(64, classes, { init: kaimingNormal(64) });
    this.classes = classes;
  }

  /** Pictures `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.head(this.features(x, pass));
  }
}

/** The net of so many layers with weights: 6·depth + 2. */
const entry = (layers: number, size: string): ModelEntry => ({
  summary: `ResNet-${layers} for CIFAR, ${size} parameters, 32×32 pictures`,
  preparation: {
    ...{ height: 32, width: 32, fit: "pad", share: 1, filter: "bilinear" },
    ...{ channels: 3, ...imagenetNormalization },
  },
  classes: 10,
  create: (options) => new CifarResNet(`resnet${layers}`, (layers - 2) / 6, options),
});

/** 3 blocks a layer. */
export const resnet20: ModelEntry = entry(20, "0.27 million");
/** 5 blocks a layer. */
export const resnet32: ModelEntry = entry(32, "0.46 million");
/** 7 blocks a layer. */
export const resnet44: ModelEntry = entry(44, "0.66 million");
/** 9 blocks a layer. */
export const resnet56: ModelEntry = entry(56, "0.85 million");
/** 18 blocks a layer. */
export const resnet110: ModelEntry = entry(110, "1.7 million");
