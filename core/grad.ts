/** Reverse-mode differentiation. Gradients are nodes of the same graph: nothing else to compile. */
import { apply, arg, primitives } from "./expr.ts";
import {
  ancestors,
  applyOne,
  asLeaf,
  atLayer,
  type MapOp,
  type Node,
  type Tensor,
} from "./graph.ts";
import { full } from "./structure.ts";
import { sameShape, show, sizeOf } from "./shape.ts";
import { ShapeError } from "./errors.ts";

/** Sums the gradients that reach one tensor from two readers. */
const accumulateOp: MapOp<void> = {
  kind: "map",
  name: "accumulate",
  infer: ([a]) => [a],
  expr: () => apply(primitives.add, arg(0), arg(1)),
  grad: (_, [dy]) => [dy ?? null, dy ?? null],
};

/**
 * Gradients of a scalar with respect to each tensor of `wrt`, by reverse accumulation.
 *
 * Shapes: loss of one element; each gradient has the shape of its tensor. A gradient is a tensor
 * like any other, and can be differentiated again where its operations have gradients.
 *
 * @throws {ShapeError} when the loss is no scalar, does not depend on one of `wrt`, or when an
 *   operation on the way has no gradient
 * @source Griewank & Walther 2008, "Evaluating derivatives", §3.2
 * @example
 * ```ts
 * import { grad, openDevice, ops, tensor } from "../mod.ts";
 * using device = await openDevice("wasm");
 * const x = tensor([1, 2, 3]);
 * const [dx] = grad(ops.sum(ops.mul(x, x)), [x]);
 * console.log(await device.read(dx)); // Float32Array [2, 4, 6]
 * ```
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (sizeOf(loss.shape) !== 1) {
    throw new ShapeError(
      `Cannot differentiate ${loss.node.label}: it has shape ${
        show(loss.shape)
      }, a scalar is wanted`,
    );
  }
  const order = ancestors([loss]);
  const needed = new Set<Node>(wrt.map((t) => t.node));
  for (const n of order) if (n.inputs.some((t) => needed.has(t.node))) needed.add(n);

  const grads = new Map<Tensor, Tensor>([[loss, full(1, loss.shape)]]);
  for (const node of order.reverse()) {
    if (!node.inputs.some((t) => needed.has(t.node))) continue;
    const dys = node.outputs.map((t) => grads.get(t));
    if (dys.every((dy) => dy === undefined)) continue;
    const { op } = node;
    if (!op.grad) {
      throw new ShapeError(`Cannot differentiate ${node.label}: it has no gradient`);
    }
    const dxs = atLayer(node.path, () => op.grad!(node, dys));
    for (const [k, dx] of dxs.entries()) {
      const x = node.inputs[k];
      if (dx && needed.has(x.node)) addGradient(grads, x, dx, node);
    }
  }
  return wrt.map((t) => grads.get(t) ?? independent(t));
}

function addGradient(grads: Map<Tensor, Tensor>, x: Tensor, dx: Tensor, node: Node): void {
  if (!sameShape(dx.shape, x.shape)) {
    throw new ShapeError(
      `Cannot differentiate ${node.label}: its gradient has shape ${show(dx.shape)}, ` +
        `${show(x.shape)} is wanted`,
    );
  }
  const sum = grads.get(x);
  grads.set(x, sum ? applyOne(accumulateOp, [sum, dx], undefined) : dx);
}

function independent(t: Tensor): never {
  const name = asLeaf(t)?.label || t.node.label;
  throw new ShapeError(`Cannot differentiate: the loss does not depend on ${name}`);
}
