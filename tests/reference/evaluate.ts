/** A second, naive meaning of graphs: recursive, in float64, with nothing fused, shared or planned. */
import { asLeaf, type LeafAttrs, type MapOp, type Node, type Tensor } from "../../core/graph.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import type { NdArray } from "../laws/case.ts";
import { valueOf } from "./primitives.ts";

/** What a macro operation computes. */
export type MacroFunction = (node: Node, inputs: readonly NdArray[]) => readonly NdArray[];

/** Values of leaves that are no constants; a constant brings its own. */
export type LeafFunction = (leaf: LeafAttrs) => ArrayLike<number>;

/** Evaluates tensors; nodes they share are computed once. */
export function evaluate(
  outputs: readonly Tensor[],
  leafOf: LeafFunction,
  macro: MacroFunction = referenceMacro,
): NdArray[] {
  const known = new Map<Node, readonly NdArray[]>();
  const valueOfTensor = (t: Tensor): NdArray => {
    let values = known.get(t.node);
    if (!values) known.set(t.node, values = evaluateNode(t.node, t.node.inputs.map(valueOfTensor)));
    return values[t.index];
  };
  const evaluateNode = (node: Node, inputs: readonly NdArray[]): readonly NdArray[] => {
    const { op } = node, { shape } = node.outputs[0];
    if (op.kind === "macro") return macro(node, inputs);
    if (op.kind === "map") return [{ shape, data: mapped(node, op, inputs) }];
    if (op.kind === "view") return [{ shape, data: inputs[0].data }];
    if (op.kind === "pack") return [packed(op.offsets(node.attrs), inputs, shape)];
    const leaf = asLeaf(node.outputs[0])!;
    return [{ shape, data: Float64Array.from(leaf.data ?? leafOf(leaf)) }];
  };
  return outputs.map(valueOfTensor);
}

function mapped(node: Node, op: MapOp, inputs: readonly NdArray[]): Float64Array {
  const { shape } = node.outputs[0], expr = op.expr(node.attrs, node.inputs);
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const index = indexOf(i, shape);
    return valueOf(expr, (k) => inputs[k].data[broadcastOffset(index, inputs[k].shape)]);
  });
}

function packed(offsets: readonly number[], inputs: readonly NdArray[], shape: Shape): NdArray {
  const data = new Float64Array(sizeOf(shape));
  for (const [k, x] of inputs.entries()) data.set(x.data, offsets[k]);
  return { shape, data };
}

/** The index along each axis of the i-th element in row-major order. */
export function indexOf(i: number, shape: Shape): number[] {
  const index = new Array<number>(shape.length);
  let rest = i;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

/** Where an element of a broadcast result comes from. */
export function broadcastOffset(index: readonly number[], shape: Shape): number {
  const own = shape.length > 0 ? index.slice(-shape.length) : [];
  return shape.reduce((offset, size, axis) => offset * size + (size === 1 ? 0 : own[axis]), 0);
}

/** The macro operations that the tests of graphs use: reductions and products of matrices. */
export function referenceMacro(node: Node, inputs: readonly NdArray[]): readonly NdArray[] {
  if (node.op.name === "reduce") return [reduced(node, inputs[0])];
  if (node.op.name === "matmul") return [matmulled(node, inputs)];
  throw new Error(`The reference does not know the operation ${node.op.name}`);
}

interface ReduceAttrs {
  readonly kind: "sum" | "max";
  readonly scale: number;
}

/** `[outer,mid,inner]` → `[outer,inner]`. */
function reduced(node: Node, x: NdArray): NdArray {
  const { kind, scale } = node.attrs as ReduceAttrs, [, mid, inner] = x.shape;
  const { shape } = node.outputs[0];
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const [o, c] = [Math.floor(i / inner), i % inner];
    const terms = Array.from({ length: mid }, (_, m) => x.data[(o * mid + m) * inner + c]);
    return scale * (kind === "sum" ? terms.reduce((a, b) => a + b, 0) : Math.max(...terms));
  });
  return { shape, data };
}

interface MatmulAttrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

function matmulled(node: Node, [a, b]: readonly NdArray[]): NdArray {
  const { transposeA, transposeB } = node.attrs as MatmulAttrs, { shape } = node.outputs[0];
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  const at = (x: NdArray, lead: readonly number[], i: number, j: number): number =>
    x.data[broadcastOffset([...lead, i, j], x.shape)];
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, n) => {
    const index = indexOf(n, shape), [i, j] = index.slice(-2), lead = index.slice(0, -2);
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += (transposeA ? at(a, lead, k, i) : at(a, lead, i, k)) *
        (transposeB ? at(b, lead, j, k) : at(b, lead, k, j));
    }
    return sum;
  });
  return { shape, data };
}
