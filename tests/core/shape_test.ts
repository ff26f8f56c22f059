import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import { ShapeError } from "../../core/errors.ts";
import {
  broadcastShapes,
  checkShape,
  f32,
  mergeAxes,
  sameShape,
  type Shape,
  show,
  sizeOf,
  stridesOf,
} from "../../core/shape.ts";
import { broadcastOffset, indexOf } from "../reference/evaluate.ts";
import { assertThrows } from "./support.ts";

const shapes: fc.Arbitrary<Shape> = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });

Deno.test("strides walk row-major order", () => {
  fc.assert(fc.property(shapes, (shape) => {
    const strides = stridesOf(shape);
    for (let i = 0; i < sizeOf(shape); i++) {
      const at = indexOf(i, shape).reduce((sum, n, axis) => sum + n * strides[axis], 0);
      assert.equal(at, i);
    }
  }));
  assert.deepEqual(stridesOf([]), []);
  assert.equal(sizeOf([]), 1);
});

/** The rule, stated for one axis counted from the end. */
function sizesAt(list: readonly Shape[], axis: number): number[] {
  return list.map((s) => s.at(-1 - axis) ?? 1).filter((size) => size !== 1);
}

Deno.test("broadcasting is symmetric, and refused exactly where two sizes clash", () => {
  fc.assert(fc.property(fc.array(shapes, { minLength: 1, maxLength: 3 }), (list) => {
    const rank = Math.max(...list.map((s) => s.length));
    const axes = Array.from({ length: rank }, (_, axis) => sizesAt(list, axis));
    if (axes.some((sizes) => new Set(sizes).size > 1)) {
      assert.throws(() => broadcastShapes("add", ...list), ShapeError);
      return;
    }
    const result = broadcastShapes("add", ...list);
    assert.deepEqual(result, axes.map((sizes) => sizes[0] ?? 1).reverse());
    assert.deepEqual(broadcastShapes("add", ...list.toReversed()), result);
    assert.deepEqual(broadcastShapes("add", result, ...list), result);
    for (const shape of list) {
      const last = indexOf(sizeOf(result) - 1, result);
      assert.equal(broadcastOffset(last, shape), sizeOf(shape) - 1);
    }
  }));
});

Deno.test("shapes are compared and shown", () => {
  assert(sameShape([2, 3], [2, 3]) && sameShape([], []));
  assert(!sameShape([2, 3], [3, 2]) && !sameShape([2], [2, 1]));
  assert.equal(show([8, 16, 16, 64]), "[8,16,16,64]");
  assert.deepEqual(f32([2]), { shape: [2], dtype: "f32" });
});

Deno.test("sizes are whole numbers", () => {
  for (const size of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(
      () => checkShape("make x", [2, size]),
      ShapeError,
      `Cannot make x: [2,${size}] has a size of ${size}, whole numbers from 1 are wanted`,
    );
  }
  checkShape("make x", [2, 0], 0);
});

Deno.test("merged axes walk every tensor as before, and no two of them can be merged", () => {
  // Each tensor is laid out over its own shape, some axes of it repeated.
  const walk = fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), gap: fc.boolean() }), {
    maxLength: 5,
  });
  const repeats = fc.array(fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(fc.property(walk, repeats, (axes, tensors) => {
    const shape = axes.map((a) => a.size);
    const strides = tensors.map((flags) => {
      const own = axes.map(({ size, gap }, k) => flags[k] ? 1 : size + (gap ? 1 : 0));
      return stridesOf(own).map((stride, k) => flags[k] ? 0 : stride);
    });
    const merged = mergeAxes(shape, strides), { dims } = merged;
    assert.equal(sizeOf(dims), sizeOf(shape));
    const at = (i: number, sizes: Shape, steps: readonly number[]): number =>
      indexOf(i, sizes).reduce((sum, n, axis) => sum + n * steps[axis], 0);
    for (const [k, own] of strides.entries()) {
      for (let i = 0; i < sizeOf(shape); i++) {
        assert.equal(at(i, dims, merged.strides[k]), at(i, shape, own));
      }
    }
    assert(dims.length === 1 || dims.every((size) => size > 1), `${dims}`);
    for (let axis = 1; axis < dims.length; axis++) {
      assert(merged.strides.some((s) => s[axis - 1] !== s[axis] * dims[axis]), `${dims}`);
    }
  }));
});
