/** The residual net of `tests/fixtures/models/make.py`, in our layers and with its parameter paths. */
import type { Tensor } from "../../core/graph.ts";
import { BatchNorm2d, Conv2d, type Layer, Linear } from "../../models/layers.ts";
import type { Pass } from "../../models/pass.ts";
import type { Model } from "../../models/model.ts";
import { add, relu } from "../../ops/pointwise.ts";
import { mean } from "../../ops/reduce.ts";

const conv = (from: number, to: number, kernel: number, stride = 1): Conv2d =>
  new Conv2d(from, to, kernel, { stride, padding: kernel >> 1, bias: false });

class BasicBlock implements Layer {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: readonly [] | readonly [Conv2d, BatchNorm2d];

  constructor(from: number, to: number, stride: number) {
    this.conv1 = conv(from, to, 3, stride);
    this.bn1 = new BatchNorm2d(to);
    this.conv2 = conv(to, to, 3);
    this.bn2 = new BatchNorm2d(to);
    this.downsample = stride === 1 ? [] : [conv(from, to, 1, stride), new BatchNorm2d(to)];
  }

  forward(x: Tensor, pass: Pass): Tensor {
    const first = relu(this.bn1.forward(this.conv1.forward(x), pass));
    const second = this.bn2.forward(this.conv2.forward(first), pass);
    const [project, norm] = this.downsample;
    return relu(add(second, project && norm ? norm.forward(project.forward(x), pass) : x));
  }
}

/** Stem, a block of 8 channels, one that halves the picture to 16, and a classifier. */
export class ResidualNet implements Model {
  readonly name = "residual";
  readonly inputSize = 12;
  readonly channels = 3;
  readonly classes = 5;
  readonly conv1 = conv(3, 8, 3);
  readonly bn1 = new BatchNorm2d(8);
  readonly layer1 = [new BasicBlock(8, 8, 1)] as const;
  readonly layer2 = [new BasicBlock(8, 16, 2)] as const;
  readonly fc = new Linear(16, 5);

  forward(x: Tensor, pass: Pass): Tensor {
    let h = relu(this.bn1.forward(this.conv1.forward(x), pass));
    for (const block of [...this.layer1, ...this.layer2]) h = block.forward(h, pass);
    return this.fc.forward(mean(h, { axes: [1, 2] }));
  }
}
