/** Residual nets with basic blocks, for small pictures (3×3 stem) and large ones (7×7 stem). */
import type { Tensor } from "../core/graph.ts";
import { add, relu } from "../ops/pointwise.ts";
import { maxPool2d } from "../ops/pool.ts";
import { mean } from "../ops/reduce.ts";
import { kaimingNormal } from "./init.ts";
import { BatchNorm2d, Conv2d, type Layer, Linear, type Trace } from "./layers.ts";
import type { Model, ModelEntry, ModelOptions } from "./model.ts";

const conv = (from: number, to: number, kernel: number, stride: number): Conv2d => {
  const padding = kernel >> 1;
  const init = kaimingNormal(kernel * kernel * to);
  return new Conv2d(from, to, kernel, { stride, padding, bias: false, init });
};

/** Two 3×3 convolutions and a shortcut. */
class BasicBlock implements Layer {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  /** Projects the shortcut where sizes change; a list, as torchvision's paths want. */
  readonly downsample?: readonly [Conv2d, BatchNorm2d];

  constructor(from: number, to: number, stride: number) {
    this.conv1 = conv(from, to, 3, stride);
    this.bn1 = new BatchNorm2d(to);
    this.conv2 = conv(to, to, 3, 1);
    this.bn2 = new BatchNorm2d(to);
    if (stride !== 1 || from !== to) {
      this.downsample = [conv(from, to, 1, stride), new BatchNorm2d(to)];
    }
  }

  forward(x: Tensor, trace: Trace): Tensor {
    const first = relu(this.bn1.forward(this.conv1.forward(x), trace));
    const second = this.bn2.forward(this.conv2.forward(first), trace);
    const [project, norm] = this.downsample ?? [];
    const shortcut = project && norm ? norm.forward(project.forward(x), trace) : x;
    return relu(add(second, shortcut));
  }
}

/** How a residual net begins: for pictures of 32 pixels, or of 224. */
export type Stem = "small" | "imagenet";

/**
 * ResNet of basic blocks; parameter paths and order are torchvision's.
 *
 * @source He et al. 2015, "Deep residual learning for image recognition"
 */
export class ResNet implements Model {
  readonly name: string;
  readonly inputSize: number;
  readonly classes: number;
  readonly channels: number;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: readonly BasicBlock[];
  readonly layer2: readonly BasicBlock[];
  readonly layer3: readonly BasicBlock[];
  readonly layer4: readonly BasicBlock[];
  readonly fc: Linear;
  readonly #stem: Stem;

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

  forward(x: Tensor, trace: Trace): Tensor {
    let h = relu(this.bn1.forward(this.conv1.forward(x), trace));
    if (this.#stem === "imagenet") h = maxPool2d(h, { size: 3, stride: 2, padding: 1 });
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) {
      for (const block of stage) h = block.forward(h, trace);
    }
    return this.fc.forward(mean(h, { axes: [1, 2] }));
  }
}

/** ResNet-18 for pictures of 224 pixels, as torchvision's. */
export const resnet18: ModelEntry = {
  summary: "ResNet-18, 11.7 million parameters, 224×224 pictures",
  create: (options) => new ResNet("resnet18", [2, 2, 2, 2], "imagenet", options),
};

/** ResNet-18 with a 3×3 stem and no first pool, for pictures of 32 pixels. */
export const resnet18Small: ModelEntry = {
  summary: "ResNet-18 with a stem for small pictures, 11.2 million parameters, 32×32 pictures",
  create: (options) => new ResNet("resnet18-small", [2, 2, 2, 2], "small", options),
};
