/** Epilogues: which maps a macro operation takes over, and which it must leave. */
import assert from "node:assert/strict";
import { applyOne, type MacroOp, type Tensor } from "../../core/graph.ts";
import { schedule } from "../../core/plan/schedule.ts";
import { input, reshape, variable } from "../../core/structure.ts";
import {
  add,
  batchNormInference,
  exp,
  maximum,
  mul,
  neg,
  relu,
  relu6,
  sub,
  sum,
} from "../../ops/mod.ts";

const noKernel = (): never => {
  throw new Error("This test runs nothing");
};

const offeringOp: MacroOp<void> = {
  kind: "macro",
  name: "product",
  takesEpilogue: true,
  infer: ([x]) => [x],
  wgsl: noKernel,
  wasm: noKernel,
};
const product = (x: Tensor): Tensor => applyOne(offeringOp, [x], undefined);

const x = input([2, 3, 4], "x"), r = input([2, 3, 4], "r"), v = input([4], "v");

/** Kinds of the steps, `+` where a macro step has an epilogue. */
function steps(outputs: readonly Tensor[], epilogues = true, fuse = true): string[] {
  const options = { locate: () => undefined, maxBuffers: 8, epilogues, fuse };
  return schedule({ outputs }, options).steps.map((s) =>
    s.kind === "macro" ? s.node.op.name + (s.epilogue ? "+" : "") : s.kind
  );
}

Deno.test("epilogues: chains of their form are taken whole", () => {
  const y = product(x);
  const taken: Tensor[] = [
    relu(y),
    relu6(y),
    add(y, v),
    add(v, y),
    add(y, r),
    relu(add(add(y, v), r)),
    maximum(add(mul(sub(y, v), v), v), 0.5),
    relu6(add(r, add(mul(v, sub(y, v)), v))),
  ];
  for (const out of taken) assert.deepEqual(steps([out]), ["product+"], `${out}`);
  assert.deepEqual(steps([relu(y)], false), ["product", "map"], "not offered by the backend");
  assert.deepEqual(steps([relu(y)], true, false), ["product", "map"], "fusion is off");
});

Deno.test("epilogues: what has another form stays a map", () => {
  const y = product(x);
  const left: Tensor[] = [
    neg(y),
    mul(y, v),
    sub(v, y),
    sub(y, r),
    mul(sub(y, v), v), // without a shift
    add(y, y),
    mul(y, relu(y)),
    add(y, input([2, 1, 4], "broadcast")),
    add(y, input([1], "one number")),
    add(product(input([3, 4], "small")), r), // grows
  ];
  for (const out of left) assert.deepEqual(steps([out]), ["product", "map"], `${out}`);
});

Deno.test("epilogues: a chain is taken as far as it has the form", () => {
  const y = product(x);
  assert.deepEqual(steps([exp(relu(y))]), ["product+", "map"]);
  assert.deepEqual(steps([add(relu(y), v)]), ["product+", "map"]);
  // A mean without scale and shift is no end, but the bias before it is.
  assert.deepEqual(steps([sub(add(y, v), v)]), ["product+", "map"]);
});

Deno.test("epilogues: values that are read elsewhere are left in memory", () => {
  const y = product(x), biased = add(y, v);
  assert.deepEqual(steps([y, relu(y)]), ["product", "map"]);
  assert.deepEqual(steps([relu(biased), biased]), ["product+", "map"]);
  assert.deepEqual(steps([relu(biased), sum(biased)]).slice(0, 1), ["product+"]);
  assert.deepEqual(steps([relu(y), reshape(y, [24])]), ["product", "map"]);
});

Deno.test("epilogues: of two that meet in a sum, one reads the other's result", () => {
  const scale = (y: Tensor) => add(mul(sub(y, v), v), v);
  const out = relu(add(scale(product(x)), scale(product(r))));
  assert.deepEqual(steps([out]), ["product+", "product+"]);
});

Deno.test("epilogues: the normalisation of an inference plan leaves one map of its scale", () => {
  const [gamma, beta, mean, variance] = ["gamma", "beta", "mean", "variance"].map((name) =>
    input([4], name)
  );
  const out = relu6(batchNormInference(product(x), gamma, beta, mean, variance));
  assert.deepEqual(steps([out]), ["map", "product+"]);
});

Deno.test("epilogues: a step that also reads its target is no update in place", () => {
  const w = variable([2, 3, 4], "w"), buffer = { bytes: 96 };
  const planned = schedule({ outputs: [], updates: [[w, add(product(x), w)]] }, {
    locate: () => ({ buffer, offset: 0, bytes: 96 }),
    maxBuffers: 8,
    epilogues: true,
  });
  assert.deepEqual(planned.steps.map((s) => s.kind), ["macro", "copy"]);
});
