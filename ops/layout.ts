/** Moving elements without computing: cutting, padding, joining, and reordering axes. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { outputRef } from "../core/kernel.ts";
import { f32, sameShape, type Shape, show, sizeOf, stridesOf, type Type } from "../core/shape.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";
import { type Copy, copyCall, copyPass, padPass } from "./strided_copy.ts";

/** Elements added before and after along an axis. */
export type Margin = readonly [before: number, after: number];

/** An operation that is one strided copy. */
function copyOp<A>(
  name: string,
  infer: MacroOp<A>["infer"],
  copyOf: (x: Shape, attrs: A) => Copy,
  grad: NonNullable<MacroOp<A>["grad"]>,
): MacroOp<A> {
  return {
    kind: "macro",
    name,
    infer,
    grad,
    wgsl: ({ inputs: [x], outputs: [y], attrs }) => ({
      passes: [copyPass(name, 0, x, y, copyOf(x.shape, attrs))],
    }),
    wasm: ({ inputs: [x], attrs }) => ({ calls: [copyCall(0, copyOf(x.shape, attrs))] }),
  };
}

/** The part that {@link slice} takes. */
export interface SliceAttrs {
  /** First index along every axis. */
  readonly starts: readonly number[];
  /** Number of indices along every axis. */
  readonly sizes: readonly number[];
}

/** Behind {@link slice}. */
export const sliceOp: MacroOp<SliceAttrs> = copyOp(
  "slice",
  ([x], { starts, sizes }, where) => {
    const fits = starts.length === x.shape.length && sizes.length === x.shape.length &&
      [...starts, ...sizes].every(Number.isSafeInteger) &&
      x.shape.every((size, k) => starts[k] >= 0 && sizes[k] > 0 && starts[k] + sizes[k] <= size);
    if (!fits) {
      throw new ShapeError(
        `Cannot slice${where}: sizes ${show(sizes)} from ${show(starts)} are no part of x ` +
          `${show(x.shape)}, a start and a size within every axis are wanted`,
      );
    }
    return [{ shape: sizes, dtype: x.dtype }];
  },
  (x, { starts, sizes }) => ({
    dims: sizes,
    from: stridesOf(x),
    to: stridesOf(sizes),
    fromOffset: stridesOf(x).reduce((sum, stride, k) => sum + stride * starts[k], 0),
    toOffset: 0,
  }),
  ({ inputs: [x], attrs: { starts, sizes } }, [dy]) => [
    dy ? pad(dy, starts.map((start, k) => [start, x.shape[k] - start - sizes[k]])) : null,
  ],
);

/**
 * A part of a tensor: `y[i,…] = x[starts[0]+i,…]`. The gradient is padded with zeros.
 *
 * Shapes: x of any shape and element type → `sizes`.
 *
 * @param starts first index along every axis
 * @param sizes number of indices along every axis: the shape of the result
 * @throws {ShapeError} when the part leaves the tensor
 */
export function slice(x: Tensor, starts: readonly number[], sizes: Shape): Tensor {
  const whole = sameShape(sizes, x.shape) && starts.length === sizes.length &&
    starts.every((start) => start === 0);
  return whole ? x : applyOne(sliceOp, [x], { starts, sizes });
}

/** What {@link pad} adds. */
export interface PadAttrs {
  /** Elements before and after along every axis. */
  readonly margins: readonly Margin[];
  /** What the margins hold. */
  readonly value: number;
}

const padded = (x: Shape, margins: readonly Margin[]): Shape =>
  x.map((size, k) => margins[k][0] + size + margins[k][1]);

/** Behind {@link pad}. */
export const padOp: MacroOp<PadAttrs> = {
  kind: "macro",
  name: "pad",
  infer([x], { margins }, where) {
    checkDType("pad", where, "x", x);
    const whole = margins.every((m) =>
      m.length === 2 && m.every((v) => Number.isSafeInteger(v) && v >= 0)
    );
    if (margins.length !== x.shape.length || !whole) {
      throw new ShapeError(
        `Cannot pad${where}: x ${show(x.shape)} gets margins [${margins.map(show).join(",")}], ` +
          "two whole numbers from 0 are wanted for every axis",
      );
    }
    return [f32(padded(x.shape, margins))];
  },
  grad: ({ inputs: [x], attrs: { margins } }, [dy]) => [
    dy ? slice(dy, margins.map(([before]) => before), x.shape) : null,
  ],
  wgsl: ({ inputs: [x], attrs: { margins, value } }) => ({
    passes: [padPass(x.shape, margins, value)],
  }),
  wasm({ inputs: [x], outputs: [y], attrs: { margins, value } }) {
    const to = stridesOf(y.shape);
    const toOffset = to.reduce((sum, stride, k) => sum + stride * margins[k][0], 0);
    const copy = { dims: x.shape, from: stridesOf(x.shape), to, fromOffset: 0, toOffset };
    return { calls: [call("fill", outputRef(0), sizeOf(y.shape), value), copyCall(0, copy)] };
  },
};

/**
 * A tensor with margins of one value around it. The gradient is cut back to the size of x.
 *
 * Shapes: x f32 `[a,…]` → `[before+a+after,…]`.
 *
 * @param margins elements before and after along every axis
 * @param value what the margins hold (default 0)
 * @throws {ShapeError} when a margin is negative or missing, or x is no f32
 */
export function pad(x: Tensor, margins: readonly Margin[], value = 0): Tensor {
  const nothing = margins.length === x.shape.length &&
    margins.every(([a, b]) => a === 0 && b === 0);
  return nothing ? x : applyOne(padOp, [x], { margins, value });
}

/** How {@link concat} joins. */
export interface ConcatAttrs {
  /** From 0. */
  readonly axis: number;
}

function inferConcat(inputs: readonly Type[], { axis }: ConcatAttrs, where: string): Type[] {
  const [{ shape, dtype }] = inputs;
  for (const x of inputs) {
    checkDType("concat", where, "input", x, dtype);
    const fits = x.shape.length === shape.length &&
      x.shape.every((size, k) => k === axis || size === shape[k]);
    if (!fits) {
      throw new ShapeError(
        `Cannot concat${where}: ${show(shape)} and ${show(x.shape)} differ beside axis ${axis}, ` +
          "equal sizes are wanted there",
      );
    }
  }
  const length = inputs.reduce((sum, x) => sum + x.shape[axis], 0);
  return [{ shape: shape.map((size, k) => k === axis ? length : size), dtype }];
}

/** Where along the axis each of the tensors begins. */
function beginnings(inputs: readonly Type[], axis: number): number[] {
  let end = 0;
  return inputs.map((x) => (end += x.shape[axis]) - x.shape[axis]);
}

function partsOf(inputs: readonly Type[], y: Shape, axis: number): Copy[] {
  const to = stridesOf(y), starts = beginnings(inputs, axis);
  return inputs.map(({ shape }, k) => ({
    dims: shape,
    from: stridesOf(shape),
    to,
    fromOffset: 0,
    toOffset: starts[k] * to[axis],
  }));
}

/** Behind {@link concat}. */
export const concatOp: MacroOp<ConcatAttrs> = {
  kind: "macro",
  name: "concat",
  infer: inferConcat,
  grad({ inputs, attrs: { axis } }, [dy]) {
    const starts = beginnings(inputs, axis);
    return inputs.map((x, k) =>
      dy ? slice(dy, x.shape.map((_, a) => a === axis ? starts[k] : 0), x.shape) : null
    );
  },
  wgsl: ({ inputs, outputs: [y], attrs: { axis } }) => ({
    passes: partsOf(inputs, y.shape, axis).map((part, k) =>
      copyPass("concat", k, inputs[k], y, part)
    ),
  }),
  wasm: ({ inputs, outputs: [y], attrs: { axis } }) => ({
    calls: partsOf(inputs, y.shape, axis).map((part, k) => copyCall(k, part)),
  }),
};

/**
 * Tensors joined along an axis, on which alone they may differ in size. Each gets its part of the
 * gradient.
 *
 * Shapes: `[a₁,b]`, `[a₂,b]`, … → `[a₁+a₂+…,b]` for axis 0, of any element type.
 *
 * @param axis negative ones count from the end
 * @throws {ShapeError} when there is no tensor, no such axis, or other sizes or types differ
 */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new ShapeError("Cannot concat: 0 tensors, at least 1 is wanted");
  const rank = tensors[0].shape.length, positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new ShapeError(
      `Cannot concat: axis ${axis} is none of ${show(tensors[0].shape)}, ` +
        `one from ${-rank} to ${rank - 1} is wanted`,
    );
  }
  return tensors.length === 1 ? tensors[0] : applyOne(concatOp, tensors, { axis: positive });
}

/** How {@link transpose} orders. */
export interface TransposeAttrs {
  /** Axis k of the result is axis `order[k]`. */
  readonly order: readonly number[];
}

/** Behind {@link transpose}. */
export const transposeOp: MacroOp<TransposeAttrs> = copyOp(
  "transpose",
  ([x], { order }, where) => {
    if (!sameShape([...order].sort((a, b) => a - b), x.shape.map((_, k) => k))) {
      throw new ShapeError(
        `Cannot transpose${where}: order ${show(order)} does not fit x ${show(x.shape)}, ` +
          `each axis from 0 to ${x.shape.length - 1} is wanted once`,
      );
    }
    return [{ shape: order.map((k) => x.shape[k]), dtype: x.dtype }];
  },
  (x, { order }) => {
    const dims = order.map((k) => x[k]), from = stridesOf(x);
    return {
      dims,
      from: order.map((k) => from[k]),
      to: stridesOf(dims),
      fromOffset: 0,
      toOffset: 0,
    };
  },
  (
    { attrs: { order } },
    [dy],
  ) => [dy ? transpose(dy, order.map((_, k) => order.indexOf(k))) : null],
);

/**
 * The axes in another order: `y[j,i] = x[i,j]` for order `[1,0]`.
 *
 * Shapes: x of any shape and element type → the same sizes in the new order.
 *
 * @param order axis k of the result is axis `order[k]` of x
 * @throws {ShapeError} when an axis is missing or named twice
 */
export function transpose(x: Tensor, order: readonly number[]): Tensor {
  const same = order.length === x.shape.length && order.every((axis, k) => axis === k);
  return same ? x : applyOne(transposeOp, [x], { order });
}
