/** Shapes: plain arrays of sizes, outermost axis first, row-major in memory. */
import { ShapeError } from "./errors.ts";

/** Sizes of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** How the elements are stored; all take four bytes. */
export type DType = "f32" | "i32" | "u32";

/** What is known of a value before it is computed. */
export interface Type {
  /** Sizes of the axes, outermost first; `[]` for a scalar. */
  readonly shape: Shape;
  /** How the elements are stored. */
  readonly dtype: DType;
}

/** Bytes of one element of any {@link DType}. */
export const elementBytes = 4;

/** The class that holds elements of each type on the host. */
export const arrayNames: Readonly<Record<DType, string>> = {
  f32: "Float32Array",
  i32: "Int32Array",
  u32: "Uint32Array",
};

/** The element type of host data, or undefined where it is of no class that a device takes. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Int32Array) return "i32";
  return data instanceof Uint32Array ? "u32" : undefined;
}

/** Name of a value's class, for messages. */
export const classOf = (value: unknown): string => value?.constructor.name ?? `${value}`;

/** An `f32` type of the given shape. */
export const f32 = (shape: Shape): Type => ({ shape, dtype: "f32" });

/** Number of elements: the product of the sizes. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Same rank and same sizes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** `[8,16,16,64]`, as in every error message. */
export const show = (shape: Shape): string => `[${shape.join(",")}]`;

/** Elements to skip for a step along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** An iteration space, and the strides with which several tensors are walked over it. */
export interface MergedAxes {
  /** Sizes of the axes; at least one. */
  readonly dims: readonly number[];
  /** For each tensor, elements to skip for a step along each axis. */
  readonly strides: readonly (readonly number[])[];
}

/** Drops axes of size 1 and merges neighbours that every tensor walks as one: less to index by. */
export function mergeAxes(shape: Shape, strides: readonly (readonly number[])[]): MergedAxes {
  const dims: number[] = [], merged: number[][] = strides.map(() => []);
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const last = dims.length - 1;
    const joins = last >= 0 && strides.every((s, k) => merged[k][last] === s[axis] * size);
    if (joins) dims[last] *= size;
    else dims.push(size);
    for (const [k, s] of strides.entries()) {
      if (joins) merged[k][last] = s[axis];
      else merged[k].push(s[axis]);
    }
  }
  if (dims.length === 0) {
    dims.push(1);
    for (const s of merged) s.push(0);
  }
  return { dims, strides: merged };
}

/**
 * NumPy's broadcasting: axes are aligned at the end; sizes must agree or be 1.
 *
 * @throws {ShapeError} when two sizes differ and neither is 1
 */
export function broadcastShapes(action: string, ...shapes: Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i, size = shape[i];
      if (result[axis] !== 1 && size !== 1 && result[axis] !== size) {
        throw new ShapeError(
          `Cannot ${action}: ${shapes.map(show).join(" and ")} differ in axis ${axis - rank} ` +
            `(${result[axis]} and ${size}), equal sizes or 1 are wanted`,
        );
      }
      if (size !== 1) result[axis] = size;
    }
  }
  return result;
}

/**
 * Checks that every size is a whole number of at least `least`.
 *
 * @throws {ShapeError} when one is not
 */
export function checkShape(action: string, shape: Shape, least = 1): void {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < least) {
      throw new ShapeError(
        `Cannot ${action}: ${
          show(shape)
        } has a size of ${size}, whole numbers from ${least} are wanted`,
      );
    }
  }
}
