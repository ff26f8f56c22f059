/** Pictures made by a formula, and what torchvision makes of them: `fixtures/augmentation/make.py`. */
import { readFileSync } from "node:fs";
import type { DrawnBox, DrawnStep } from "../../data/drawn_steps.ts";
import type { Image } from "../../data/image.ts";
import type { Preparation } from "../../models/preparation.ts";

/** Mean and deviation of top, left, height and width over `n` draws. */
export interface Distribution {
  readonly kind: "crop" | "erase";
  readonly width: number;
  readonly height: number;
  readonly scale: readonly [number, number];
  readonly ratio: readonly [number, number];
  readonly n: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** An operation of RandAugment or TrivialAugmentWide. */
export interface SpaceRow {
  readonly name: string;
  readonly strengths: readonly number[];
  readonly isSigned: boolean;
}

interface Cases {
  readonly applied: readonly {
    readonly picture: "wide" | "square";
    readonly steps: readonly DrawnStep[];
    readonly sha256: string;
  }[];
  readonly resizes: readonly {
    readonly width: number;
    readonly height: number;
    readonly filter: Preparation["filter"];
  }[];
  readonly crops: readonly DrawnBox[];
  readonly distributions: readonly Distribution[];
  readonly spaces: { readonly rand: readonly SpaceRow[]; readonly wide: readonly SpaceRow[] };
  readonly cutmix: readonly {
    readonly width: number;
    readonly height: number;
    readonly drawn: number;
    readonly x: number;
    readonly y: number;
    readonly box: DrawnBox;
    readonly lambda: number;
  }[];
}

const read = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../fixtures/augmentation/${name}`, import.meta.url)));

/** What `make.py` wrote. */
export const cases: Cases = JSON.parse(new TextDecoder().decode(read("cases.json")));

/** RGB of the small pictures of `applied`, then of `resizes`, then of `crops`. */
export const expected: Uint8Array = read("expected.bin");

/** Slopes of many directions, curves and noise. */
export function picture(width: number, height: number, low = 0, span = 256): Image {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const noise = (x * 7919 + y * 104729 + c * 1299709) % 251 % 23;
        const value = x * (3 + c) + y * 2 + (x * y * (c + 1) >> 4) + noise;
        data[4 * (y * width + x) + c] = low + value % span;
      }
    }
  }
  return { width, height, data };
}

/** The pictures of `applied`, small and large. */
export const pictures: Readonly<Record<"wide" | "square", readonly [Image, Image]>> = {
  wide: [picture(16, 13), picture(224, 160)],
  square: [picture(12, 12, 40, 150), picture(160, 160, 40, 150)],
};

/** A preparation that leaves pictures of this size as they are. */
export function asIs({ width, height }: { width: number; height: number }): Preparation {
  return {
    ...{ width, height, fit: "stretch", share: 1, filter: "bilinear", channels: 3 },
    ...{ mean: [0.5, 0.4, 0.45], std: [0.2, 0.15, 0.25] },
  };
}

/** Red, green and blue of `u32` pixels. */
export function colors(pixels: Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)
    .filter((_, i) => i % 4 !== 3);
}
