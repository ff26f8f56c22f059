/** Measures how long somebody waits for data. */

/** A clock that runs while items are waited for. */
export class Waiting {
  #ms = 0;

  /** Milliseconds waited so far. */
  get waitedMs(): number {
    return this.#ms;
  }

  /**
   * The same items, measured: how long each is waited for, not what is done with it.
   *
   * @example
   * ```ts no-run
   * import { batches, type Source, Waiting } from "../mod.ts";
   * declare const source: Source;
   * const waiting = new Waiting();
   * for await (const batch of waiting.of(batches(source, { batchSize: 32, last: "drop" }))) {
   *   console.log(batch.valid, waiting.waitedMs);
   * }
   * ```
   */
  async *of<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    let asked = performance.now();
    try {
      for await (const item of items) {
        this.#ms += performance.now() - asked;
        asked = Number.NaN; // the time until the next one is asked for is the user's
        yield item;
        asked = performance.now();
      }
    } finally {
      // The end, or an error, was waited for as well.
      if (!Number.isNaN(asked)) this.#ms += performance.now() - asked;
    }
  }
}
