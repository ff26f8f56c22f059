/** Memory: values that are not alive at once share it, and nothing else does. */
import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import { assignSlots, type BufferUse } from "../../core/plan/memory.ts";
import { arg } from "../../core/expr.ts";
import { checkReads } from "../../core/plan/check.ts";
import type { Draft } from "../../core/plan/draft.ts";
import type { BufferRange } from "../../core/plan/buffer_range.ts";
import type { Step } from "../../core/plan/steps.ts";
import type { PlanBuffer } from "../../core/plan/buffers.ts";
import { input } from "../../core/structure.ts";
import type { Tensor } from "../../core/graph.ts";
import { add, expand, mul, tanh } from "../../ops/mod.ts";
import { fakeDevice, reverse, runPlan } from "./support.ts";

const slot = (bytes: number, label = ""): PlanBuffer => ({ kind: "slot", bytes, label });
const use = (reads: PlanBuffer[], writes: PlanBuffer[], inPlace = false): BufferUse => ({
  reads: new Set(reads),
  writes: new Set(writes),
  // The planner names such pairs only where both have as many bytes.
  overwrites: inPlace
    ? reads.flatMap((r) => writes.flatMap((w) => r.bytes === w.bytes ? [[r, w] as const] : []))
    : [],
});

/** Random chains of steps: each writes one value and reads some earlier ones. */
const programs = fc.array(
  fc.record({
    bytes: fc.integer({ min: 1, max: 9 }).map((n) => 256 * n),
    reads: fc.array(fc.nat(), { maxLength: 3 }),
    inPlace: fc.boolean(),
  }),
  { minLength: 1, maxLength: 20 },
);

Deno.test("values that are alive together never share a slot", () => {
  fc.assert(fc.property(programs, fc.nat(), (steps, kept) => {
    const values = steps.map(({ bytes }, k) => slot(bytes, `${k}`));
    const uses = steps.map(({ reads, inPlace }, k) =>
      use(k === 0 ? [] : reads.map((n) => values[n % k]), [values[k]], inPlace)
    );
    const keep = values[kept % values.length];
    const { slotOf, bytes } = assignSlots(uses, new Set([keep]), true);
    const last = values.map((v, k) =>
      v === keep ? Infinity : Math.max(k, ...uses.flatMap((u, t) => u.reads.has(v) ? [t] : []))
    );
    for (const [k, v] of values.entries()) {
      assert(bytes[slotOf.get(v)!] >= v.bytes);
      for (let j = 0; j < k; j++) {
        if (slotOf.get(values[j]) !== slotOf.get(v)) continue;
        const gone = last[j] < k, overwritten = last[j] === k && steps[k].inPlace;
        assert(gone || overwritten, `value ${k} overwrites ${j}, which is read at ${last[j]}`);
      }
    }
    const separate = assignSlots(uses, new Set(), false);
    assert.deepEqual(separate.bytes, values.map((v) => v.bytes));
    assert(bytes.reduce((a, b) => a + b) <= separate.bytes.reduce((a, b) => a + b));
  }));
});

Deno.test("the slot that fits best is taken, else the largest grows", () => {
  const [a, b, c, d, e] = [1024, 256, 512, 512, 2048].map((bytes) => slot(bytes));
  const table = assignSlots(
    [use([], [a]), use([], [b]), use([], [c]), use([a, b, c], []), use([], [d]), use([], [e])],
    new Set([d, e]),
    true,
  );
  assert.equal(table.slotOf.get(d), table.slotOf.get(c));
  assert.equal(table.slotOf.get(e), table.slotOf.get(a));
  assert.deepEqual(table.bytes, [2048, 256, 512]);
});

Deno.test("a small value leaves the large slots to large ones", () => {
  const [a, b, c, d, e] = [2048, 512, 1024, 256, 700].map((bytes) => slot(bytes));
  const table = assignSlots(
    [use([], [a]), use([], [b]), use([], [c]), use([a, b, c], []), use([], [d]), use([], [e])],
    new Set([d, e]),
    true,
  );
  assert.equal(table.slotOf.get(d), table.slotOf.get(b));
  assert.equal(table.slotOf.get(e), table.slotOf.get(c));
});

Deno.test("a long chain of kernels needs two buffers, of maps one", async () => {
  const { device } = fakeDevice();
  const x = input([100], "x");
  const chain = (step: (t: Tensor) => Tensor): Tensor => {
    let t = step(x);
    for (let k = 0; k < 9; k++) t = step(t);
    return t;
  };
  using macros = await device.compile({ outputs: [chain(reverse)] });
  assert.equal(macros.plannedBytes, 2 * 400);
  assert.equal(macros.unsharedBytes, 10 * 400);
  using maps = await device.compile({ outputs: [chain(tanh)] }, { fuse: false });
  assert.equal(maps.plannedBytes, 400);
  using debug = await device.compile({ outputs: [chain(tanh)] }, { debug: true });
  assert.equal(debug.plannedBytes, 10 * 400);
});

Deno.test("a map writes over an argument that dies with it, but not over one that repeats", async () => {
  const { device } = fakeDevice();
  const x = input([4], "x"), wide = input([3, 4], "wide");
  const a = reverse(x), row = reverse(x);
  using inPlace = await device.compile({ outputs: [mul(a, 2)] });
  assert.equal(inPlace.plannedBytes, 16);
  using repeated = await device.compile({ outputs: [mul(expand(row, [3, 4]), wide)] });
  assert.equal(repeated.plannedBytes, 16 + 48);
  const feeds = [[x, [1, 2, 3, 4]]] as const;
  assert.deepEqual(await runPlan(inPlace, feeds), [[8, 6, 4, 2]]);
});

Deno.test("a value kept for reading is not overwritten", async () => {
  const { device } = fakeDevice();
  const x = input([4], "x"), a = reverse(x), b = reverse(a), c = reverse(b);
  using plan = await device.compile({ outputs: [a, c] });
  assert.deepEqual(await runPlan(plan, [[x, [1, 2, 3, 4]]]), [[4, 3, 2, 1], [4, 3, 2, 1]]);
  assert.equal(plan.plannedBytes, 3 * 16);
});

Deno.test("the planner's own proof finds a value that was overwritten", () => {
  const x = input([4], "x"), a = tanh(x), b = tanh(a), c = add(a, b);
  const draft = (reads: Tensor[], t: Tensor): Draft => ({
    at: t.node.id,
    label: t.node.label,
    reads,
    writes: [t],
  });
  const prove = (buffers: number[], last: Tensor[]): void => {
    const drafts = [draft([x], a), draft([a], b), draft(last, c)];
    const rangeOf = (t: Tensor): BufferRange => ({
      buffer: buffers[[x, a, b, c].indexOf(t)],
      offset: 0,
      bytes: 16,
    });
    const steps = drafts.map(({ label, reads, writes }): Step => ({
      kind: "map",
      label,
      dims: [4],
      size: 4,
      args: reads.map((t) => ({ range: rangeOf(t), dtype: "f32", strides: [1] })),
      outputs: writes.map((t) => ({ range: rangeOf(t), expr: arg(0) })),
    }));
    checkReads(drafts, steps, rangeOf);
  };
  prove([0, 1, 2, 1], [a, b]);
  assert.throws(() => prove([0, 1, 1, 2], [a, b]), /add would read .*tanh.* overwritten/);
  prove([0, 0, 1, 2], [a, b]);
  assert.throws(() => prove([0, 0, 1, 2], [x, b]), /add would read .*leaf.* overwritten/);
});
