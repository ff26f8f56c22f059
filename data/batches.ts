/** Batches from a data set in memory: order, flips, padding. */
import { ShapeError, UsageError } from "../core/errors.ts";
import { Random } from "../core/rng.ts";
import type { Split } from "./dataset.ts";

/** Label of a slot without an image; the loss ignores it. */
export const ignoredLabel: number = -100;

/** An opaque black pixel: zeros in R, G and B. */
const black = 0xff000000;

/** Images and labels for one step. */
export interface Batch {
  /** `[batchSize,S,S]`, RGBA8, R in the low byte, alpha 255. */
  readonly pixels: Uint32Array<ArrayBuffer>;
  /** `[batchSize]`; {@link ignoredLabel} from `valid` on. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** Number of images; the slots after them are black. */
  readonly valid: number;
}

/** How {@link batches} goes through a split. */
export interface BatchOptions {
  /** Images a batch. */
  readonly batchSize: number;
  /** Side S of the square images are padded to, in pixels. */
  readonly imageSize: number;
  /** A last batch that is not full: left out (training), or filled up (evaluation). */
  readonly last: "drop" | "pad";
  /** Draw a new order each epoch; without it the split's own order. */
  readonly shuffle?: boolean;
  /** Mirror half of the images left to right, drawn anew each epoch. */
  readonly flip?: boolean;
  /** Seed of order and flips. */
  readonly seed?: number;
  /** Number of the epoch, from 0. */
  readonly epoch?: number;
  /** Batch to begin with, to go on within an epoch. */
  readonly startBatch?: number;
}

/** Order of `n` images in an epoch: a permutation, a pure function of its arguments. */
export function epochOrder(n: number, seed: number, epoch: number): Uint32Array<ArrayBuffer> {
  return new Random(seed, "shuffle", epoch).permutation(n);
}

/** Whether each image is mirrored (1) in an epoch: a pure function of seed, epoch and index. */
export function epochFlips(n: number, seed: number, epoch: number): Uint8Array<ArrayBuffer> {
  const random = new Random(seed, "flip", epoch), flips = new Uint8Array(n);
  for (let i = 0; i < n; i++) flips[i] = random.word() & 1;
  return flips;
}

/** Number of batches in an epoch over `n` images. */
export function batchCount(n: number, batchSize: number, last: "drop" | "pad"): number {
  return last === "drop" ? Math.floor(n / batchSize) : Math.ceil(n / batchSize);
}

/**
 * Asks that the split can be gone through so, before anything is done for it.
 *
 * @throws {ShapeError} when the images are larger than the square
 * @throws {UsageError} when they do not fill one batch
 */
export function checkBatches(
  split: Split,
  { batchSize, imageSize, last, startBatch = 0 }: BatchOptions,
): void {
  const { size, width, height } = split;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new UsageError(`Cannot make batches of ${batchSize} images, 1 or more are wanted`);
  }
  if (width > imageSize || height > imageSize) {
    const wanted = `at most ${imageSize}×${imageSize} is wanted`;
    throw new ShapeError(`Cannot make batches: images are ${width}×${height}, ${wanted}`);
  }
  const count = batchCount(size, batchSize, last);
  if (count === 0) {
    const wanted = `a batch size of at most ${size} is wanted`;
    throw new UsageError(`Cannot make batches of ${batchSize} from ${size} images, ${wanted}`);
  }
  if (!Number.isSafeInteger(startBatch) || startBatch < 0 || startBatch > count) {
    throw new UsageError(`Cannot start at batch ${startBatch}, 0 to ${count} are wanted`);
  }
}

/**
 * Writes image `index` into slot `slot`, centred; the border stays as it was.
 * The mirror is applied before the padding, so an odd border keeps its side.
 */
function place(
  split: Split,
  index: number,
  pixels: Uint32Array,
  slot: number,
  side: number,
  flip: boolean,
): void {
  const { width, height, channels, images } = split;
  const top = (side - height) >> 1, left = (side - width) >> 1;
  const step = flip ? -1 : 1;
  let from = index * height * width * channels;
  for (let y = 0; y < height; y++) {
    let to = (slot * side + top + y) * side + left + (flip ? width - 1 : 0);
    if (channels === 1) {
      for (let x = 0; x < width; x++, to += step) pixels[to] = black | images[from++] * 0x010101;
    } else {
      for (let x = 0; x < width; x++, to += step, from += 3) {
        pixels[to] = black | images[from + 2] << 16 | images[from + 1] << 8 | images[from];
      }
    }
  }
}

/**
 * The batches of one epoch: grey becomes RGB, images are centred on black.
 *
 * Order and flips are pure functions of seed, epoch and image, so neither batch size nor the
 * place where a run was resumed changes them.
 *
 * Two sets of arrays take turns: a batch stays as it is while the next one is made, and is
 * overwritten by the one after that. Copy what must live longer.
 *
 * @throws {ShapeError} when images are larger than `imageSize`
 * @throws {UsageError} when no batch can be filled, or `startBatch` is beyond the epoch
 */
export function batches(split: Split, options: BatchOptions): Generator<Batch, void, void> {
  checkBatches(split, options); // at the call, not at the first batch
  return generate(split, options);
}

function* generate(split: Split, options: BatchOptions): Generator<Batch, void, void> {
  const { batchSize, imageSize, last, seed = 0, epoch = 0, startBatch = 0 } = options;
  const { size } = split, slotPixels = imageSize * imageSize;
  const order = options.shuffle ? epochOrder(size, seed, epoch) : undefined;
  const flips = options.flip ? epochFlips(size, seed, epoch) : undefined;
  const sets = [0, 1].map(() => ({
    pixels: new Uint32Array(batchSize * slotPixels).fill(black),
    labels: new Int32Array(batchSize),
  }));
  const count = batchCount(size, batchSize, last);
  for (let batch = startBatch; batch < count; batch++) {
    const { pixels, labels } = sets[batch & 1], first = batch * batchSize;
    const valid = Math.min(batchSize, size - first);
    for (let slot = 0; slot < valid; slot++) {
      const index = order ? order[first + slot] : first + slot;
      labels[slot] = split.labels[index];
      place(split, index, pixels, slot, imageSize, flips?.[index] === 1);
    }
    labels.fill(ignoredLabel, valid);
    pixels.fill(black, valid * slotPixels);
    yield { pixels, labels, valid };
  }
}
