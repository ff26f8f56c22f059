/** Labelled pictures: what a data set of pictures is made of, before a net's size is known. */
import { DataError, ShapeError, UsageError } from "../core/errors.ts";
import { Random } from "../core/rng.ts";
import type { Preparation } from "../models/preparation.ts";
import type { Augmentation } from "./augmentation.ts";
import { checkAugmentation } from "./augmentation_check.ts";
import { drawAugmentation } from "./augmentation_draw.ts";
import type { DrawnStep } from "./drawn_steps.ts";
import { preparePacked } from "./preparation.ts";
import { type Fields, ignoredLabel, type Source } from "./source.ts";

/** What is drawn at random for the pictures of a training set. */
export interface AugmentOptions {
  /** What may be done to a picture, drawn anew for each one and epoch (default: nothing). */
  readonly augmentation?: Augmentation;
  /** Seed of what is drawn (default 0). */
  readonly seed?: number;
}

/** Labelled pictures, wherever they are. */
export interface Pictures {
  /** Number of pictures. */
  readonly size: number;
  /** Class of each, an index into the data set's classes. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** The pictures as a net wants them: `pixels` u32 and `labels` i32. */
  source(preparation: Preparation, options?: AugmentOptions): Source;
  /** Some of the pictures, in this order. */
  subset(indices: Uint32Array): Pictures;
}

/** What {@link PackedPictures} is made of. */
export interface PackedImages {
  /** Width of every picture in pixels. */
  readonly width: number;
  /** Height of every picture in pixels. */
  readonly height: number;
  /** 1 for grey, 3 for RGB. */
  readonly channels: 1 | 3;
  /** `[n,h,w,c]`, 0–255, without gaps. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** `[n]`, an index into the data set's classes. */
  readonly labels: Int32Array<ArrayBuffer>;
}

/** An opaque black pixel: zeros in R, G and B. */
export const black = 0xff000000;

/** Pictures of one size in memory. */
export class PackedPictures implements Pictures {
  /** Number of pictures. */
  readonly size: number;
  /** Class of each. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** Where each lies among the images, if not all are meant in their order. */
  readonly #chosen?: Uint32Array;

  /**
   * Takes pictures over without a copy.
   *
   * @param packed the pictures
   * @param chosen which of them are meant, by their place among the images (default: all)
   * @throws {DataError} when the bytes are not those of as many pictures as there are labels
   * @throws {ShapeError} when a picture is chosen that is not there
   */
  constructor(readonly packed: PackedImages, chosen?: Uint32Array) {
    const { width, height, channels, images, labels } = packed;
    const wanted = width * height * channels * labels.length;
    if (images.length !== wanted) {
      throw new DataError(
        `Cannot use ${labels.length} pictures of ${width}×${height}×${channels}: ` +
          `they have ${images.length} bytes, ${wanted} are wanted`,
      );
    }
    for (const at of chosen ?? []) checkIndex(at, labels.length);
    this.#chosen = chosen;
    this.labels = chosen ? Int32Array.from(chosen, (at) => labels[at]) : labels;
    this.size = this.labels.length;
  }

  /**
   * Some of the pictures, in this order; the images stay where they are.
   *
   * @throws {ShapeError} when an index is beyond the pictures
   */
  subset(indices: Uint32Array): PackedPictures {
    for (const index of indices) checkIndex(index, this.size);
    const chosen = this.#chosen;
    return new PackedPictures(this.packed, chosen ? indices.map((k) => chosen[k]) : indices);
  }

  /**
   * One picture, `[h,w,c]`.
   *
   * @throws {ShapeError} when the index is beyond the pictures
   */
  image(index: number): Uint8Array<ArrayBuffer> {
    checkIndex(index, this.size);
    const { width, height, channels, images } = this.packed, bytes = width * height * channels;
    const at = this.#chosen?.[index] ?? index;
    return images.subarray(at * bytes, (at + 1) * bytes);
  }

  /**
   * The pictures as a net wants them: `pixels` u32 `[n,height,width]` and `labels` i32 `[n]`.
   *
   * @throws {UsageError} when the augmentation is none
   */
  source(
    preparation: Preparation,
    { augmentation = [], seed = 0 }: AugmentOptions = {},
  ): Source {
    checkAugmentation(augmentation);
    const drawn = (index: number, epoch: number): DrawnStep[] =>
      drawAugmentation(augmentation, { seed, epoch, index }, this.packed, preparation);
    return {
      size: this.size,
      padding: { pixels: black, labels: ignoredLabel },
      batch: (indices, epoch) => {
        const steps = augmentation.length === 0
          ? undefined
          : Array.from(indices, (index) => drawn(index, epoch));
        return Promise.resolve(this.#batch(indices, preparation, steps));
      },
    };
  }

  #batch(
    indices: Uint32Array,
    preparation: Preparation,
    steps?: readonly (readonly DrawnStep[])[],
  ): Fields {
    const { images, labels, ...size } = this.packed, chosen = this.#chosen;
    return {
      pixels: preparePacked(images, { ...size, count: labels.length }, preparation, {
        indices: chosen ? indices.map((index) => chosen[index]) : indices,
        steps,
      }),
      labels: Int32Array.from(indices, (index) => this.labels[index]),
    };
  }
}

function checkIndex(index: number, size: number): void {
  if (Number.isSafeInteger(index) && index >= 0 && index < size) return;
  const wanted = `a whole number from 0 to below ${size} is wanted`;
  throw new ShapeError(`Cannot take a picture: its index is ${index}, ${wanted}`);
}

/**
 * A fixed part of labelled pictures that is kept from training: of each class the same share, drawn
 * by a seed that is nobody's choice, so every run measures by the same pictures.
 *
 * @param share of each class, from 0 to below 1; rounded to whole pictures, one of which stays to
 *   learn from
 * @throws {UsageError} when the share is out of range
 */
export function holdOut(
  pictures: Pictures,
  share: number,
): { readonly rest: Pictures; readonly held?: Pictures } {
  if (!(share >= 0 && share < 1)) {
    throw new UsageError(`Cannot hold out a share of ${share}, 0 to below 1 is wanted`);
  }
  const byClass = new Map<number, number[]>();
  pictures.labels.forEach((label, k) => {
    const own = byClass.get(label);
    if (own) own.push(k);
    else byClass.set(label, [k]);
  });
  const held = new Uint8Array(pictures.size);
  for (const [label, own] of byClass) {
    const order = new Random(0, "validation", label).permutation(own.length);
    const count = Math.min(Math.round(own.length * share), own.length - 1);
    for (const k of order.subarray(0, count)) held[own[k]] = 1;
  }
  const where = (side: number): Uint32Array =>
    Uint32Array.from(held.keys().filter((k) => held[k] === side));
  if (!held.includes(1)) return { rest: pictures };
  return { rest: pictures.subset(where(0)), held: pictures.subset(where(1)) };
}
