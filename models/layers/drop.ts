/** Layers that drop at random in training and do nothing in evaluation. */
import { ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { type Shape, show } from "../../core/shape.ts";
import { reshape } from "../../core/structure.ts";
import { greaterEqual, mul } from "../../ops/pointwise.ts";
import { uniform } from "../../ops/uniform.ts";
import type { Pass } from "../pass.ts";
import type { Layer } from "./layer.ts";

function checkRate(layer: string, rate: number): void {
  if (rate >= 0 && rate <= 1) return;
  throw new ShapeError(`Cannot make a ${layer}: rate is ${rate}, a number from 0 to 1 is wanted`);
}

/** 0 for a share of the elements, `1/(1 − rate)` for the others, so that the mean stays. */
function mask(shape: Shape, rate: number, pass: Pass): Tensor {
  const kept = greaterEqual(uniform(shape, pass.nextSite()), rate);
  return mul(kept, rate === 1 ? 0 : 1 / (1 - rate));
}

/**
 * Sets a share of all elements to 0 in training and scales the others by `1/(1 − rate)`; in
 * evaluation, and where it is frozen, it gives back x. What is dropped is a pure function of seed,
 * step, place and element; see `ops.uniform`.
 *
 * @source Srivastava et al. 2014, "Dropout", in PyTorch's form
 */
export class Dropout implements Layer {
  /**
   * Keeps the rate.
   *
   * @param rate share that is dropped, from 0 to 1 (default 0.5)
   * @throws {ShapeError} when it is no such number
   */
  constructor(readonly rate: number = 0.5) {
    checkRate("Dropout", rate);
  }

  /** `[n,…]` → `[n,…]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    if (!pass.trains(this) || this.rate === 0) return x;
    return mul(x, mask(x.shape, this.rate, pass));
  }
}

/**
 * Sets whole examples to 0 in training and scales the others by `1/(1 − rate)`: the last layer of
 * a residual branch, which is then left out for some of them. In evaluation, and where it is
 * frozen, it gives back x.
 *
 * @source Huang et al. 2016, "Deep networks with stochastic depth", arXiv:1603.09382, in timm's form
 */
export class DropPath implements Layer {
  /**
   * Keeps the rate.
   *
   * @param rate share of examples that are dropped, from 0 to 1
   * @throws {ShapeError} when it is no such number
   */
  constructor(readonly rate: number) {
    checkRate("DropPath", rate);
  }

  /**
   * `[n,…]` → `[n,…]`.
   *
   * @throws {ShapeError} when x is a scalar
   */
  forward(x: Tensor, pass: Pass): Tensor {
    if (!pass.trains(this) || this.rate === 0) return x;
    const [n] = x.shape;
    if (n === undefined) {
      throw new ShapeError(
        `Cannot drop paths of x ${show(x.shape)}: an axis of examples is wanted`,
      );
    }
    const each = mask([n], this.rate, pass);
    return mul(x, reshape(each, x.shape.map((_, axis) => axis === 0 ? n : 1)));
  }
}
