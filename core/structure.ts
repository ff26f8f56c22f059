/** Operations that compute nothing: leaves, literals, views and packs. */
import { constant } from "./expr.ts";
import { applyOne, leafOp, type MapOp, type PackOp, type Tensor, type ViewOp } from "./graph.ts";
import { ShapeError } from "./errors.ts";
import {
  arrayNames,
  checkShape,
  classOf,
  type DType,
  dtypeOf,
  f32,
  type Shape,
  show,
  sizeOf,
  type Type,
} from "./shape.ts";

/**
 * A value that is given to the runs of a plan; a run without it keeps the one before.
 *
 * @param label name in messages
 * @throws {ShapeError} when a size is no whole number from 1
 */
export function input(shape: Shape, label: string, dtype: DType = "f32"): Tensor {
  checkShape(`make the input ${label}`, shape);
  return applyOne(leafOp, [], { type: { shape, dtype }, role: "input", label });
}

/**
 * A value that lives in a store and may be updated by a plan: a weight, a moment, a statistic.
 *
 * @param label name in messages; a path such as `layer1.conv.weight` also names the layer
 * @throws {ShapeError} when a size is no whole number from 1
 */
export function variable(shape: Shape, label = "", dtype: DType = "f32"): Tensor {
  checkShape(`make the variable ${label}`, shape);
  return applyOne(leafOp, [], { type: { shape, dtype }, role: "variable", label });
}

/**
 * A tensor of given elements, uploaded once when a plan is compiled.
 *
 * @param shape defaults to a vector of all elements
 * @throws {ShapeError} when the elements are of another class, or do not fill the shape
 */
export function tensor(
  data: Float32Array | Int32Array | Uint32Array | readonly number[],
  shape: Shape = [data.length],
): Tensor {
  type Elements = Exclude<typeof data, readonly number[]>;
  const elements = Array.isArray(data) ? new Float32Array(data) : data as Elements;
  const dtype = dtypeOf(elements);
  if (!dtype) {
    throw new ShapeError(
      `Cannot make a tensor: its elements are in ${classOf(elements)}, ` +
        `numbers or one of ${Object.values(arrayNames).join(", ")} are wanted`,
    );
  }
  checkShape("make a tensor", shape);
  if (elements.length !== sizeOf(shape)) {
    throw new ShapeError(
      `Cannot make a tensor: ${elements.length} elements do not fill ${show(shape)}, ` +
        `${sizeOf(shape)} are wanted`,
    );
  }
  const type: Type = { shape, dtype };
  return applyOne(leafOp, [], { type, role: "constant", label: "constant", data: elements });
}

interface FullAttrs {
  readonly shape: Shape;
  readonly value: number;
}

const fullOp: MapOp<FullAttrs> = {
  kind: "map",
  name: "full",
  infer: (_, attrs) => [f32(attrs.shape)],
  expr: (attrs) => constant(attrs.value),
  grad: () => [],
};

/**
 * An f32 tensor with every element equal; written into kernels as a number, not stored.
 *
 * @param shape defaults to a scalar
 */
export function full(value: number, shape: Shape = []): Tensor {
  return applyOne(fullOp, [], { shape, value });
}

/** The value of a literal made by {@link full}, or undefined. */
export function literalValue(tensor: Tensor): number | undefined {
  const { op, attrs } = tensor.node;
  return op === fullOp ? (attrs as FullAttrs).value : undefined;
}

/** Behind {@link reshape}. */
export const reshapeOp: ViewOp<{ readonly shape: Shape }> = {
  kind: "view",
  name: "reshape",
  infer([x], { shape }, where) {
    if (sizeOf(x.shape) !== sizeOf(shape)) {
      throw new ShapeError(
        `Cannot reshape${where}: ${show(x.shape)} has ${sizeOf(x.shape)} elements, ` +
          `${show(shape)} wants ${sizeOf(shape)}`,
      );
    }
    return [{ shape, dtype: x.dtype }];
  },
  grad: (node, [dy]) => [dy ? reshape(dy, node.inputs[0].shape) : null],
};

/**
 * The same elements in the same order under another shape; nothing is computed or moved.
 *
 * @param shape as many elements as x has; one size may be −1 and takes what is left
 * @throws {ShapeError} when the numbers of elements differ
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, size) => size === -1 ? product : product * size, 1);
  const sizes = shape.map((size) => size === -1 ? sizeOf(x.shape) / known : size);
  checkShape("reshape", sizes);
  const literal = literalValue(x);
  // A literal stays one, so that it is never stored; the sizes are checked by the view's rule.
  const view = applyOne(reshapeOp, [x], { shape: sizes });
  return literal === undefined ? view : full(literal, sizes);
}

interface PackAttrs {
  readonly offsets: readonly number[];
  readonly size: number;
}

const packOp: PackOp<PackAttrs> = {
  kind: "pack",
  name: "pack",
  infer(inputs, { size }) {
    const other = inputs.find((t) => t.dtype !== "f32");
    if (other) {
      throw new ShapeError(
        `Cannot pack ${show(other.shape)}: it holds ${other.dtype}, f32 is wanted`,
      );
    }
    return [f32([size])];
  },
  offsets: (attrs) => attrs.offsets,
};

/**
 * Lays tensors side by side in a vector of `size` elements, each at its offset; gaps read 0.
 * The kernels that compute the tensors write straight into it. It has no gradient: it ends in an
 * update or is read.
 *
 * @param offsets in elements, multiples of {@link blockAlignment}, ascending
 * @throws {ShapeError} when tensors overlap, an offset is not aligned, or they exceed `size`
 */
export function pack(
  tensors: readonly Tensor[],
  offsets: readonly number[],
  size: number,
): Tensor {
  let end = 0;
  for (const [i, t] of tensors.entries()) {
    if (offsets[i] < end || offsets[i] % blockAlignment !== 0) {
      throw new ShapeError(
        `Cannot pack ${show(t.shape)}: it would start at ${offsets[i]}, ` +
          `a multiple of ${blockAlignment} from ${end} is wanted`,
      );
    }
    end = offsets[i] + sizeOf(t.shape);
  }
  if (end > size) throw new ShapeError(`Cannot pack: ${end} elements do not fit into ${size}`);
  return applyOne(packOp, tensors, { offsets, size });
}

/** Elements between starts in a block: WebGPU binds at multiples of 256 bytes. */
export const blockAlignment = 64;

/** Rounds up to a start in a block. */
export const alignBlock = (elements: number): number =>
  Math.ceil(elements / blockAlignment) * blockAlignment;
