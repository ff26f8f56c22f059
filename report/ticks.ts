/** Round numbers along an axis. */

/** From the first to the second number. */
export type Extent = readonly [number, number];

/** The numbers at which an axis is marked, and the range it shows. */
export interface Ticks {
  /** The range, widened to the ticks where that was asked for. */
  readonly extent: Extent;
  /** Round numbers in it, from low to high. */
  readonly at: readonly number[];
  /** Decimals that tell them apart. */
  readonly decimals: number;
}

/**
 * Ticks at 1, 2 or 5 times a power of ten, about as many as wanted.
 *
 * @param wanted number of steps between ticks, roughly
 * @param whole at whole numbers only, within the extent; otherwise the extent is widened to ticks
 */
export function ticksOf([low, high]: Extent, wanted: number, whole = false): Ticks {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const rough = span / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((f) => f * power >= rough * (1 - 1e-9)) ?? 10;
  const step = whole ? Math.max(1, Math.round(factor * power)) : factor * power;
  const round = whole ? [Math.ceil, Math.floor] : [Math.floor, Math.ceil];
  const first = round[0](low / step + (whole ? 0 : 1e-9));
  const last = Math.max(round[1](high / step - (whole ? 0 : 1e-9)), first + (whole ? 0 : 1));
  const at = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { extent: whole ? [low, high] : [first * step, last * step], at, decimals };
}

/** Where a number of one range stands in another one. */
export function scale([a, b]: Extent, [from, to]: Extent): (x: number) => number {
  return (x) => a === b ? (from + to) / 2 : from + (x - a) / (b - a) * (to - from);
}
