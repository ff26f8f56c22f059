/**
 * Every law over every case on every device. Reproduce with the printed seed:
 * `deno test tests/laws -- --seed=N`; `-- --slow` draws 200 instances a case and device.
 */
import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import type { Device } from "../../core/device.ts";
import { ShapeError } from "../../core/errors.ts";
import * as ops from "../../ops/mod.ts";
import type { Instance, LawCase } from "./case.ts";
import { allCases } from "./cases/mod.ts";
import { openTestDevices } from "./devices.ts";
import { checkLaws } from "./run.ts";
import { drawing } from "./drawing.ts";
import { fillers } from "./special.ts";

const { seed, isSlow } = drawing();
console.log(`laws: seed ${seed}`);
const devices = await openTestDevices();

/** Draws per case: a software adapter spends its time on compiling, and each draw is a new kernel. */
const runsOn = ({ kind }: Device): number =>
  kind === "webgpu" ? (isSlow ? 30 : 6) : (isSlow ? 200 : 12);
/** After so long a case draws no more instances; it has had one at least. */
const enoughMs = isSlow ? Infinity : 3000;

async function checkCase(device: Device, { draw }: LawCase): Promise<void> {
  let count = 0;
  const start = performance.now();
  const property = fc.asyncProperty(
    named(draw),
    fc.nat(),
    fillers,
    async (instance, values, special) => {
      if (count > 0 && performance.now() - start > enoughMs) return;
      const unfused = device.kind !== "webgpu" || isSlow || count % 2 === 0;
      await checkLaws(device, instance, values, { unfused, special });
      count++;
    },
  );
  await fc.assert(property, { numRuns: runsOn(device), seed });
}

/** Instances print as their label in a report. */
const named = (draw: fc.Arbitrary<Instance>): fc.Arbitrary<Instance> =>
  draw.map((instance) => ({ ...instance, [fc.toStringMethod]: () => instance.label }));

for (const law of allCases) {
  devices.test(`laws: ${law.name}`, (device) => checkCase(device, law));
  if (!law.refuses) continue;
  Deno.test(`laws: ${law.name} refuses what does not fit`, () => {
    for (const { call, message } of law.refuses!) {
      assert.throws(call, (error) => error instanceof ShapeError && message.test(error.message));
    }
  });
}

Deno.test("laws: every exported operation is covered by a case", () => {
  const covered = new Set(allCases.flatMap((law) => law.covers));
  const exported = Object.entries(ops).filter(([, value]) => typeof value === "function");
  assert.deepEqual(exported.map(([name]) => name).filter((name) => !covered.has(name)), []);
  const names = new Set(exported.map(([name]) => name));
  assert.deepEqual([...covered].filter((name) => !names.has(name)), [], "cases cover what is gone");
});

/** Operations without the law of special values, and why. */
const ordinaryOnly: Readonly<Record<string, string>> = {
  conv2d: "its padding of zeros meets the filter, and Winograd's sums mix neighbours",
  convTranspose2d: "so do those of its gradient",
  labelRank: "its own law has NaN among the logits",
  topKHits: "so has its law",
  pixels: "it takes bytes",
  uniform: "it takes counters",
};

Deno.test("laws: every exported operation meets special values, or says why not", () => {
  const meets = allCases.filter(({ draw }) =>
    fc.sample(draw, { numRuns: 20, seed }).some((instance) => instance.special)
  );
  const met = new Set([...meets.flatMap((law) => law.covers), ...Object.keys(ordinaryOnly)]);
  const exported = Object.entries(ops).filter(([, value]) => typeof value === "function");
  assert.deepEqual(exported.map(([name]) => name).filter((name) => !met.has(name)), []);
});
