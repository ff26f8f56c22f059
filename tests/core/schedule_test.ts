/** Updates and packs: what is written in place, what is copied, and in which order. */
import assert from "node:assert/strict";
import { ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { partsOf } from "../../core/plan/plan.ts";
import type { Program } from "../../core/plan/program.ts";
import { Store } from "../../core/store.ts";
import { full, input, pack, reshape, tensor, variable } from "../../core/structure.ts";
import { add, mul, neg, sub, sum } from "../../ops/mod.ts";
import { checkRanges } from "./plan_rules.ts";
import {
  assertRejects,
  counting,
  fakeDevice,
  reverse,
  runPlan,
  sumAndDifference,
} from "./support.ts";

/** Two variables in one block, and one in another. */
function setUp() {
  const { device } = fakeDevice();
  const [a, b, c] = ["a", "b", "c"].map((name) => variable([4], name));
  const stores = [new Store(device, [a, b]), new Store(device, [c])];
  stores[0].write(a, counting(a, 1));
  stores[0].write(b, counting(b, 10));
  stores[1].write(c, counting(c, 100));
  const read = async (t: Tensor): Promise<number[]> => [
    ...await stores[t === c ? 1 : 0].read(t),
  ];
  const compile = async (program: Program) => {
    const plan = await device.compile(program, { stores });
    checkRanges(partsOf(plan).schedule, 8);
    return { plan, steps: partsOf(plan).schedule.steps.map((s) => s.kind) };
  };
  return { a, b, c, read, compile, stores, device };
}
const x = input([4], "x"), fed = [[x, [1, 2, 3, 4]]] as const;

Deno.test("an update of a variable by itself happens in place, run after run", async () => {
  const { a, read, compile } = setUp();
  const { plan, steps } = await compile({ outputs: [], updates: [[a, mul(a, 2)]] });
  assert.deepEqual(steps, ["map"]);
  assert.equal(plan.plannedBytes, 0);
  for (let k = 0; k < 3; k++) plan.run();
  assert.deepEqual(await read(a), [8, 16, 24, 32]);
});

Deno.test("readers of the old value come before the update, of the new one after", async () => {
  const { a, read, compile } = setUp();
  const next = add(a, x), early = reverse(a), late = sub(add(reverse(next), x), x);
  const { plan, steps } = await compile({ outputs: [late, early], updates: [[a, next]] });
  assert(!steps.includes("copy"));
  assert.deepEqual(await runPlan(plan, fed), [[8, 6, 4, 2], [4, 3, 2, 1]]);
  assert.deepEqual(await runPlan(plan, fed), [[12, 9, 6, 3], [8, 6, 4, 2]]);
  assert.deepEqual(await read(a), [3, 6, 9, 12]);
});

Deno.test("an old value that is read after the new one is known costs a copy", async () => {
  const { a, read, compile } = setUp();
  const next = add(a, x), change = sub(reverse(next), a);
  const { plan, steps } = await compile({ outputs: [change], updates: [[a, next]] });
  assert.equal(steps.at(-1), "copy");
  assert.deepEqual(await runPlan(plan, fed), [[7, 4, 1, -2]]);
  assert.deepEqual(await read(a), [2, 4, 6, 8]);
});

Deno.test("a kernel that reads its block out of order does not write into it", async () => {
  const { a, b, read, compile } = setUp();
  const { plan, steps } = await compile({
    outputs: [],
    updates: [[a, reverse(a)], [b, add(b, a)]],
  });
  assert(steps.includes("copy"));
  plan.run();
  assert.deepEqual([await read(a), await read(b)], [[4, 3, 2, 1], [11, 13, 15, 17]]);
});

Deno.test("variables that depend on each other change at once", async () => {
  const { a, b, read, compile } = setUp();
  const { plan } = await compile({ outputs: [], updates: [[a, add(a, b)], [b, sub(a, b)]] });
  plan.run();
  assert.deepEqual([await read(a), await read(b)], [[11, 13, 15, 17], [-9, -9, -9, -9]]);
});

Deno.test("a variable may take the old value of one that changes, and two may swap", async () => {
  const { a, b, c, read, compile } = setUp();
  const { plan } = await compile({ outputs: [], updates: [[a, b], [b, add(b, 1)], [c, a]] });
  plan.run();
  plan.run();
  assert.deepEqual(await Promise.all([a, b, c].map(read)), [
    [11, 12, 13, 14],
    [12, 13, 14, 15],
    [10, 11, 12, 13],
  ]);
  const swap = await compile({ outputs: [], updates: [[a, c], [c, a]] });
  swap.plan.run();
  assert.deepEqual([await read(a), await read(c)], [[10, 11, 12, 13], [11, 12, 13, 14]]);
});

Deno.test("updates by a constant, an input, a literal and by itself", async () => {
  const { a, b, c, read, compile } = setUp();
  const { plan } = await compile({
    outputs: [],
    updates: [[a, tensor([5, 6, 7, 8])], [b, x], [c, full(3, [4])]],
  });
  plan.run([[x, counting(x)]]);
  assert.deepEqual(await Promise.all([a, b, c].map(read)), [
    [5, 6, 7, 8],
    [1, 2, 3, 4],
    [3, 3, 3, 3],
  ]);
  const same = await compile({ outputs: [], updates: [[a, a]] });
  same.plan.run();
  assert.deepEqual(await read(a), [5, 6, 7, 8]);
});

Deno.test("one value may update two variables, written in place or copied", async () => {
  for (const isReadLate of [false, true]) {
    const { a, c, read, compile } = setUp();
    const value = mul(x, 2), late = add(reverse(value), isReadLate ? a : 0);
    const { plan } = await compile({ outputs: [late], updates: [[a, value], [c, value]] });
    const wanted = isReadLate ? [9, 8, 7, 6] : [8, 6, 4, 2];
    assert.deepEqual(await runPlan(plan, fed), [wanted]);
    assert.deepEqual([await read(a), await read(c)], [[2, 4, 6, 8], [2, 4, 6, 8]]);
  }
});

Deno.test("one of two results may be an update, the other is read", async () => {
  const { a, read, compile } = setUp();
  const [plus, minus] = sumAndDifference(x, full(1, [4])), old = reverse(a);
  const { plan, steps } = await compile({ outputs: [mul(minus, 10), old], updates: [[a, plus]] });
  assert(!steps.includes("copy"), "who reads the old value comes first");
  assert.deepEqual(await runPlan(plan, fed), [[0, 10, 20, 30], [4, 3, 2, 1]]);
  assert.deepEqual(await read(a), [2, 3, 4, 5]);
});

Deno.test("neighbours without a gap are updated side by side", async () => {
  const { device } = fakeDevice();
  const [a, b] = [variable([64], "a"), variable([64], "b")];
  using store = new Store(device, [a, b]);
  using plan = await device.compile({ outputs: [], updates: [[a, add(a, 1)], [b, add(b, 2)]] }, {
    stores: [store],
  });
  plan.run();
  assert.deepEqual(partsOf(plan).schedule.steps.map((s) => s.kind), ["map", "map"]);
  assert.deepEqual(await store.read(a), new Float32Array(64).fill(1));
  assert.deepEqual(await store.read(b), new Float32Array(64).fill(2));
});

Deno.test("updates that do not fit are refused", async () => {
  const { a, b, compile, stores } = setUp();
  const refuse = (updates: Program["updates"], message: string | RegExp) =>
    assertRejects(compile({ outputs: [], updates }), ShapeError, message);
  await refuse([[x, a]], "Cannot plan an update of Tensor(4, f32, leaf): it is no variable");
  await refuse(
    [[a, reshape(x, [2, 2])]],
    "Cannot plan an update of a: it has shape [4] f32, its new value [2,2] f32",
  );
  await refuse([[a, input([4], "i", "i32")]], /new value \[4\] i32/);
  await refuse([[a, x], [a, b]], /update of a: it shares memory with a/);
  await refuse([[b, x], [stores[0].blocks[0].whole, full(1, [128])]], /shares memory with b/);
});

Deno.test("a variable in no store is named", async () => {
  const { compile } = setUp();
  const lost = variable([4], "fc.bias");
  await assertRejects(
    compile({ outputs: [add(lost, 1)] }),
    ShapeError,
    /the variable fc\.bias lies/,
  );
});

Deno.test("producers write straight into a pack, and its gaps read 0", async () => {
  const { compile } = setUp();
  const p = pack([mul(x, 2), reverse(x)], [0, 128], 192);
  const { plan, steps } = await compile({ outputs: [p] });
  assert.deepEqual(steps, ["map", "macro"]);
  const [values] = await runPlan(plan, fed);
  const wanted = new Array<number>(192).fill(0);
  wanted.splice(0, 4, 2, 4, 6, 8);
  wanted.splice(128, 4, 4, 3, 2, 1);
  assert.deepEqual(values, wanted);
});

Deno.test("what cannot be written into a pack is copied there", async () => {
  const { a, c, read, compile } = setUp();
  const value = mul(x, 2), updated = add(x, 1);
  const members = [x, a, tensor([7, 7, 7, 7]), full(5, [4]), value, value, reshape(updated, [4])];
  const p = pack(members, members.map((_, k) => 64 * k), 64 * members.length);
  const { plan } = await compile({ outputs: [add(p, 0)], updates: [[c, updated]] });
  const [values] = await runPlan(plan, fed);
  const starts = members.map((_, k) => values.slice(64 * k, 64 * k + 4));
  assert.deepEqual(starts, [
    [1, 2, 3, 4],
    [1, 2, 3, 4],
    [7, 7, 7, 7],
    [5, 5, 5, 5],
    [2, 4, 6, 8],
    [2, 4, 6, 8],
    [2, 3, 4, 5],
  ]);
  assert.deepEqual(await read(c), [2, 3, 4, 5]);
});

Deno.test("a kernel that reads one member of a pack does not write the next beside it", async () => {
  const { compile } = setUp();
  const first = mul(x, 2), second = reverse(first), p = pack([first, second], [0, 64], 128);
  const { plan, steps } = await compile({ outputs: [sum(p)] });
  assert(steps.includes("copy"));
  assert.deepEqual(await runPlan(plan, fed), [[40]]);
});

Deno.test("a pack waits for all its members, also for those that wait for an update", async () => {
  const { a, read, compile } = setUp();
  const [plus, minus] = sumAndDifference(a, x), p = pack([minus, neg(x)], [0, 64], 128);
  const { plan } = await compile({ outputs: [mul(p, 10)], updates: [[a, plus]] });
  for (const factor of [0, 1, 2]) {
    const [values] = await runPlan(plan, fed);
    assert.deepEqual(values.slice(0, 4), [0, 0, 0, 0].map((_, k) => 10 * factor * (k + 1)));
    assert.deepEqual(values.slice(64, 68), [-10, -20, -30, -40]);
  }
  assert.deepEqual(await read(a), [4, 8, 12, 16]);
});

Deno.test("a gradient block updates the weight block it belongs to", async () => {
  const { a, b, read, compile, stores } = setUp();
  const [{ whole, offsets, size }] = stores[0].blocks;
  const gradients = pack([mul(x, a), mul(x, b)], offsets, size);
  const { plan, steps } = await compile({
    outputs: [],
    updates: [[whole, sub(whole, mul(gradients, 0.5))]],
  });
  assert(!steps.includes("copy"));
  plan.run([[x, counting(x)]]);
  assert.deepEqual(await read(a), [0.5, 0, -1.5, -4]);
  assert.deepEqual(await read(b), [5, 0, -6, -13]);
});

Deno.test("outputs may be leaves, views and the same value twice", async () => {
  const { a, compile } = setUp();
  const k = tensor([1, 2]), y = add(x, 1);
  const { plan, steps } = await compile({ outputs: [x, k, a, y, reshape(y, [2, 2]), y] });
  assert.equal(steps.length, 1);
  const values = await runPlan(plan, fed);
  assert.deepEqual(values.slice(0, 3), [[1, 2, 3, 4], [1, 2], [1, 2, 3, 4]]);
  for (const v of values.slice(3)) assert.deepEqual(v, [2, 3, 4, 5]);
});
