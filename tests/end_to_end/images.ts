/** Real images for the tests: parts of fashion-mini, as data sets and as files. */
import { batches } from "../../data/batches.ts";
import type { Batch } from "../../data/batches.ts";
import type { Dataset, Split } from "../../data/dataset.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { encodePng } from "../../wasm/image.ts";

/** The images of a split at some places, in that order. */
export function pick(split: Split, indices: readonly number[]): Split {
  const bytes = split.width * split.height * split.channels;
  const images = new Uint8Array(indices.length * bytes);
  for (const [to, from] of indices.entries()) {
    images.set(split.images.subarray(from * bytes, (from + 1) * bytes), to * bytes);
  }
  const labels = Int32Array.from(indices, (index) => split.labels[index]);
  return { ...split, size: indices.length, images, labels };
}

/** fashion-mini's first images, as a data set of its own. */
export async function smallDataset(train: number, test: number): Promise<Dataset> {
  const whole = await openFashionMini();
  const first = (n: number): number[] => Array.from({ length: n }, (_, k) => k);
  return {
    ...whole,
    train: pick(whole.train, first(train)),
    test: pick(whole.test, first(test)),
  };
}

/** All images of a split as one batch, padded to a square. */
export function wholeBatch(split: Split, imageSize = 32): Batch {
  const { value } = batches(split, { batchSize: split.size, imageSize, last: "drop" }).next();
  if (value === undefined) throw new Error("a split without images");
  return value;
}

/** One image of a split as a PNG file. */
export function pngOf({ images, width, height, channels }: Split, index: number): Uint8Array {
  const bytes = width * height * channels;
  return encodePng({ width, height, data: images.slice(index * bytes, (index + 1) * bytes) });
}
