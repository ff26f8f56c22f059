/** Laws of batches: order, padding, resuming, prefetching; and of labelled pictures in memory. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError, ShapeError, UsageError } from "../../core/errors.ts";
import { holdOut, PackedPictures } from "../../data/pictures.ts";
import {
  type Batch,
  batchCount,
  batches,
  type BatchOptions,
  epochOrder,
  ignoredLabel,
  type Source,
} from "../../data/source.ts";
import { epochFlips } from "./support.ts";
import { squares } from "../end_to_end/classifiers.ts";

/** Pictures whose every byte differs from its neighbours'; labels are the indices. */
function makePictures(
  size: number,
  width: number,
  height: number,
  channels: 1 | 3,
): PackedPictures {
  const length = size * width * height * channels;
  return new PackedPictures({
    ...{ width, height, channels },
    images: Uint8Array.from({ length }, (_, i) => i * 37 + 11),
    labels: Int32Array.from({ length: size }, (_, i) => i),
  });
}

const collect = (source: Source, options: BatchOptions): Promise<Batch[]> =>
  Array.fromAsync(batches(source, options));

/** What one pixel of one picture must become, read off the definition. */
function expectedPixel(
  { packed: { width, height, channels, images } }: PackedPictures,
  index: number,
  side: number,
  y: number,
  x: number,
  flip: boolean,
): number[] {
  const v = y - Math.floor((side - height) / 2);
  const u = x - Math.floor((side - width) / 2);
  if (v < 0 || v >= height || u < 0 || u >= width) return [0, 0, 0, 255];
  const at = ((index * height + v) * width + (flip ? width - 1 - u : u)) * channels;
  const rgb = channels === 3 ? [...images.subarray(at, at + 3)] : new Array(3).fill(images[at]);
  return [...rgb, 255];
}

const cases = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  side: fc.integer({ min: 1, max: 6 }),
  channels: fc.constantFrom(1 as const, 3 as const),
  batchSize: fc.integer({ min: 1, max: 5 }),
  border: fc.integer({ min: 0, max: 3 }),
  shuffle: fc.boolean(),
  flip: fc.boolean(),
  seed: fc.integer({ min: 0, max: 2 ** 40 }),
  epoch: fc.integer({ min: 0, max: 100 }),
  prefetch: fc.integer({ min: 0, max: 4 }),
}).map(({ size, side, channels, border, flip, ...rest }) => {
  const pictures = makePictures(size, side, side, channels), { seed } = rest;
  const source = pictures.source(squares(side + border, side), {
    ...{ augmentation: flip ? [{ kind: "horizontal-flip" }] : [], seed },
  });
  const options: BatchOptions = { ...rest, last: "pad" };
  return { pictures, source, options, flip, side: side + border };
});

/** Runs a property over {@link cases}. */
const holds = (law: (c: typeof cases extends fc.Arbitrary<infer T> ? T : never) => Promise<void>) =>
  fc.assert(fc.asyncProperty(cases, law));

Deno.test("every pixel of every batch is the picture's, mirrored and centred on opaque black", async () => {
  await holds(async ({ pictures, source, options, flip, side }) => {
    const { batchSize, seed = 0, epoch = 0 } = options;
    const flips = epochFlips(pictures.size, seed, epoch);
    for (const { fields: { pixels, labels }, valid } of await collect(source, options)) {
      const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset);
      for (let slot = 0; slot < valid; slot++) {
        const mirrored = flip && flips[labels[slot]] === 1;
        for (let i = 0; i < side * side; i++) {
          const at = (slot * side * side + i) * 4, y = Math.floor(i / side), x = i % side;
          const expected = expectedPixel(pictures, labels[slot], side, y, x, mirrored);
          assert.deepEqual([...bytes.subarray(at, at + 4)], expected);
        }
      }
      assert.deepEqual(
        [...labels.subarray(valid)],
        new Array(batchSize - valid).fill(ignoredLabel),
      );
      assert.ok(pixels.subarray(valid * side * side).every((pixel) => pixel === 0xff000000));
    }
  });
});

Deno.test("an epoch shows every example once, in the order of epochOrder", async () => {
  await holds(async ({ pictures, source, options }) => {
    const seen = (await collect(source, options)).flatMap(
      ({ fields, valid }) => [...fields.labels.subarray(0, valid)],
    );
    const { seed = 0, epoch = 0, shuffle } = options;
    const order = shuffle ? [...epochOrder(pictures.size, seed, epoch)] : [...pictures.labels];
    assert.deepEqual(seen, order);
    assert.deepEqual(seen.toSorted((a, b) => a - b), [...pictures.labels]);
  });
});

Deno.test("the batch size changes neither order nor flips, and dropping cuts only the end", async () => {
  await holds(async ({ pictures, source, options, side }) => {
    const stream = async (batchSize: number, last: "drop" | "pad") => {
      const all = await collect(source, { ...options, batchSize, last });
      return all.flatMap((
        { fields, valid },
      ) => [...fields.pixels.subarray(0, valid * side * side)]);
    };
    const whole = await stream(pictures.size, "pad");
    assert.deepEqual(await stream(options.batchSize, "pad"), whole);
    if (options.batchSize > pictures.size) return;
    const kept = batchCount(pictures.size, options.batchSize, "drop") * options.batchSize;
    assert.deepEqual(await stream(options.batchSize, "drop"), whole.slice(0, kept * side ** 2));
  });
});

Deno.test("starting at a batch equals skipping the ones before it", async () => {
  await fc.assert(fc.asyncProperty(cases, fc.nat(12), async ({ source, options }, start) => {
    const all = await collect(source, options), startBatch = Math.min(start, all.length);
    assert.deepEqual(await collect(source, { ...options, startBatch }), all.slice(startBatch));
  }));
});

Deno.test("a subset is the pictures it names, whatever it is a subset of", async () => {
  const whole = makePictures(9, 2, 2, 3), some = whole.subset(Uint32Array.of(7, 2, 4, 4));
  const fewer = some.subset(Uint32Array.of(3, 0));
  assert.deepEqual([...some.labels, ...fewer.labels], [7, 2, 4, 4, 4, 7]);
  const preparation = squares(2);
  const [a] = await collect(fewer.source(preparation), { batchSize: 2, last: "pad" });
  const b = await whole.source(preparation).batch(Uint32Array.of(4, 7), 0);
  assert.deepEqual(a.fields, b);
});

Deno.test("pictures that are not there are refused, by a subset too", () => {
  const whole = makePictures(5, 2, 2, 3), some = whole.subset(Uint32Array.of(3, 1));
  const message =
    "Cannot take a picture: its index is 2, a whole number from 0 to below 2 is wanted";
  assert.throws(() => some.image(2), { name: "ShapeError", message });
  assert.throws(() => some.subset(Uint32Array.of(0, 2)), { name: "ShapeError", message });
  assert.throws(() => new PackedPictures(whole.packed, Uint32Array.of(5)), /its index is 5/);
});

Deno.test("a short last batch stays short where it is asked for", async () => {
  await holds(async ({ source, options }) => {
    const padded = await collect(source, options);
    const short = await collect(source, { ...options, last: "short" });
    assert.deepEqual(short.map(({ valid }) => valid), padded.map(({ valid }) => valid));
    for (const [k, { fields, valid }] of short.entries()) {
      assert.deepEqual(fields.labels, padded[k].fields.labels.subarray(0, valid));
    }
  });
});

Deno.test("order and flips differ between epochs and seeds, and about half is mirrored", () => {
  const n = 4096;
  for (const [seed, epoch] of [[0, 1], [1, 0]]) {
    assert.notDeepEqual(epochOrder(n, seed, epoch), epochOrder(n, 0, 0));
    const a = epochFlips(n, 0, 0), b = epochFlips(n, seed, epoch);
    // Four standard deviations of a binomial law with n = 4096, p = 1/2.
    const near = (count: number) => assert.ok(Math.abs(count - n / 2) < 4 * 32, `${count}`);
    near(b.reduce((sum, flip) => sum + flip, 0));
    near(b.reduce((sum, flip, i) => sum + (flip === a[i] ? 1 : 0), 0));
  }
});

Deno.test("the next batches are asked for while one is in use, and no more", async () => {
  const asked: number[] = [];
  const source: Source = {
    size: 10,
    batch(indices) {
      asked.push(indices[0] / 2);
      return Promise.resolve({ x: Float32Array.from(indices) });
    },
  };
  for (const [prefetch, wanted] of [[0, [0]], [1, [0, 1]], [3, [0, 1, 2, 3]]] as const) {
    asked.length = 0;
    for await (const _ of batches(source, { batchSize: 2, last: "drop", prefetch })) break;
    assert.deepEqual(asked, wanted);
  }
});

Deno.test("an error of a source is raised at its batch; nobody waits for it after a break", async () => {
  const source: Source = {
    size: 6,
    batch: (indices) =>
      indices[0] === 2
        ? Promise.reject(new DataError("Cannot read b.png: it is torn"))
        : Promise.resolve({ x: new Float32Array(2) }),
  };
  const options = { batchSize: 2, last: "drop" } as const;
  let seen = 0;
  for await (const _ of batches(source, options)) break;
  const all = async () => {
    for await (const _ of batches(source, options)) seen++;
  };
  await assert.rejects(all(), /b\.png/);
  assert.equal(seen, 1);
});

Deno.test("what cannot be batched is refused, at the call or at its batch", async () => {
  const source = makePictures(3, 4, 4, 1).source(squares(4));
  const options = { batchSize: 2, last: "drop" } as const;
  const refuses = (change: Partial<BatchOptions>, message: RegExp) =>
    assert.throws(() => batches(source, { ...options, ...change }), (thrown) => {
      assert.ok(thrown instanceof UsageError);
      assert.match(thrown.message, message);
      return true;
    });
  refuses({ batchSize: 4 }, /from 3 examples, a batch size of at most 3 is wanted$/);
  refuses({ batchSize: 0 }, /of 0 examples/);
  assert.throws(
    () => batches({ ...source, size: 0 }, { ...options, last: "pad" }),
    /^UsageError: Cannot make batches from 0 examples, 1 or more are wanted$/,
  );
  refuses({ startBatch: 2 }, /0 to 1 are wanted/);
  const torn: Source = { size: 4, batch: () => Promise.resolve({ x: new Float32Array(3) }) };
  await assert.rejects(collect(torn, options), (error) => {
    assert(error instanceof ShapeError, `${error}`);
    assert.match(error.message, /3 elements of x for 2 examples, a multiple is wanted$/);
    return true;
  });
  assert.throws(
    () => new PackedPictures({ ...makePictures(2, 2, 2, 1).packed, labels: new Int32Array(3) }),
    /Cannot use 3 pictures of 2×2×1: they have 8 bytes, 12 are wanted/,
  );
});

Deno.test("held out: the same share of each class, always the same pictures, none lost", () => {
  const labels = Int32Array.from({ length: 110 }, (_, k) => k < 80 ? 0 : k < 100 ? 1 : 2);
  const packed = { width: 1, height: 1, channels: 1, images: new Uint8Array(110), labels } as const;
  const pictures = new PackedPictures({ ...packed, images: packed.images.map((_, k) => k) });
  const { rest, held } = holdOut(pictures, 0.25);
  assert(held instanceof PackedPictures && rest instanceof PackedPictures);
  const count = (of: Int32Array, label: number) => of.filter((l) => l === label).length;
  assert.deepEqual([0, 1, 2].map((label) => count(held.labels, label)), [20, 5, 3]);
  const bytes = (p: PackedPictures) => Array.from({ length: p.size }, (_, k) => p.image(k)[0]);
  assert.deepEqual([...bytes(rest), ...bytes(held)].sort((a, b) => a - b), bytes(pictures));
  const again = holdOut(pictures, 0.25).held;
  assert.deepEqual(again instanceof PackedPictures && bytes(again), bytes(held));
  assert.equal(holdOut(pictures, 0).held, undefined);
  assert.equal(holdOut(pictures, 0).rest, pictures);
  // However small a class and large the share, something of it is left to learn from.
  const few = pictures.subset(Uint32Array.of(0, 80, 81, 100)), parts = holdOut(few, 0.9);
  assert.deepEqual([...parts.rest.labels].sort(), [0, 1, 2]);
  assert.deepEqual([...parts.held?.labels ?? []], [1]);
  for (const share of [1, -0.1, NaN]) assert.throws(() => holdOut(pictures, share), UsageError);
});
