/** Real images for the tests: parts of fashion-mini, as data sets and as files. */
import type { PackedDataset } from "../../data/dataset.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import type { PackedPictures } from "../../data/pictures.ts";
import { encodePng } from "../../wasm/image.ts";
import { type Examples, squares, wholeBatch } from "./classifiers.ts";

/** The pictures at some places, in that order. */
export function pick(pictures: PackedPictures, indices: readonly number[]): PackedPictures {
  return pictures.subset(Uint32Array.from(indices));
}

/** fashion-mini's first images, as a data set of its own. */
export async function smallDataset(train: number, test: number): Promise<PackedDataset> {
  const whole = await openFashionMini();
  const first = (n: number): number[] => Array.from({ length: n }, (_, k) => k);
  return {
    ...whole,
    train: pick(whole.train, first(train)),
    test: pick(whole.test, first(test)),
  };
}

/** All pictures as one batch, in the middle of squares. */
export function batchOf(pictures: PackedPictures, size = 32): Promise<Examples> {
  return wholeBatch(pictures.source(squares(size, pictures.packed.width)));
}

/** One picture as a PNG file. */
export function pngOf(pictures: PackedPictures, index: number): Uint8Array {
  const { width, height } = pictures.packed;
  return encodePng({ width, height, data: pictures.image(index).slice() });
}
