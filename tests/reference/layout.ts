/** Slicing, padding, joining and reordering in plain float64, element by element. */
import { type Shape, sizeOf, stridesOf } from "../../core/shape.ts";
import type { NdArray } from "../laws/case.ts";
import { indexOf } from "./evaluate.ts";

/** A tensor whose element at an index is found by `value`. */
function built(shape: Shape, value: (index: readonly number[]) => number): NdArray {
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => value(indexOf(i, shape)));
  return { shape, data };
}

/** The element at an index, or `outside` where there is none. */
function at(x: NdArray, index: readonly number[], outside = NaN): number {
  if (index.some((i, k) => i < 0 || i >= x.shape[k])) return outside;
  return x.data[stridesOf(x.shape).reduce((sum, stride, k) => sum + stride * index[k], 0)];
}

/** The part of a tensor from `starts` on. */
export const slice = (x: NdArray, starts: readonly number[], sizes: Shape): NdArray =>
  built(sizes, (index) => at(x, index.map((i, k) => i + starts[k])));

/** A tensor within margins of `value`. */
export const pad = (
  x: NdArray,
  margins: readonly (readonly [number, number])[],
  value: number,
): NdArray =>
  built(
    x.shape.map((size, k) => margins[k][0] + size + margins[k][1]),
    (index) => at(x, index.map((i, k) => i - margins[k][0]), value),
  );

/** Tensors joined along an axis. */
export function concat(inputs: readonly NdArray[], axis: number): NdArray {
  const owner = inputs.flatMap((x, k) =>
    Array.from({ length: x.shape[axis] }, (_, i) => [k, i] as const)
  );
  const shape = inputs[0].shape.map((size, k) => k === axis ? owner.length : size);
  return built(shape, (index) => {
    const [input, own] = owner[index[axis]];
    return at(inputs[input], index.map((i, k) => k === axis ? own : i));
  });
}

/** The axes in another order. */
export const transpose = (x: NdArray, order: readonly number[]): NdArray =>
  built(
    order.map((k) => x.shape[k]),
    (index) => at(x, order.map((_, k) => index[order.indexOf(k)])),
  );
