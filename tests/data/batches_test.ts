/** Laws of the loader: order, flips, padding, resuming. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { ShapeError, UsageError } from "../../core/errors.ts";
import { batchCount, batches, epochFlips, epochOrder, ignoredLabel } from "../../data/batches.ts";
import type { Batch, BatchOptions } from "../../data/batches.ts";
import type { Split } from "../../data/dataset.ts";

/** Images whose every byte differs from its neighbours'; labels are the indices. */
function makeSplit(size: number, width: number, height: number, channels: 1 | 3): Split {
  const images = Uint8Array.from(
    { length: size * width * height * channels },
    (_, i) => i * 37 + 11,
  );
  return {
    size,
    width,
    height,
    channels,
    images,
    labels: Int32Array.from({ length: size }, (_, i) => i),
  };
}

/** Copies of all batches: the arrays of a batch live only until the one after the next. */
function collect(split: Split, options: BatchOptions): Batch[] {
  const copies: Batch[] = [];
  for (const { pixels, labels, valid } of batches(split, options)) {
    copies.push({ pixels: pixels.slice(), labels: labels.slice(), valid });
  }
  return copies;
}

/** What one pixel of one image must become, read off the definition. */
function expectedPixel(
  split: Split,
  index: number,
  side: number,
  y: number,
  x: number,
  flip: boolean,
): number[] {
  const { width, height, channels, images } = split;
  const v = y - Math.floor((side - height) / 2);
  const u = x - Math.floor((side - width) / 2);
  if (v < 0 || v >= height || u < 0 || u >= width) return [0, 0, 0, 255];
  const at = ((index * height + v) * width + (flip ? width - 1 - u : u)) * channels;
  const rgb = channels === 3 ? [...images.subarray(at, at + 3)] : new Array(3).fill(images[at]);
  return [...rgb, 255];
}

const splits = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  width: fc.integer({ min: 1, max: 6 }),
  height: fc.integer({ min: 1, max: 6 }),
  channels: fc.constantFrom(1 as const, 3 as const),
}).map(({ size, width, height, channels }) => makeSplit(size, width, height, channels));

const cases = fc.record({
  split: splits,
  batchSize: fc.integer({ min: 1, max: 5 }),
  border: fc.integer({ min: 0, max: 3 }),
  shuffle: fc.boolean(),
  flip: fc.boolean(),
  seed: fc.integer({ min: 0, max: 2 ** 40 }),
  epoch: fc.integer({ min: 0, max: 100 }),
}).map(({ split, border, ...rest }) => {
  const options: BatchOptions = {
    ...rest,
    imageSize: Math.max(split.width, split.height) + border,
    last: "pad",
  };
  return { split, options };
});

Deno.test("every pixel of every batch is the image's, mirrored and centred on opaque black", () => {
  fc.assert(fc.property(cases, ({ split, options }) => {
    const { imageSize: side, batchSize, seed = 0, epoch = 0 } = options;
    const flips = epochFlips(split.size, seed, epoch);
    for (const { pixels, labels, valid } of collect(split, options)) {
      const bytes = new Uint8Array(pixels.buffer);
      for (let slot = 0; slot < valid; slot++) {
        const flip = options.flip === true && flips[labels[slot]] === 1;
        for (let i = 0; i < side * side; i++) {
          const at = (slot * side * side + i) * 4, y = Math.floor(i / side), x = i % side;
          const expected = expectedPixel(split, labels[slot], side, y, x, flip);
          assert.deepEqual([...bytes.subarray(at, at + 4)], expected);
        }
      }
      assert.deepEqual(
        [...labels.subarray(valid)],
        new Array(batchSize - valid).fill(ignoredLabel),
      );
      assert.ok(pixels.subarray(valid * side * side).every((pixel) => pixel === 0xff000000));
    }
  }));
});

Deno.test("an epoch shows every image once, in the order of epochOrder", () => {
  fc.assert(fc.property(cases, ({ split, options }) => {
    const seen = collect(split, options).flatMap((
      { labels, valid },
    ) => [...labels.subarray(0, valid)]);
    const { seed = 0, epoch = 0, shuffle } = options;
    const order = shuffle ? [...epochOrder(split.size, seed, epoch)] : [...split.labels];
    assert.deepEqual(seen, order);
    assert.deepEqual(seen.toSorted((a, b) => a - b), [...split.labels]);
  }));
});

Deno.test("the batch size changes neither order nor flips, and dropping cuts only the end", () => {
  fc.assert(fc.property(cases, ({ split, options }) => {
    const stream = (batchSize: number, last: "drop" | "pad") => {
      const side = options.imageSize;
      const all = collect(split, { ...options, batchSize, last });
      return all.flatMap(({ pixels, valid }) => [...pixels.subarray(0, valid * side * side)]);
    };
    const whole = stream(split.size, "pad");
    assert.deepEqual(stream(options.batchSize, "pad"), whole);
    if (options.batchSize > split.size) return;
    const kept = batchCount(split.size, options.batchSize, "drop") * options.batchSize;
    assert.deepEqual(
      stream(options.batchSize, "drop"),
      whole.slice(0, kept * options.imageSize ** 2),
    );
  }));
});

Deno.test("starting at a batch equals skipping the ones before it", () => {
  fc.assert(fc.property(cases, fc.nat(12), ({ split, options }, start) => {
    const all = collect(split, options), startBatch = Math.min(start, all.length);
    assert.deepEqual(collect(split, { ...options, startBatch }), all.slice(startBatch));
  }));
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

Deno.test("a batch stays as it is while the next one is made", () => {
  const walk = batches(makeSplit(6, 2, 2, 1), { batchSize: 2, imageSize: 4, last: "drop" });
  const first = walk.next().value as Batch, pixels = first.pixels.slice();
  const second = walk.next().value as Batch;
  assert.deepEqual(first.pixels, pixels);
  assert.deepEqual([...first.labels], [0, 1]);
  assert.deepEqual([...second.labels], [2, 3]);
  walk.next();
  assert.deepEqual([...first.labels], [4, 5]); // documented: overwritten by the one after that
});

Deno.test("what cannot be batched is refused at the call", () => {
  const split = makeSplit(3, 4, 4, 1),
    options = { batchSize: 2, imageSize: 4, last: "drop" } as const;
  const refuses = (
    change: Partial<BatchOptions>,
    error: typeof ShapeError | typeof UsageError,
    message: RegExp,
  ) =>
    assert.throws(() => batches(split, { ...options, ...change }), (thrown) => {
      assert.ok(thrown instanceof error);
      assert.match(thrown.message, message);
      return true;
    });
  refuses(
    { imageSize: 3 },
    ShapeError,
    /^Cannot make batches: images are 4×4, at most 3×3 is wanted$/,
  );
  refuses({ batchSize: 4 }, UsageError, /from 3 images, a batch size of at most 3 is wanted$/);
  refuses({ batchSize: 0 }, UsageError, /of 0 images/);
  refuses({ startBatch: 2 }, UsageError, /0 to 1 are wanted/);
});
