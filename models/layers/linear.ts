/** Linear layers, and what feeds them. */
import { ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { show, sizeOf } from "../../core/shape.ts";
import { reshape } from "../../core/structure.ts";
import { matmul } from "../../ops/matmul.ts";
import { add } from "../../ops/pointwise.ts";
import { type Init, torchDefault } from "../init.ts";
import { parameter } from "../parameter.ts";
import type { Layer } from "./layer.ts";

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Add a learned vector to the outputs (default true). */
  readonly bias?: boolean;
  /** The image `[h,w,c]` that was flattened into the inputs; disk order is (c,h,w). */
  readonly flattened?: readonly [h: number, w: number, c: number];
  /** How the weights begin (default {@link torchDefault}). */
  readonly init?: Init;
  /** How the biases begin (default {@link torchDefault}). */
  readonly biasInit?: Init;
}

/** `x·W + b` for x `[n,in]` → `[n,out]`. */
export class Linear implements Layer {
  /** W, `[in,out]`. */
  readonly weight: Tensor;
  /** b, `[out]`, unless switched off. */
  readonly bias?: Tensor;

  /**
   * Makes the parameters.
   *
   * @param inputs elements of each row of x
   * @param outputs elements of each row of the result
   * @throws {ShapeError} when `flattened` has another number of elements than `inputs`, or a size
   *   is no whole number from 1
   */
  constructor(inputs: number, outputs: number, options: LinearOptions = {}) {
    const { bias = true, flattened, init, biasInit } = options, fallback = torchDefault(inputs);
    if (flattened && sizeOf(flattened) !== inputs) {
      throw new ShapeError(
        `Cannot make a Linear: ${show(flattened)} does not flatten to ${inputs}`,
      );
    }
    const layout = { kind: "linear", flattened } as const;
    this.weight = parameter([inputs, outputs], { init: init ?? fallback, layout });
    if (bias) this.bias = parameter([outputs], { init: biasInit ?? fallback });
  }

  /**
   * `x·W + b` for x `[n,in]`.
   *
   * @throws {ShapeError} when the rows of x have another number of elements
   */
  forward(x: Tensor): Tensor {
    const y = matmul(x, this.weight);
    return this.bias ? add(y, this.bias) : y;
  }
}

/**
 * `[n,h,w,c]` → `[n, h·w·c]`, in memory order; tell the {@link Linear} that follows by `flattened`.
 *
 * @throws {ShapeError} when x is a scalar
 */
export function flatten(x: Tensor): Tensor {
  return reshape(x, [x.shape[0], -1]);
}

/** {@link flatten} for `Sequential`. */
export class Flatten implements Layer {
  /** `[n,h,w,c]` → `[n, h·w·c]`. */
  forward(x: Tensor): Tensor {
    return flatten(x);
  }
}
