/** Pooling as layers, for `Sequential`; see the operations of the same names. */
import type { Tensor } from "../../core/graph.ts";
import { adaptiveAvgPool2d, adaptiveMaxPool2d } from "../../ops/adaptive_pool.ts";
import { avgPool2d, type AvgPoolOptions, maxPool2d, type PoolOptions } from "../../ops/pool.ts";
import type { Pair } from "../../ops/window.ts";
import type { Layer } from "./layer.ts";

/** Largest value of each window; see `ops.maxPool2d`. */
export class MaxPool2d implements Layer {
  /** Keeps size, stride, padding and rounding of the windows. */
  constructor(readonly options: PoolOptions) {}

  /**
   * `[n,h,w,c]` → `[n,h',w',c]`.
   *
   * @throws {ShapeError} when no window fits
   */
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.options);
  }
}

/** Mean of each window; see `ops.avgPool2d`. */
export class AvgPool2d implements Layer {
  /** Keeps size, stride, padding and rounding of the windows. */
  constructor(readonly options: AvgPoolOptions) {}

  /**
   * `[n,h,w,c]` → `[n,h',w',c]`.
   *
   * @throws {ShapeError} when no window fits
   */
  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.options);
  }
}

/** Means of windows that cover a picture of any size; see `ops.adaptiveAvgPool2d`. */
export class AdaptiveAvgPool2d implements Layer {
  /** Keeps the size of the result: one number, or height and width. */
  constructor(readonly size: number | Pair) {}

  /** `[n,h,w,c]` → `[n,size,size,c]`. */
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.size);
  }
}

/** Largest values of windows that cover a picture of any size; see `ops.adaptiveMaxPool2d`. */
export class AdaptiveMaxPool2d implements Layer {
  /** Keeps the size of the result: one number, or height and width. */
  constructor(readonly size: number | Pair) {}

  /** `[n,h,w,c]` → `[n,size,size,c]`. */
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.size);
  }
}
