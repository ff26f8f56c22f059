import assert from "node:assert/strict";
import { ShapeError } from "../../core/errors.ts";
import { grad } from "../../core/grad.ts";
import { ancestors, applyOne, asLeaf, type MapOp, type Tensor } from "../../core/graph.ts";
import { arg } from "../../core/expr.ts";
import { f32 } from "../../core/shape.ts";
import { full, input, reshape, tensor, variable } from "../../core/structure.ts";
import {
  add,
  batchNorm,
  conv2d,
  exp,
  greater,
  matmul,
  max,
  mul,
  relu,
  sin,
  sub,
  sum,
} from "../../ops/mod.ts";
import { evaluate } from "../reference/evaluate.ts";
import { assertThrows, macro, reverse } from "./support.ts";

const values = (t: Tensor): number[] => {
  const leafOf = () => {
    throw new Error("these graphs have constants only");
  };
  return [...evaluate([t], leafOf, macro)[0].data];
};
const close = (actual: readonly number[], wanted: readonly number[]): void => {
  assert.equal(actual.length, wanted.length);
  for (const [k, v] of actual.entries()) assert(Math.abs(v - wanted[k]) < 1e-12, `${actual}`);
};

Deno.test("the chain rule", () => {
  const x = tensor([0.5, -1, 2]);
  const [dx] = grad(sum(sin(exp(x))), [x]);
  close(values(dx), [0.5, -1, 2].map((v) => Math.cos(Math.exp(v)) * Math.exp(v)));
});

Deno.test("gradients of a value read more than once add up", () => {
  const x = tensor([1, 2, 3]), y = mul(x, x);
  close(
    values(grad(sum(add(mul(y, x), add(y, x))), [x])[0]),
    [1, 2, 3].map((v) => 3 * v ** 2 + 2 * v + 1),
  );
  close(values(grad(sum(add(x, x)), [x])[0]), [2, 2, 2]);
});

Deno.test("gradients of gradients", () => {
  const x = tensor([1, 2, 3]);
  const [first] = grad(sum(mul(x, mul(x, x))), [x]);
  close(values(grad(sum(first), [x])[0]), [6, 12, 18]);
});

Deno.test("broadcast and reshaped inputs get gradients of their own shape", () => {
  const a = tensor([1, 2, 3, 4, 5, 6], [2, 3]), b = tensor([10, 20, 30]), c = tensor([7]);
  const loss = sum(mul(mul(reshape(a, [1, 2, 3]), b), c));
  const [da, db, dc] = grad(loss, [a, b, c]);
  assert.deepEqual([da.shape, db.shape, dc.shape], [[2, 3], [3], [1]]);
  close(values(da), [70, 140, 210, 70, 140, 210]);
  close(values(db), [7 * 5, 7 * 7, 7 * 9]);
  close(values(dc), [10 * 5 + 20 * 7 + 30 * 9]);
});

Deno.test("values on the way have gradients too, and so has the loss", () => {
  const x = tensor([1, 2]), y = mul(x, 3), loss = sum(mul(y, y));
  const [dLoss, dy, dx] = grad(loss, [loss, y, x]);
  close(values(dLoss), [1]);
  close(values(dy), [6, 12]);
  close(values(dx), [18, 36]);
});

Deno.test("a loss of one element may have any rank", () => {
  const x = tensor([3], [1, 1]);
  assert.deepEqual(grad(mul(x, x), [x])[0].shape, [1, 1]);
});

Deno.test("nothing below what was asked for is differentiated", () => {
  // `reverse` has no gradient and needs none here.
  const x = tensor([1, 2, 3]), y = reverse(x);
  close(values(grad(sum(mul(y, y)), [y])[0]), [6, 4, 2]);
});

Deno.test("what has no gradient is refused by name", () => {
  const x = tensor([1, 2, 3]);
  assertThrows(
    () => grad(sum(reverse(x)), [x]),
    ShapeError,
    "Cannot differentiate reverse: it has no gradient",
  );
  assertThrows(() => grad(max(x), [x]), ShapeError, /maximum/);
  assertThrows(
    () => grad(mul(x, x), [x]),
    ShapeError,
    "Cannot differentiate mul: it has shape [3], a scalar is wanted",
  );
});

Deno.test("an independent parameter is named", () => {
  const x = tensor([1, 2]), w = variable([2], "fc.bias");
  const message = "Cannot differentiate: the loss does not depend on fc.bias";
  assertThrows(() => grad(sum(x), [w]), ShapeError, message);
  // A comparison passes no gradient on.
  assertThrows(() => grad(sum(greater(w, x)), [w]), ShapeError, message);
  const y = sub(x, 1);
  assertThrows(() => grad(sum(x), [y]), ShapeError, /does not depend on sub/);
});

Deno.test("a gradient of a wrong shape is refused where it arises", () => {
  const op: MapOp<void> = {
    kind: "map",
    name: "careless",
    infer: ([x]) => [f32(x.shape)],
    expr: () => arg(0),
    grad: () => [full(1, [3])],
  };
  const x = input([2], "x");
  assertThrows(
    () => grad(sum(applyOne(op, [x], undefined)), [x]),
    ShapeError,
    "Cannot differentiate careless: its gradient has shape [3], [2] is wanted",
  );
});

Deno.test("a gradient belongs to the layer of what it is the gradient of", () => {
  const parameter = (shape: number[], label: string): Tensor => variable(shape, label);
  const block = (x: Tensor, name: string, c: number): Tensor => {
    const w = parameter([3, 3, x.shape[3], c], `${name}.conv.weight`);
    const [gamma, beta] = ["weight", "bias"].map((end) => parameter([c], `${name}.bn.${end}`));
    return relu(batchNorm(conv2d(x, w, { padding: 1 }), gamma, beta).y);
  };
  const x = input([2, 4, 4, 3], "x"), loss = sum(block(block(x, "a", 4), "b", 5));
  const forward = new Set(ancestors([loss]));
  const weights = [...forward].flatMap((n) => n.outputs).filter((t) =>
    asLeaf(t)?.role === "variable"
  );
  const labels = ancestors(grad(loss, weights)).filter((n) => !forward.has(n)).map((n) => n.label);
  for (const layer of ["a", "b"]) {
    for (
      const name of ["gate", "batchNormSums", "batchNormGrad", "conv2dWeightGrad"]
    ) {
      const end = name.startsWith("conv") ? "conv" : "bn";
      assert(labels.includes(`${name} at ${layer}.${end}`), `${name} of ${layer}: ${labels}`);
    }
  }
  assert(labels.includes("conv2dInputGrad at b.conv"));
  // The gradient of the sum has no layer; all that follows has one.
  const bare = labels.filter((label) => !label.includes(" at "));
  assert.deepEqual(bare.filter((label) => !/^(full|expand|reshape)$/.test(label)), []);
});

Deno.test("both gradients of a product cost as much as the product", () => {
  const cost = (t: Tensor): number => {
    const { node } = t;
    return node.op.kind === "macro" ? node.op.multiplyAdds?.(node) ?? 0 : 0;
  };
  const x = input([2, 7, 8, 6], "x"), w = variable([3, 2, 3, 10], "w");
  const y = conv2d(x, w, { stride: [2, 1], padding: 1, groups: 2 });
  assert.equal(cost(y), 2 * 4 * 9 * 10 * (3 * 2 * 3));
  const a = input([5, 4, 3], "a"), b = variable([3, 7], "b"), z = matmul(a, b);
  assert.equal(cost(z), 5 * 4 * 3 * 7);
  for (const [product, ...of] of [[y, x, w], [z, a, b]]) {
    for (const dx of grad(sum(product), of)) {
      const costs = ancestors([dx]).map((n) => cost(n.outputs[0])).filter((c) => c > 0);
      assert.deepEqual(costs, [cost(product)], `${dx}`);
    }
  }
});
