/** Plain float64 evaluation of graphs of maps, views and packs: slow, obvious, for tests. */
import type { Expr } from "../../core/expr.ts";
import { asLeaf, type MapOp, type PackOp, type Tensor } from "../../core/graph.ts";
import { type Shape, sizeOf, stridesOf } from "../../core/shape.ts";

type Scalar = (a: number, b: number, c: number) => number;

const scalar: Readonly<Record<string, Scalar>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  neg: (a) => -a,
  abs: Math.abs,
  exp: Math.exp,
  tanh: Math.tanh,
  gt: (a, b) => Number(a > b),
  select: (a, b, c) => a !== 0 ? b : c,
  fromI32: (a) => a,
  fromU32: (a) => a,
};

function valueOf(expr: Expr, args: readonly number[]): number {
  if (expr.kind === "arg") return args[expr.index];
  if (expr.kind === "const") return expr.value;
  const [a, b, c] = expr.args.map((e) => valueOf(e, args));
  return scalar[expr.fn.name](a, b, c);
}

/** Elements of a tensor, 0 for −0; `leaves` gives those of inputs and variables. */
export function evaluate(
  t: Tensor,
  leaves: ReadonlyMap<Tensor, ArrayLike<number>> = new Map(),
): number[] {
  const known = new Map<Tensor, number[]>();
  for (const [leaf, elements] of leaves) known.set(leaf, Array.from(elements));
  return elementsOf(t, known).map((v) => v + 0);
}

function elementsOf(t: Tensor, known: Map<Tensor, number[]>): number[] {
  let elements = known.get(t);
  if (!elements) {
    known.set(
      t,
      elements = compute(t, t.node.inputs.map((x) => elementsOf(x, known))),
    );
  }
  return elements;
}

function compute(t: Tensor, inputs: readonly number[][]): number[] {
  const { node } = t, { op } = node;
  if (op.kind === "leaf") return Array.from(asLeaf(t)!.data!);
  if (op.kind === "view") return inputs[0];
  const result = new Array<number>(sizeOf(t.shape)).fill(0);
  if (op.kind === "pack") {
    const offsets = (op as PackOp).offsets(node.attrs);
    for (const [k, x] of inputs.entries()) x.forEach((v, i) => result[offsets[k] + i] = v);
    return result;
  }
  const expr = (op as MapOp).expr(node.attrs, node.inputs);
  return result.map((_, i) =>
    valueOf(expr, inputs.map((x, k) => x[broadcastIndex(i, t.shape, node.inputs[k].shape)]))
  );
}

/** Where element `i` of `to` lies in `from`, aligned at the last axis. */
function broadcastIndex(i: number, to: Shape, from: Shape): number {
  const outer = stridesOf(to), own = stridesOf(from), missing = to.length - from.length;
  return from.reduce((sum, size, k) => {
    const coordinate = Math.floor(i / outer[k + missing]) % to[k + missing];
    return sum + (size === 1 ? 0 : coordinate * own[k]);
  }, 0);
}
