import type { Preparation } from "../models/preparation.ts";

const black = 0xff000000;

/** TEMPORARY until the Rust executor is merged. */
export function preparePacked(
  images: Uint8Array,
  { height, width, channels, count }: {
    height: number;
    width: number;
    channels: 1 | 3;
    count: number;
  },
  preparation: Preparation,
  { flips }: { flips?: Uint8Array } = {},
): Uint32Array<ArrayBuffer> {
  const { height: sh, width: sw } = preparation;
  const pixels = new Uint32Array(count * sh * sw).fill(black);
  const top = (sh - height) >> 1, left = (sw - width) >> 1;
  let from = 0;
  for (let slot = 0; slot < count; slot++) {
    const flip = flips?.[slot] === 1, step = flip ? -1 : 1;
    for (let y = 0; y < height; y++) {
      let to = (slot * sh + top + y) * sw + left + (flip ? width - 1 : 0);
      for (let x = 0; x < width; x++, to += step, from += channels) {
        pixels[to] = channels === 1
          ? black | images[from] * 0x010101
          : black | images[from + 2] << 16 | images[from + 1] << 8 | images[from];
      }
    }
  }
  return pixels;
}

import { decodeImage, type Image, resizeImage } from "./image.ts";

/** TEMPORARY */
export function prepareImage(image: Image, p: Preparation): Uint32Array<ArrayBuffer> {
  const side = Math.round(p.width * p.share);
  const { width, data } = resizeImage(image, side, side), size = p.width;
  const pixels = new Uint32Array(new Uint8Array(data).buffer);
  if (width === size) return pixels;
  const padded = new Uint32Array(size * size).fill(black), before = (size - width) >> 1;
  for (let y = 0; y < width; y++) {
    padded.set(pixels.subarray(y * width, (y + 1) * width), (before + y) * size + before);
  }
  return padded;
}
/** TEMPORARY */
export function preparePicture(
  bytes: Uint8Array,
  p: Preparation,
  { file }: { file?: string } = {},
) {
  return prepareImage(decodeImage(bytes, { file }), p);
}
