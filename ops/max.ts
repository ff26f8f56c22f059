/** Maximum over axes. */
import type { Tensor } from "../core/graph.ts";
import { reshape } from "../core/structure.ts";
import { checkAxes, keptShape, reduceAxes, type ReduceOptions } from "./reduce.ts";

/**
 * Largest element over axes, NaN if one is. It has no gradient; pooling has (`maxPool2d`).
 *
 * Shapes: x f32 → x without the reduced axes (a scalar by default), or with 1 for them.
 *
 * @throws {ShapeError} when an axis does not exist or is named twice, or x is no f32
 */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  const axes = checkAxes("max", x, options.axes);
  const result = axes.length === 0 ? x : reduceAxes(x, "max", axes);
  return options.keepDims ? reshape(result, keptShape(x.shape, axes)) : result;
}
