/** What a layer is, and layers in a row. */
import type { Tensor } from "../../core/graph.ts";
import { relu, relu6 } from "../../ops/pointwise.ts";
import { parts } from "../parameter.ts";
import type { Pass } from "../pass.ts";

/** Anything with a forward pass. */
export interface Layer {
  /**
   * The layer applied to `x`.
   *
   * @throws {ShapeError} when `x` does not fit the layer
   */
  forward(x: Tensor, pass: Pass): Tensor;
}

/** Layers one after the other; paths are their numbers, as PyTorch's: `0.weight`, `1.bias`. */
export class Sequential implements Layer {
  /** In the order they are applied in; one may be exchanged for another. */
  readonly layers: Layer[];

  /** Joins layers; without any it gives back x. */
  constructor(...layers: readonly Layer[]) {
    this.layers = [...layers];
  }

  /** Its layers by number: they are no field of it in paths. */
  [parts](): readonly Layer[] {
    return this.layers;
  }

  /**
   * The last layer of the layer before it … of `x`.
   *
   * @throws {ShapeError} when a result does not fit the next layer
   */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y, pass), x);
  }
}

/** `max(x, 0)`, for {@link Sequential}; see `ops.relu`. */
export class ReLU implements Layer {
  /** `max(x, 0)`. */
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** `min(max(x, 0), 6)`, for {@link Sequential}; see `ops.relu6`. */
export class ReLU6 implements Layer {
  /** `min(max(x, 0), 6)`. */
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}
