/** Learning-rate schedules: PyTorch's one-cycle factor for factor, and the laws of the others. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { constant, cosine, oneCycle, type Schedule, schedules } from "../../train/schedule.ts";
import { assertClose } from "../assert.ts";

const fixture = new URL("../fixtures/optimizers/one_cycle.json", import.meta.url);
const recorded = JSON.parse(await Deno.readTextFile(fixture)) as Record<string, number[]>;

const factors = (schedule: Schedule, total: number): number[] =>
  Array.from({ length: total }, (_, step) => schedule(step, total));

Deno.test("schedules: oneCycle is PyTorch's OneCycleLR", () => {
  assert.deepEqual(Object.keys(recorded), ["2", "3", "7", "10", "33", "100"]);
  for (const [total, expected] of Object.entries(recorded)) {
    const what = `the factor of ${total} steps`;
    assertClose(factors(oneCycle, Number(total)), expected, { rtol: 1e-12, atol: 1e-15, what });
  }
});

Deno.test("schedules: every factor is a number from 0 to 1, however long the run", () => {
  for (const [name, schedule] of Object.entries(schedules)) {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), (total) => {
        for (const factor of factors(schedule, total)) {
          assert(factor >= 0 && factor <= 1 + 1e-12, `${name} of ${total} steps gives ${factor}`);
        }
      }),
      { numRuns: 50 },
    );
  }
});

Deno.test("schedules: cosine rises in equal steps over the first 5 %, then falls towards 0", () => {
  const found = factors(cosine, 200);
  assertClose(found.slice(0, 10), Array.from({ length: 10 }, (_, k) => (k + 1) / 11), {
    rtol: 1e-12,
  });
  assert.equal(found[10], 1);
  assertClose([found[105]], [0.5], { rtol: 1e-12 });
  for (let k = 11; k < 200; k++) assert(found[k] < found[k - 1], `step ${k}`);
  assert(found[199] > 0 && found[199] < 1e-3);
});

Deno.test("schedules: constant is the base rate", () => {
  assert.deepEqual(factors(constant, 5), [1, 1, 1, 1, 1]);
});
