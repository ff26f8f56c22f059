/**
 * MixUp and CutMix: pictures of a batch are mixed, and their labels with them. The pixels are mixed
 * where they are floats, on the device; here is what is drawn for a batch, and what it means.
 *
 * Every picture i has a partner, the one before it in the batch (the first one's is the last), and
 * its label becomes `λ yᵢ + (1−λ) y_partner`.
 *
 * @source torchvision, `references/classification/transforms.py`
 */
import { UsageError } from "../core/errors.ts";
import { Random } from "../core/rng.ts";
import type { DrawnBox, PictureSize } from "./drawn_steps.ts";

/** How the pictures of a batch are mixed, as plain data. */
export interface Mixing {
  /**
   * - `mixup`: pixel by pixel, `λ xᵢ + (1−λ) x_partner` (Zhang et al. 2018)
   * - `cutmix`: a rectangle is the partner's, λ is the share that is left (Yun et al. 2019)
   */
  readonly kind: "mixup" | "cutmix";
  /** λ ~ Beta(alpha, alpha): near 0 hardly anything is mixed, 1 is uniform. */
  readonly alpha: number;
}

/** What was drawn for a batch. */
export interface DrawnMix {
  /** Share of a picture's own label. */
  readonly lambda: number;
  /** What is taken from the partner, of CutMix; without it all pixels are mixed by λ. */
  readonly box?: DrawnBox;
}

/** Place of the picture that picture `i` of a batch of `n` is mixed with. */
export function mixPartner(i: number, n: number): number {
  return (i + n - 1) % n;
}

/** Logarithm of a number of Gamma(shape, 1): of tiny shapes the number itself is often 0. */
function drawLogGamma(random: Random, shape: number): number {
  if (shape < 1) {
    return drawLogGamma(random, shape + 1) + Math.log(1 - random.uniform()) / shape;
  }
  const d = shape - 1 / 3, c = 1 / Math.sqrt(9 * d);
  while (true) {
    const x = random.normal(), v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const log = Math.log(1 - random.uniform());
    if (log < x * x / 2 + d * (1 - v + Math.log(v))) return Math.log(d * v);
  }
}

/**
 * A number of Beta(a, b): `x / (x + y)` with x of Gamma(a, 1) and y of Gamma(b, 1).
 *
 * @source Marsaglia and Tsang 2000, "A simple method for generating gamma variables"
 */
export function drawBeta(random: Random, a: number, b: number): number {
  const x = drawLogGamma(random, a), y = drawLogGamma(random, b);
  return 1 / (1 + Math.exp(y - x));
}

/**
 * CutMix's rectangle for a share λ and a centre: half its sides are `⌊½ √(1−λ) side⌋`, it is cut off
 * at the border, and λ becomes what is left of the picture.
 */
export function cutMixBox(
  lambda: number,
  center: { readonly x: number; readonly y: number },
  { width, height }: PictureSize,
): Required<DrawnMix> {
  const half = 0.5 * Math.sqrt(1 - lambda);
  const range = (middle: number, side: number): [number, number] => {
    const reach = Math.trunc(half * side);
    return [Math.max(0, middle - reach), Math.min(side, middle + reach)];
  };
  const [left, right] = range(center.x, width), [top, bottom] = range(center.y, height);
  const box = { top, left, height: bottom - top, width: right - left };
  return { lambda: 1 - box.width * box.height / (width * height), box };
}

/**
 * What is drawn for a batch: a pure function of its arguments.
 *
 * @param mixing how
 * @param key seed, epoch and number of the batch within the epoch
 * @param size of what the net sees
 * @throws {UsageError} when alpha is no number from a thousandth to a thousand
 */
export function drawMix(
  { kind, alpha }: Mixing,
  key: { readonly seed: number; readonly epoch: number; readonly batch: number },
  size: PictureSize,
): DrawnMix {
  if (!(alpha >= 1e-3 && alpha <= 1e3)) {
    throw new UsageError(`Cannot mix pictures: alpha is ${alpha}, 0.001 to 1000 is wanted`);
  }
  const epoch = new Random(key.seed, kind, key.epoch);
  const random = new Random(epoch.word() * 2 ** 21 + (epoch.word() >>> 11), "batch", key.batch);
  const lambda = drawBeta(random, alpha, alpha);
  if (kind === "mixup") return { lambda };
  const x = random.below(size.width), y = random.below(size.height);
  return cutMixBox(lambda, { x, y }, size);
}
