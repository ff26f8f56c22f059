/** How often the loop looks at the device: a reading makes it wait. */

/**
 * When to read: after a number of steps that takes about the wanted time. Counting steps instead of
 * looking at the clock bounds the work queued on a device that returns at once.
 */
export class Cadence {
  #every = 1;
  #done = 0;
  #start = performance.now();
  #seconds = 0;

  constructor(readonly wantedMs: number) {}

  /** Counts a step; true when a reading is due. */
  step(): boolean {
    return ++this.#done >= this.#every;
  }

  /** Seconds between the last two readings. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Notes a reading: adapts the number of steps to the next, returns the seconds it took. */
  restart(): number {
    const now = performance.now(), ms = now - this.#start;
    if (ms < this.wantedMs / 2 && this.#done >= this.#every) this.#every *= 2;
    else if (ms > this.wantedMs * 2) this.#every = Math.max(1, this.#every >> 1);
    this.#done = 0;
    this.#start = now;
    return this.#seconds = ms / 1000;
  }
}
