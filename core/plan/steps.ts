/** The steps of a plan, as a backend gets them: kernels over ranges of numbered buffers. */
import type { Expr } from "../expr.ts";
import { apply, arg as argument, constant } from "../expr.ts";
import type { MacroOp, MapOp, Node, Tensor } from "../graph.ts";
import type { Epilogue } from "../kernel.ts";
import { type DType, mergeAxes, type Shape, sizeOf, stridesOf } from "../shape.ts";
import { literalValue } from "../structure.ts";
import type { BufferRange } from "./buffer_range.ts";
import type { Group } from "./fuse.ts";

/** An argument of a map kernel: read at `Σ index[d] · strides[d]`. */
export interface MapArg {
  /** Where the elements lie. */
  readonly range: BufferRange;
  /** Element type; the kernel converts to f32 where the expression says so. */
  readonly dtype: DType;
  /** In elements, one per dimension of the step; 0 repeats the value along it. */
  readonly strides: readonly number[];
}

/** One kernel of melted maps over an iteration space. */
export interface MapStep {
  /** Marks pointwise work. */
  readonly kind: "map";
  /** The melted operations and their layer, such as `add+relu at layer1.0.bn1`. */
  readonly label: string;
  /** Sizes of the iteration space, neighbouring dimensions merged where possible. */
  readonly dims: readonly number[];
  /** Elements of each result: the product of {@link dims}. */
  readonly size: number;
  /** What the expressions read; argument k of an expression is `args[k]`. */
  readonly args: readonly MapArg[];
  /** Written contiguously; a range may be that of a contiguous argument. */
  readonly outputs: readonly { readonly range: BufferRange; readonly expr: Expr }[];
}

/** One macro operation. */
export interface MacroStep {
  /** Marks an operation that brings kernels of its own. */
  readonly kind: "macro";
  /** The operation and its layer, such as `conv2d at layer1.0.conv1`. */
  readonly label: string;
  /** What is applied to what; the operation lowers itself from it. */
  readonly node: Node;
  /** The operation of {@link node}. */
  readonly op: MacroOp;
  /** Where each input of the node lies, and then whatever the epilogue reads. */
  readonly inputs: readonly BufferRange[];
  /** Where each result of the node goes, after the epilogue if there is one. */
  readonly outputs: readonly BufferRange[];
  /** What it does to its one result; its operands are among the inputs. */
  readonly epilogue?: Epilogue;
}

/** A plain copy; needed only where an in-place update would be read too late. */
export interface CopyStep {
  /** Marks work that computes nothing. */
  readonly kind: "copy";
  /** What is copied, for plans and messages. */
  readonly label: string;
  /** What is read. */
  readonly from: BufferRange;
  /** What is written, as many bytes. */
  readonly to: BufferRange;
}

/** Anything a plan replays. */
export type Step = MapStep | MacroStep | CopyStep;

/** What a step reads, in the order of its arguments. */
export function rangesRead(step: Step): readonly BufferRange[] {
  if (step.kind === "copy") return [step.from];
  return step.kind === "map" ? step.args.map((a) => a.range) : step.inputs;
}

/** What a step writes, in the order of its results. */
export function rangesWritten(step: Step): readonly BufferRange[] {
  if (step.kind === "copy") return [step.to];
  return step.kind === "map" ? step.outputs.map((o) => o.range) : step.outputs;
}

/** A group of maps as one expression per output over the tensors it reads. */
export interface MapKernel {
  readonly label: string;
  readonly dims: readonly number[];
  readonly size: number;
  readonly args: readonly { readonly tensor: Tensor; readonly strides: readonly number[] }[];
  readonly exprs: readonly Expr[];
}

/** Composes the expressions of a group. A value used twice stays one shared object. */
export function composeGroup(group: Group): MapKernel {
  const args: Tensor[] = [], exprs = new Map<Node, Expr>();
  const valueOf = (t: Tensor): Expr => {
    const literal = literalValue(t);
    if (literal !== undefined) return constant(literal);
    if (group.members.has(t.node)) return exprOf(t.node);
    if (!args.includes(t)) args.push(t);
    return argument(args.indexOf(t));
  };
  const exprOf = (node: Node): Expr => {
    const known = exprs.get(node);
    if (known) return known;
    const own = (node.op as MapOp).expr(node.attrs, node.inputs);
    const expr = substitute(own, node.inputs.map(valueOf));
    exprs.set(node, expr);
    return expr;
  };
  const inOrder = [...group.members].sort((a, b) => a.id - b.id);
  inOrder.forEach(exprOf); // inputs first: a long chain would exhaust the stack
  const composed = group.outputs.map((t) => exprOf(t.node));
  const shape = group.root.outputs[0].shape;
  const { dims, strides } = mergeAxes(shape, args.map((t) => broadcastStrides(t.shape, shape)));
  const names = new Set(inOrder.map((n) => n.op.name));
  const path = inOrder.findLast((n) => n.path)?.path;
  return {
    label: `${[...names].join("+")}${path ? ` at ${path}` : ""}`,
    dims,
    size: group.size,
    args: args.map((tensor, k) => ({ tensor, strides: strides[k] })),
    exprs: composed,
  };
}

/** Replaces the arguments of an expression; shared parts stay shared. */
function substitute(expr: Expr, values: readonly Expr[]): Expr {
  const done = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    if (e.kind === "arg") return values[e.index];
    if (e.kind === "const") return e;
    const known = done.get(e);
    if (known) return known;
    const result = apply(e.fn, ...e.args.map(visit));
    done.set(e, result);
    return result;
  };
  return visit(expr);
}

/** Strides with which a tensor of shape `from` is read to fill `to`. */
function broadcastStrides(from: Shape, to: Shape): number[] {
  if (sizeOf(from) === sizeOf(to)) return stridesOf(to); // they differ in axes of size 1 only
  const own = stridesOf(from), missing = to.length - from.length;
  return to.map((_, axis) => {
    const k = axis - missing;
    return k < 0 || from[k] === 1 ? 0 : own[k];
  });
}

/** True when an argument is read once, in order: then its range may also be written. */
export function isContiguous(strides: readonly number[], dims: readonly number[]): boolean {
  return stridesOf(dims).every((stride, axis) => stride === strides[axis] || dims[axis] === 1);
}
