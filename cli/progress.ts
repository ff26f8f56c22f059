/**
 * Live progress: a bar that redraws itself on a terminal, plain lines elsewhere, so that a log
 * file holds no control characters.
 */

import { formatClock, formatCount, formatLoss, formatPercent, formatRate } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Where the work stands. */
export interface ProgressReading {
  /** Images done in this epoch. */
  readonly done: number;
  /** Images of an epoch. */
  readonly total: number;
  /** This epoch, counted from 1. */
  readonly epoch?: number;
  /** Epochs in all. */
  readonly epochs?: number;
  /** Mean loss lately. */
  readonly loss?: number;
  /** Accuracy as a fraction. */
  readonly accuracy?: number;
  /** Measured rate; without it, the rate since the epoch's first reading. */
  readonly imagesPerSecond?: number;
  /** Share of the time spent waiting for the loader, as a fraction. */
  readonly stall?: number;
}

/** Settings, with clocks that tests can turn. */
export interface ProgressSettings {
  /** Standard error. */
  readonly terminal: Terminal;
  /** What is being done, such as `train`; stands before the rest. */
  readonly label?: string;
  /** Shortest time between two frames on a terminal, in milliseconds. */
  readonly frameMs?: number;
  /** Time between two lines elsewhere, in milliseconds. */
  readonly lineMs?: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now?: () => number;
}

/** Columns of the bar itself. */
const barWidth = 20;
/** Back to the first column, and erase the rest of the line. */
const eraseLine = "\r\x1b[K";

/**
 * The progress of one piece of work, `using`-able: leaving the block takes the bar away.
 *
 * ```ts ignore
 * using progress = new Progress({ terminal: context.err });
 * progress.update({ done: 640, total: 10_000, epoch: 1, epochs: 15, loss: 1.93 });
 * progress.line("epoch 1: test accuracy 71.2 %");
 * progress.finish();
 * ```
 */
export class Progress {
  readonly #terminal: Terminal;
  readonly #label: string;
  readonly #intervalMs: number;
  readonly #now: () => number;
  #last: ProgressReading | undefined;
  /** First reading of this epoch and when it came; the first step compiles, so it is no measure. */
  #first: { readonly done: number; readonly atMs: number } | undefined;
  #rate: number | undefined;
  #shownAtMs = -Infinity;
  /** The reading last shown, so that finishing does not repeat its line. */
  #shown: ProgressReading | undefined;
  #isDrawn = false;

  /** @param settings where to draw, and how often */
  constructor(settings: ProgressSettings) {
    const { terminal, label = "", frameMs = 100, lineMs = 10_000 } = settings;
    this.#terminal = terminal;
    this.#label = label;
    this.#intervalMs = terminal.isTerminal ? frameMs : lineMs;
    this.#now = settings.now ?? (() => performance.now());
  }

  /** Takes a reading; draws it unless the last drawing is too fresh. */
  update(reading: ProgressReading): void {
    const now = this.#now();
    this.#measure(reading, now);
    this.#last = reading;
    if (now - this.#shownAtMs < this.#intervalMs) return;
    this.#shownAtMs = now;
    this.#show(reading);
  }

  /** Writes a line that stays, above the bar. */
  line(text: string): void {
    this.above(() => this.#terminal.line(text));
  }

  /** Lets something else be written, such as data to standard output, without a bar through it. */
  above(write: () => void): void {
    const wasDrawn = this.#isDrawn;
    this.clear();
    write();
    if (wasDrawn && this.#last !== undefined) this.#show(this.#last);
  }

  /** Takes the bar away; the next update draws it again. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.write(eraseLine);
    this.#isDrawn = false;
  }

  /** Ends it: the last reading stays as a line, or `text` in its place. */
  finish(text?: string): void {
    this.clear();
    const isShown = !this.#terminal.isTerminal && this.#shown === this.#last;
    if (text !== undefined) this.#terminal.line(text);
    else if (this.#last !== undefined && !isShown) {
      this.#terminal.line(this.#facts(this.#last).join("  "));
    }
    this.#last = undefined;
    this.#first = undefined;
  }

  /** Takes the bar away, also where an error leaves the block. */
  [Symbol.dispose](): void {
    this.clear();
  }

  #measure(reading: ProgressReading, now: number): void {
    const first = this.#first;
    if (first === undefined || reading.done < (this.#last?.done ?? 0)) {
      this.#first = { done: reading.done, atMs: now };
    } else if (now > first.atMs && reading.done > first.done) {
      this.#rate = 1000 * (reading.done - first.done) / (now - first.atMs);
    }
    if (reading.imagesPerSecond !== undefined) this.#rate = reading.imagesPerSecond;
  }

  #show(reading: ProgressReading): void {
    this.#shown = reading;
    if (!this.#terminal.isTerminal) {
      this.#terminal.line(this.#facts(reading).join("  "));
      return;
    }
    const room = this.#terminal.width() - 1;
    const [head, ...facts] = this.#facts(reading);
    const isRoomy = head.length + barWidth + 2 <= room;
    let length = head.length + (isRoomy ? barWidth + 2 : 0);
    const kept = facts.filter((fact) => (length += fact.length + 2) <= room);
    const shownHead = head.slice(0, Math.max(0, room));
    const bar = isRoomy ? [this.#bar(reading)] : [];
    this.#terminal.write(`${eraseLine}${[shownHead, ...bar, ...kept].join("  ")}`);
    this.#isDrawn = true;
  }

  #bar({ done, total }: ProgressReading): string {
    const filled = Math.round(barWidth * share(done, total));
    const { cyan, dim } = this.#terminal.paint;
    return `${cyan("━".repeat(filled))}${dim("─".repeat(barWidth - filled))}`;
  }

  /** The head and the facts in order of weight: a narrow terminal drops the last ones. */
  #facts(reading: ProgressReading): string[] {
    const { done, total, epoch, epochs, loss, accuracy, stall } = reading;
    // Of constant width where the line is redrawn in place, so that nothing after it jumps.
    const part = formatPercent(share(done, total), 0).padStart(this.#terminal.isTerminal ? 5 : 0);
    const ofEpochs = epochs === undefined ? "" : `/${epochs}`;
    const head = [
      ...(this.#label === "" ? [] : [this.#label]),
      ...(epoch === undefined ? [] : [`epoch ${epoch}${ofEpochs}`]),
      part,
    ];
    const left = this.#secondsLeft(reading);
    return [
      head.join(" "),
      ...(loss === undefined ? [] : [`loss ${formatLoss(loss)}`]),
      ...(accuracy === undefined ? [] : [`accuracy ${formatPercent(accuracy)}`]),
      ...(this.#rate === undefined ? [] : [formatRate(this.#rate)]),
      ...(left === undefined ? [] : [`ETA ${formatClock(left)}`]),
      ...(stall === undefined ? [] : [`stall ${formatPercent(stall, 0)}`]),
      `${formatCount(done)}/${formatCount(total)}`,
    ];
  }

  #secondsLeft({ done, total, epoch, epochs }: ProgressReading): number | undefined {
    if (this.#rate === undefined || this.#rate <= 0) return undefined;
    const laterEpochs = epoch === undefined || epochs === undefined ? 0 : epochs - epoch;
    return (total - done + laterEpochs * total) / this.#rate;
  }
}

/** Part done, from 0 to 1, for an empty total too. */
function share(done: number, total: number): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
}
