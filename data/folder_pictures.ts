/** Labelled pictures in files: read, decoded and prepared when they are asked for. */
import { DataError } from "../core/errors.ts";
import type { Preparation } from "../models/preparation.ts";
import type { Progress } from "./dataset.ts";
import type { PictureFile } from "./folder_scan.ts";
import type { Flaw } from "./folder_walk.ts";
import type { Loader, Prepared } from "./loader.ts";
import { type AugmentOptions, black, type Pictures } from "./pictures.ts";
import { checkAugmentation } from "./augmentation_check.ts";
import { drawAugmentation } from "./augmentation_draw.ts";
import type { DrawnStep } from "./drawn_steps.ts";
import { pictureCall } from "./preparation.ts";
import type { PreparedCache } from "./prepared_cache.ts";
import { type Fields, ignoredLabel, type Source } from "./source.ts";

/** What the parts of a folder share. */
export interface FolderState {
  /** Reads and decodes. */
  readonly loader: Loader;
  /** Keeps what is decoded. */
  readonly cache: PreparedCache;
  /** A damaged picture is left out instead of raised. */
  readonly skipDamaged: boolean;
  /** Most pixels of a picture. */
  readonly maxPixels?: number;
  /** What was found damaged on decoding: names and reasons. */
  readonly found: Map<string, string>;
}

/** A file with its class. */
export interface LabelledFile extends PictureFile {
  /** Its class, an index into the data set's classes. */
  readonly label: number;
}

/** How {@link FolderPictures.verify} goes. */
export interface VerifyOptions {
  /** Called as it goes on; the numbers are of pictures. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** Pictures that {@link FolderPictures.verify} asks for at once. */
const verifiedAtOnce = 32;

/**
 * Pictures in files. Batches read, decode and prepare them, in the loader's threads where it has
 * some; what comes is a pure function of preparation, augmentation, index and epoch.
 *
 * Prepared pictures are kept as far as the cache allows. Mirroring is drawn anew each epoch and
 * done on what is kept, so the cache serves augmented pictures too. An augmentation that has to see
 * the decoded picture is none that can be kept: such pictures are decoded again each time.
 *
 * A file whose damage shows only when it is decoded is raised by its name. With `skipDamaged` its
 * place in the batch is black, under {@link ignoredLabel}: no order and no number of threads changes
 * what the others are, and what does not count is not counted.
 */
export class FolderPictures implements Pictures {
  /** Number of pictures. */
  readonly size: number;
  /** Class of each, an index into the data set's classes. */
  readonly labels: Int32Array<ArrayBuffer>;

  /** Takes files and what they share with the other parts over. */
  constructor(readonly files: readonly LabelledFile[], readonly state: FolderState) {
    this.size = files.length;
    this.labels = Int32Array.from(files, ({ label }) => label);
  }

  /** Some of the pictures, in this order. */
  subset(indices: Uint32Array): FolderPictures {
    return new FolderPictures(Array.from(indices, (k) => this.files[k]), this.state);
  }

  /**
   * The pictures as a net wants them: `pixels` u32 `[n,height,width]` and `labels` i32 `[n]`.
   *
   * @throws {ShapeError} when the size wanted is none
   * @throws {UsageError} when another field of the preparation, or the augmentation, is out of range
   */
  source(
    preparation: Preparation,
    { augmentation = [], seed = 0 }: AugmentOptions = {},
  ): Source {
    checkAugmentation(augmentation);
    const area = preparation.height * preparation.width, { width } = preparation;
    const common = { size: this.size, padding: { pixels: black, labels: ignoredLabel } };
    const drawn = (index: number, epoch: number): DrawnStep[] =>
      drawAugmentation(augmentation, { seed, epoch, index }, this.files[index].info, preparation);
    if (augmentation.every(({ kind }) => kind === "horizontal-flip")) {
      const prepare = this.#preparing(preparation);
      return {
        ...common,
        batch: async (indices, epoch) => {
          const fields = this.#joined(indices, await prepare(indices), area);
          indices.forEach((index, place) => {
            if (drawn(index, epoch).length % 2 === 0) return;
            mirror(fields.pixels, place * area, area, width);
          });
          return fields;
        },
      };
    }
    const { loader, maxPixels } = this.state;
    return {
      ...common,
      batch: async (indices, epoch) => {
        const jobs = Array.from(indices, (index) => ({
          path: this.files[index].path,
          call: pictureCall(preparation, { maxPixels, steps: drawn(index, epoch) }),
        }));
        return this.#joined(indices, await loader.prepare(jobs), area);
      },
    };
  }

  /**
   * Decodes every picture once, so that all damage is known before anything is learnt; what the
   * cache has room for is then at hand.
   *
   * @returns what is damaged, where `skipDamaged` leaves it out
   * @throws {DataError} listing all damaged files, unless `skipDamaged`
   * @throws what the signal says, when it stops the work
   */
  async verify(preparation: Preparation, options: VerifyOptions = {}): Promise<readonly Flaw[]> {
    const prepare = this.#preparing(preparation), flaws: Flaw[] = [];
    for (let from = 0; from < this.size; from += verifiedAtOnce) {
      options.signal?.throwIfAborted();
      const length = Math.min(verifiedAtOnce, this.size - from);
      const indices = Uint32Array.from({ length }, (_, k) => from + k);
      flaws.push(...this.#flaws(indices, await prepare(indices)));
      options.onProgress?.({ loadedBytes: from + length, totalBytes: this.size });
    }
    if (flaws.length > 0 && !this.state.skipDamaged) {
      throw damageError(`use ${this.size} pictures`, flaws);
    }
    return flaws;
  }

  /** What prepares pictures: from the cache, or by the loader. */
  #preparing(preparation: Preparation): (indices: Uint32Array) => Promise<Prepared[]> {
    const { loader, cache, maxPixels } = this.state, shelf = cache.shelf(preparation);
    const call = pictureCall(preparation, { maxPixels });
    return async (indices) => {
      const results: Prepared[] = [], missing: number[] = [];
      indices.forEach((index, place) => {
        const pixels = shelf.get(this.files[index].path);
        if (pixels) results[place] = { pixels };
        else missing.push(place);
      });
      const jobs = missing.map((place) => ({ path: this.files[indices[place]].path, call }));
      for (const [k, result] of (await loader.prepare(jobs)).entries()) {
        results[missing[k]] = result;
        if ("pixels" in result) shelf.offer(jobs[k].path, result.pixels);
      }
      return results;
    };
  }

  #flaws(indices: Uint32Array, prepared: readonly Prepared[]): Flaw[] {
    return prepared.flatMap((result, place) => {
      if ("pixels" in result) return [];
      const { name } = this.files[indices[place]];
      this.state.found.set(name, result.flaw);
      return [{ name, reason: result.flaw }];
    });
  }

  /** One batch of prepared pictures. */
  #joined(
    indices: Uint32Array,
    prepared: readonly Prepared[],
    area: number,
  ): Fields & { readonly pixels: Uint32Array } {
    const flaws = this.#flaws(indices, prepared), n = indices.length;
    if (flaws.length > 0 && !this.state.skipDamaged) throw damageError("use a picture", flaws);
    const pixels = new Uint32Array(n * area), labels = new Int32Array(n);
    prepared.forEach((result, place) => {
      const isGood = "pixels" in result;
      if (isGood) pixels.set(result.pixels, place * area);
      else pixels.fill(black, place * area, (place + 1) * area);
      labels[place] = isGood ? this.labels[indices[place]] : ignoredLabel;
    });
    return { pixels, labels };
  }
}

/** Turns the rows of one picture around. */
function mirror(pixels: Uint32Array, from: number, area: number, width: number): void {
  for (let row = from; row < from + area; row += width) pixels.subarray(row, row + width).reverse();
}

/** One error for all damaged files. */
export function damageError(action: string, flaws: readonly Flaw[]): DataError {
  const list = flaws.map(({ name, reason }) => `\n  ${name}: ${reason}`).join("");
  const count = flaws.length === 1 ? "1 file is" : `${flaws.length} files are`;
  const found =
    `${count} damaged or cannot be read, none is wanted (\`skipDamaged\` leaves them out)`;
  return new DataError(`Cannot ${action}: ${found}:${list}`, { file: flaws[0].name });
}
