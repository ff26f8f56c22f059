import assert from "node:assert/strict";
import { ShapeError } from "../../core/errors.ts";
import { grad } from "../../core/grad.ts";
import { applyOne, type MapOp, type Tensor } from "../../core/graph.ts";
import { arg } from "../../core/expr.ts";
import { f32 } from "../../core/shape.ts";
import { full, input, reshape, tensor, variable } from "../../core/structure.ts";
import { add, exp, greater, max, mul, sin, sub, sum } from "../../ops/mod.ts";
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
