/** What is drawn in graphs: good enough to drop by, and the same however a batch is cut. */
import assert from "node:assert/strict";
import { input } from "../../core/structure.ts";
import { siteKey, uniform } from "../../ops/uniform.ts";
import { uniformAt } from "../reference/uniform.ts";
import { openTestDevices } from "./devices.ts";

const devices = await openTestDevices();
const count = 1 << 17;

const drawn = (seed: number, site: number, step: number, first = 0): Float64Array => {
  const key = siteKey(seed, site);
  return Float64Array.from({ length: count }, (_, k) => uniformAt(key, step, first + k));
};

/** Five standard errors: by chance one number in two million lies further out. */
function within(value: number, expected: number, error: number, what: string): void {
  assert(Math.abs(value - expected) < 5 * error, `${what}: ${value}, ${expected} is expected`);
}

const mean = (list: Float64Array): number => list.reduce((sum, v) => sum + v, 0) / list.length;

/** Of numbers that are uniform: their mean and variance are known. */
const correlation = (a: Float64Array, b: Float64Array): number =>
  12 * mean(a.map((v, k) => (v - 0.5) * (b[k] - 0.5)));

const streams = [[0, 0, 0], [1, 0, 0], [1, 7, 0], [1, 7, 123_456], [2 ** 53 - 1, 500, 2 ** 32 - 1]];

Deno.test("uniform: mean, variance and every bit are as they should be", () => {
  for (const [seed, site, step] of streams) {
    const what = `seed ${seed}, place ${site}, step ${step}`, list = drawn(seed, site, step);
    within(mean(list), 0.5, Math.sqrt(1 / 12 / count), `${what}, mean`);
    const variance = mean(list.map((v) => (v - 0.5) ** 2));
    within(variance, 1 / 12, Math.sqrt(1 / 180 / count), `${what}, variance`);
    for (let bit = 1; bit <= 24; bit++) {
      const ones = mean(list.map((v) => Math.floor(v * 2 ** bit) % 2));
      within(ones, 0.5, 0.5 / Math.sqrt(count), `${what}, bit ${bit}`);
    }
    // χ² of 256 equal bins, of the upper and of the lower bits: mean 255, variance 2·255.
    for (const scale of [2 ** 8, 2 ** 24]) {
      const bins = new Float64Array(256);
      for (const v of list) bins[Math.floor(v * scale) % 256]++;
      const expected = count / 256;
      const chi = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      within(chi, 255, Math.sqrt(510), `${what}, χ²`);
    }
  }
});

Deno.test("uniform: neighbours, steps, places and seeds are not correlated", () => {
  const error = 1 / Math.sqrt(count);
  for (const [seed, site, step] of streams) {
    const list = drawn(seed, site, step), what = `seed ${seed}, place ${site}, step ${step}`;
    const others: [string, Float64Array][] = [
      ...[1, 2, 3, 4, 64, 1280].map((lag): [string, Float64Array] => [
        `neighbours ${lag} apart`,
        drawn(seed, site, step, lag),
      ]),
      ["steps", drawn(seed, site, (step + 1) % 2 ** 32)],
      ["places", drawn(seed, site + 1, step)],
      ["seeds", drawn(seed === 0 ? 1 : seed - 1, site, step)],
      ["seeds in the upper word", drawn((seed + 2 ** 32) % 2 ** 53, site, step)],
    ];
    for (const [name, other] of others) {
      within(correlation(list, other), 0, error, `${what}: ${name}`);
    }
  }
});

Deno.test("uniform: every place of a training has a key of its own", () => {
  const keys = new Set<string>();
  for (const seed of [0, 1, 2, 2 ** 32, 2 ** 53 - 1]) {
    for (let site = 0; site < 2_000; site++) keys.add(siteKey(seed, site).join());
  }
  assert.equal(keys.size, 10_000);
});

devices.test("uniform: micro-batches draw what the whole batch draws", async (device) => {
  const counter = input([2], "step", "u32"), site = { seed: 3, site: 2, counter };
  const draw = async (examples: number, step: number, first: number): Promise<number[]> => {
    const u = uniform([examples, 3, 5], site);
    using plan = await device.compile({ outputs: [u] });
    plan.run([[counter, Uint32Array.of(step, first)]]);
    return [...await plan.read(u)];
  };
  const whole = await draw(6, 9, 0);
  assert.deepEqual([...await draw(4, 9, 0), ...await draw(2, 9, 4)], whole);
  assert.notDeepEqual(await draw(6, 10, 0), whole);
});
