/** Turns of the event loop in the midst of computing: signals and timers are heard only there. */

/** Time that may pass between two turns. */
const turnMs = 50;

/** Gives the event loop a turn, twenty times a second at most. */
export class Turns {
  #lastMs = performance.now();

  /** @param signal heard at each turn */
  constructor(readonly signal?: AbortSignal) {}

  /**
   * To be called between pieces of work; returns at once unless a turn is due.
   *
   * @throws the signal's reason, once it is aborted
   */
  async give(): Promise<void> {
    if (performance.now() - this.#lastMs >= turnMs) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#lastMs = performance.now();
    }
    this.signal?.throwIfAborted();
  }
}

/** What the promise comes to, unless the signal is aborted first: then its reason is raised. */
export async function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
