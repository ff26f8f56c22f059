/** Nets small enough for a software GPU. */
import type { Tensor } from "../../core/graph.ts";
import { BatchNorm2d, Conv2d, flatten, Linear } from "../../models/layers.ts";
import type { Pass } from "../../models/pass.ts";
import type { Model } from "../../models/model.ts";
import { add, relu } from "../../ops/pointwise.ts";
import { maxPool2d } from "../../ops/pool.ts";
import { mean } from "../../ops/reduce.ts";

/** conv 3×3 → 4, batch norm, ReLU, max pool 2, linear, for pictures of 8 pixels. */
export class TinyNet implements Model {
  readonly name = "tiny";
  readonly inputSize = 8;
  readonly channels = 3;
  readonly classes = 10;
  readonly conv = new Conv2d(3, 4, 3, { padding: 1 });
  readonly bn = new BatchNorm2d(4);
  readonly fc = new Linear(4 * 4 * 4, 10);

  forward(x: Tensor, pass: Pass): Tensor {
    const h = relu(this.bn.forward(this.conv.forward(x), pass));
    return this.fc.forward(flatten(maxPool2d(h, { size: 2 })));
  }
}

/** A residual block that halves the picture, with all that stands around it in a ResNet. */
export class ResidualNet implements Model {
  readonly name = "residual";
  readonly inputSize: number;
  readonly channels = 3;
  readonly classes = 10;
  readonly conv1 = new Conv2d(3, 8, 3, { padding: 1, bias: false });
  readonly bn1 = new BatchNorm2d(8);
  readonly conv2 = new Conv2d(8, 16, 3, { stride: 2, padding: 1, bias: false });
  readonly bn2 = new BatchNorm2d(16);
  readonly conv3 = new Conv2d(16, 16, 3, { padding: 1, bias: false });
  readonly bn3 = new BatchNorm2d(16);
  readonly downsample = [
    new Conv2d(8, 16, 1, { stride: 2, bias: false }),
    new BatchNorm2d(16),
  ] as const;
  readonly fc = new Linear(16, 10);

  constructor(inputSize = 32) {
    this.inputSize = inputSize;
  }

  forward(x: Tensor, pass: Pass): Tensor {
    return this.tapped(x, pass).logits;
  }

  /** The forward pass, and what goes into each batch norm. */
  tapped(
    x: Tensor,
    pass: Pass,
  ): { readonly logits: Tensor; readonly taps: ReadonlyMap<string, Tensor> } {
    const [project, norm] = this.downsample;
    const a = this.conv1.forward(x), h = relu(this.bn1.forward(a, pass));
    const b = this.conv2.forward(h);
    const c = this.conv3.forward(relu(this.bn2.forward(b, pass)));
    const d = project.forward(h);
    const sum = relu(add(this.bn3.forward(c, pass), norm.forward(d, pass)));
    const logits = this.fc.forward(mean(sum, { axes: [1, 2] }));
    return { logits, taps: new Map([["bn1", a], ["bn2", b], ["bn3", c], ["downsample.1", d]]) };
  }
}
