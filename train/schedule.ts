/** Learning-rate schedules: a factor of the base rate as a pure function of the step. */

/** Factor at step `step` (from 0) of `total`. */
export type Schedule = (step: number, total: number) => number;

/** Always the base rate. */
export const constant: Schedule = (): number => 1;

const cosineBetween = (from: number, to: number, position: number): number =>
  to + (from - to) / 2 * (1 + Math.cos(Math.PI * position));

/**
 * One cycle: from 1/25 of the base rate up to it over the first 30 % of the steps, then down to
 * 1/250,000, both along a cosine; PyTorch's `OneCycleLR` with its defaults.
 *
 * @source Smith & Topin 2017, "Super-convergence", arXiv:1708.07120
 */
export const oneCycle: Schedule = (step, total): number => {
  const start = 1 / 25, end = start / 1e4;
  const peak = 0.3 * total - 1, last = total - 1;
  if (step <= peak) return cosineBetween(start, 1, step / peak);
  return cosineBetween(1, end, Math.min(1, (step - peak) / Math.max(1e-9, last - peak)));
};

/**
 * Linear warm-up over 5 % of the steps, then down to 0 along a cosine:
 * `½·(1 + cos(π·t))`, t going from 0 to 1.
 *
 * @source Loshchilov & Hutter 2017, "SGDR", arXiv:1608.03983, without restarts
 */
export const cosine: Schedule = (step, total): number => {
  const warmUp = Math.floor(total / 20);
  if (step < warmUp) return (step + 1) / (warmUp + 1);
  return cosineBetween(1, 0, (step - warmUp) / Math.max(1, total - warmUp));
};

/** Schedules by the name that recipes and the command line use. */
export const schedules = {
  "constant": constant,
  "one-cycle": oneCycle,
  "cosine": cosine,
} as const satisfies Record<string, Schedule>;

/** A name in the table. */
export type ScheduleName = keyof typeof schedules;
