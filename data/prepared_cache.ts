/** Keeps prepared pictures, as far as a bound allows. */
import { UsageError } from "../core/errors.ts";
import type { Preparation } from "../models/preparation.ts";

/**
 * Prepared pictures by file and preparation. The first that come are kept until the bound is
 * reached, and nothing is given up for others: every epoch asks for each picture once, so that
 * whatever was used longest ago would be the next one to be needed.
 */
export class PreparedCache {
  readonly #shelves = new Map<string, Map<string, Uint32Array<ArrayBuffer>>>();
  #bytes = 0;

  /**
   * An empty cache.
   *
   * @param maxBytes most bytes of pixels to keep; with 0 nothing is
   * @throws {UsageError} when it is no number from 0 on
   */
  constructor(readonly maxBytes: number) {
    if (maxBytes >= 0) return;
    const wanted = "a number from 0 on is wanted";
    throw new UsageError(`Cannot keep ${maxBytes} bytes of pictures, ${wanted}`);
  }

  /** Bytes of pixels that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The pictures prepared in one way, by file. */
  shelf(preparation: Preparation): PreparedShelf {
    const { height, width, fit, share, filter, channels } = preparation;
    const key = JSON.stringify([height, width, fit, share, filter, channels]);
    const kept = this.#shelves.get(key) ?? new Map<string, Uint32Array<ArrayBuffer>>();
    this.#shelves.set(key, kept);
    return {
      get: (path) => kept.get(path),
      offer: (path, pixels) => {
        if (kept.has(path) || this.#bytes + pixels.byteLength > this.maxBytes) return;
        this.#bytes += pixels.byteLength;
        kept.set(path, pixels);
      },
    };
  }
}

/** Pictures prepared in one way. */
export interface PreparedShelf {
  /** The pixels of a file, if they are kept: not to be written to. */
  get(path: string): Uint32Array<ArrayBuffer> | undefined;
  /** Keeps the pixels of a file, if they fit. */
  offer(path: string, pixels: Uint32Array<ArrayBuffer>): void;
}
