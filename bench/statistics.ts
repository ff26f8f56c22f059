/** What a list of timings comes to. */

/** One timing, of a call or of the mean of a few calls. */
export interface Sample {
  readonly wallMs: number;
  /** User and system time of the whole process, all its threads. */
  readonly cpuMs: number;
}

/** Timings of one engine in one row. */
export interface Summary {
  readonly samples: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** Median of the CPU time. */
  readonly cpuMs: number;
}

/** The middle value; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Least, middle and greatest of at least one timing. */
export function summarise(samples: readonly Sample[]): Summary {
  const wall = samples.map((s) => s.wallMs);
  return {
    samples: samples.length,
    minMs: Math.min(...wall),
    medianMs: median(wall),
    maxMs: Math.max(...wall),
    cpuMs: median(samples.map((s) => s.cpuMs)),
  };
}

/**
 * How far timings lie apart: (max − min) / median. Above {@link unsteady} something else ran, or the
 * kernel has two speeds.
 */
export function spread({ minMs, medianMs, maxMs }: Summary): number {
  return (maxMs - minMs) / medianMs;
}

/** A spread from which a timing is marked. */
export const unsteady = 0.5;

/** The largest difference of two lists, relative to the largest value of the second. */
export function deviation(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (found.length !== wanted.length || wanted.length === 0) return Infinity;
  let difference = 0, scale = 0;
  for (let i = 0; i < wanted.length; i++) {
    // A NaN in either list must not pass as equal.
    const d = Math.abs(found[i] - wanted[i]);
    if (!Number.isFinite(d)) return Infinity;
    difference = Math.max(difference, d);
    scale = Math.max(scale, Math.abs(wanted[i]));
  }
  return difference === 0 ? 0 : difference / scale;
}
