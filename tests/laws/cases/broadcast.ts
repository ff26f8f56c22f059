/** Shapes that broadcast, and references of pointwise operations. */
import * as fc from "npm:fast-check@4";
import { broadcastShapes, type Shape, sizeOf } from "../../../core/shape.ts";
import { broadcastOffset, indexOf } from "../../reference/evaluate.ts";
import type { NdArray } from "../case.ts";

/** Rank 0 to 4, sizes 1 to 5. */
export const anyShape: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 5 }), {
  maxLength: 4,
});

/** Shapes that broadcast with each other: some leading axes are missing, some sizes are 1. */
export function broadcastingShapes(count: number): fc.Arbitrary<number[][]> {
  return anyShape.chain((full) =>
    fc.array(
      fc.record({
        missing: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: full.length })),
        ones: fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
        repeats: fc.boolean(),
      }),
      { minLength: count, maxLength: count },
    ).map((operands) =>
      operands.map(({ missing, ones, repeats }) =>
        full.map((size, axis) => repeats && ones[axis] ? 1 : size).slice(missing)
      )
    )
  );
}

/** Applies a function of numbers to every element of broadcast arrays. */
export function mapElements(
  fn: (...values: number[]) => number,
  inputs: readonly NdArray[],
): NdArray {
  const shape: Shape = broadcastShapes("map", ...inputs.map((x) => x.shape));
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const index = indexOf(i, shape);
    return fn(...inputs.map((x) => x.data[broadcastOffset(index, x.shape)]));
  });
  return { shape, data };
}

/**
 * Gradients of one result of broadcast arrays: `fn` gives those of one element from its `dy` and its
 * arguments; what is repeated gets the sum.
 */
export function gradientOf(
  fn: (dy: number, ...values: number[]) => readonly number[],
): (inputs: readonly NdArray[], dys: readonly NdArray[]) => NdArray[] {
  return (inputs, [dy]) => {
    const grads = inputs.map(({ shape, data }) => ({ shape, data: data.map(() => 0) }));
    for (const [i, value] of dy.data.entries()) {
      const index = indexOf(i, dy.shape);
      const places = inputs.map((x) => broadcastOffset(index, x.shape));
      const parts = fn(value, ...inputs.map((x, k) => x.data[places[k]]));
      for (const [k, part] of parts.entries()) grads[k].data[places[k]] += part;
    }
    return grads;
  };
}
