/**
 * Ctrl-C, SIGTERM and a terminal that is closed: the first asks the work to finish its step and
 * save, a second one ends the process at once. Listening needs no permission and does not keep the
 * process alive.
 */

import { Turns } from "../train/turns.ts";
import { type ExitCode, exitCodes, ExitError } from "./exit.ts";

/**
 * A second signal this soon after the first is the same key press: `deno task` and the terminal
 * both pass it on, a millisecond apart.
 */
const sameKeyMs = 300;

/**
 * Listens while its block runs:
 *
 * ```ts ignore
 * using interrupt = new Interrupt({ onFirst: () => progress.line("saving; Ctrl-C again stops") });
 * for await (const event of fit(…)) {
 *   if (await interrupt.check()) break;
 * }
 * save();
 * if (interrupt.code !== undefined) return interrupt.code;
 * ```
 */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listeners: (readonly [Deno.Signal, () => void])[] = [];
  readonly #onFirst: () => void;
  #code: ExitCode | undefined;
  readonly #turns = new Turns();

  /** @param settings `onFirst` tells the user that the first signal was heard */
  constructor(settings: { readonly onFirst?: () => void } = {}) {
    this.#onFirst = settings.onFirst ?? (() => {});
    this.#listen("SIGINT", exitCodes.interrupted);
    // Windows knows neither of these.
    if (Deno.build.os === "windows") return;
    this.#listen("SIGTERM", exitCodes.terminated);
    // Deno dies of it even under nohup, so that saving is the best there is.
    this.#listen("SIGHUP", exitCodes.hungUp);
  }

  /** Whether a signal has come. */
  get isRequested(): boolean {
    return this.#code !== undefined;
  }

  /** The exit code to end with: 130, 143 or 129 once a signal has come. */
  get code(): ExitCode | undefined {
    return this.#code;
  }

  /** Aborted by the first signal; what waits on it ends the command with that signal's code. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Whether to stop. To be asked between steps: gives the event loop a turn, twenty times a second
   * at most, for signals are heard only there.
   */
  async check(): Promise<boolean> {
    await this.#turns.give();
    return this.isRequested;
  }

  /** Stops listening: from here on Ctrl-C ends the process as usual. */
  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
    this.#listeners.length = 0;
  }

  #listen(signal: Deno.Signal, code: ExitCode): void {
    const listener = () => this.#hear(code);
    Deno.addSignalListener(signal, listener);
    this.#listeners.push([signal, listener]);
  }

  #hear(code: ExitCode): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    this.#onFirst();
    // Then the system ends the process, however busy it is: nothing here need be heard for that.
    setTimeout(() => this[Symbol.dispose](), sameKeyMs);
    this.#controller.abort(new ExitError(code, "Cannot go on: it was interrupted"));
  }
}
