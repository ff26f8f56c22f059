/** `plan.explain()`: every step, what it reads and writes, and the bytes. */
import assert from "node:assert/strict";
import { partsOf } from "../../core/plan/plan.ts";
import { Store } from "../../core/store.ts";
import { full, input, variable } from "../../core/structure.ts";
import { add, mul, sub } from "../../ops/mod.ts";
import { fakeDevice, reverse } from "./support.ts";

Deno.test("explain lists steps, buffers and bytes", async () => {
  const { device } = fakeDevice();
  const x = input([250_000], "x"), w = variable([250_000], "fc.weight");
  const b = variable([250_000], "fc.bias");
  using store = new Store(device, [w, b]);
  const next = sub(w, mul(x, 0.1)), late = add(reverse(next), w);
  using plan = await device.compile(
    { outputs: [late, full(1, [2])], updates: [[w, next], [b, x]] },
    { stores: [store] },
  );
  const lines = plan.explain().split("\n"),
    table = lines.slice(0, partsOf(plan).schedule.steps.length);
  for (const [k, step] of partsOf(plan).schedule.steps.entries()) {
    assert(table[k].startsWith(`${k}`.padStart(4) + `  ${step.label} `), table[k]);
    assert.match(table[k], / (b\d+(\+\d+)? )+← (b\d+(\+\d+)?( |$))+|← constants$/);
  }
  assert.equal(table.filter((line) => line.includes("copy into fc.weight")).length, 1);
  assert(table.some((line) => /full +b\d ← constants$/.test(line)));
  // The second variable of a block starts behind the first.
  assert(table.some((line) => /copy into fc\.bias +b\d\+1000192 ← b\d$/.test(line)));
  assert.deepEqual(lines.slice(table.length), [
    `steps ${table.length}, kernels ${table.length}`,
    "buffers: 3 slot 2.00 MB, 1 input 1.00 MB, 1 store 2.00 MB, scratch 0.00 MB",
    "planned 2.00 MB of 3.00 MB unshared",
  ]);
});
