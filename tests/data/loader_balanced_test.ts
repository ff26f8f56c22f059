/** Laws of balanced sampling. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { ShapeError } from "../../core/errors.ts";
import { balanced } from "../../data/balanced.ts";
import type { Source } from "../../data/source.ts";

/** A source that tells what it was asked for: the example, and two numbers of the epoch. */
function telling(size: number): Source {
  return {
    size,
    padding: { example: 7 },
    batch: (indices, epoch) =>
      Promise.resolve({
        example: indices.slice(),
        epochs: Float32Array.from({ length: 2 * indices.length }, (_, k) => epoch + k % 2 / 2),
      }),
  };
}

const labelled = fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 1, maxLength: 40 })
  .filter((labels) => labels.some((label) => label >= 0))
  .map((labels) => Int32Array.from(labels));

/** All slots of an epoch, in batches of some size. */
async function epochOf(source: Source, epoch: number, batchSize: number) {
  const examples: number[] = [], epochs: number[] = [];
  for (let from = 0; from < source.size; from += batchSize) {
    const length = Math.min(batchSize, source.size - from);
    const slots = Uint32Array.from({ length }, (_, k) => from + k);
    const fields = await source.batch(slots, epoch);
    examples.push(...fields.example);
    epochs.push(...fields.epochs);
  }
  return { examples, epochs };
}

const countsOf = (items: Iterable<number>): Map<number, number> =>
  new Map([...Map.groupBy(items, (item) => item)].map(([item, all]) => [item, all.length]));
const spread = (counts: Iterable<number>): number => {
  const all = [...counts];
  return Math.max(...all) - Math.min(...all);
};

Deno.test("balanced: classes are equally frequent, and so are the examples of each", async () => {
  await fc.assert(fc.asyncProperty(labelled, fc.nat(5), fc.nat(3), async (labels, seed, epoch) => {
    const source = balanced(telling(labels.length), labels, seed);
    const { examples } = await epochOf(source, epoch, 6), byExample = countsOf(examples);
    assert.equal(examples.length, labels.length);
    const classes = new Set(labels.filter((label) => label >= 0));
    const byClass = countsOf(examples.map((k) => labels[k]));
    assert(spread([...classes].map((label) => byClass.get(label) ?? 0)) <= 1);
    for (const label of classes) {
      const own = [...labels.keys()].filter((k) => labels[k] === label);
      assert(spread(own.map((k) => byExample.get(k) ?? 0)) <= 1);
    }
    assert(!byClass.has(-1), "what has no class is left out");
  }));
});

Deno.test("balanced: a pure function of seed and epoch, whatever was asked before", async () => {
  await fc.assert(fc.asyncProperty(labelled, fc.nat(5), async (labels, seed) => {
    const one = balanced(telling(labels.length), labels, seed);
    const other = balanced(telling(labels.length), labels, seed);
    await epochOf(one, 0, 4);
    assert.deepEqual(await epochOf(one, 1, 4), await epochOf(other, 1, 9));
  }));
});

Deno.test("balanced: an example that comes again is drawn under a new number of an epoch", async () => {
  const labels = Int32Array.of(0, 0, 0, 0, 0, 0, 0, 1, 1), source = balanced(telling(9), labels);
  const { examples, epochs } = await epochOf(source, 3, 9);
  const asked = new Set(examples.map((example, k) => `${example} ${epochs[2 * k]}`));
  assert.equal(asked.size, 9, "no example twice under one number");
  examples.forEach((_, k) => assert.equal(epochs[2 * k + 1] - epochs[2 * k], 0.5));
  assert.deepEqual(source.padding, { example: 7 });
  const orders = [0, 1].map(async (epoch) => (await epochOf(source, epoch, 9)).examples);
  assert.notDeepEqual(await orders[0], await orders[1]);
});

Deno.test("balanced: labels that do not fit are refused", () => {
  assert.throws(() => balanced(telling(3), Int32Array.of(0, 1)), ShapeError);
  assert.throws(() => balanced(telling(1), Int32Array.of(-100)), ShapeError);
});
