/**
 * What is drawn for one picture: plain numbers, a pure function of (seed, epoch, index), so neither
 * the batch, nor the number of workers, nor another step in the list changes it.
 *
 * @source torchvision 0.14, `transforms.py` and `autoaugment.py`: `get_params` and `forward`
 */
import { Random } from "../core/rng.ts";
import type {
  Augmentation,
  AugmentationStep,
  ColorJitter,
  Interval,
  RandomErasing,
  RandomResizedCrop,
} from "./augmentation.ts";
import { drawRandAugment, drawTrivialAugment, roundEven } from "./augmentation_space.ts";
import type { DrawnBox, DrawnStep, PictureSize } from "./drawn_steps.ts";

/** Which picture, and when: what is drawn is a function of it. */
export interface DrawKey {
  /** Chosen by the user. */
  readonly seed: number;
  /** Number of the pass over the pictures, from 0. */
  readonly epoch: number;
  /** Number of the picture. */
  readonly index: number;
}

const between = (random: Random, [low, high]: Interval): number =>
  low + (high - low) * random.uniform();

/** True with a probability; every word below it, and of two equal halves the odd ones. */
function isMirrored(word: number, p: number): boolean {
  return ((~word & 1) * 2 ** 31 + (word >>> 1)) / 2 ** 32 < p;
}

/**
 * Whether a picture is mirrored: torchvision's `RandomHorizontalFlip`. With a probability of a half
 * it is the lowest bit of a word, as runs of earlier versions drew it.
 */
export function drawFlip({ seed, epoch, index }: DrawKey, p = 0.5): boolean {
  return isMirrored(new Random(seed, "flip", epoch).wordAt(index), p);
}

/** The part that `RandomResizedCrop` takes: ten tries, then the largest part of a fair ratio. */
export function drawResizedCrop(
  random: Random,
  { width, height }: PictureSize,
  { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] }: Omit<RandomResizedCrop, "kind"> = {},
): DrawnBox {
  const logs: Interval = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(random, scale), aspect = Math.exp(between(random, logs));
    const w = roundEven(Math.sqrt(area * aspect)), h = roundEven(Math.sqrt(area / aspect));
    if (!(w > 0 && w <= width && h > 0 && h <= height)) continue;
    const top = random.below(height - h + 1), left = random.below(width - w + 1);
    return { top, left, height: h, width: w };
  }
  let w = width, h = height;
  if (width / height < ratio[0]) h = Math.max(1, roundEven(width / ratio[0]));
  else if (width / height > ratio[1]) w = Math.max(1, roundEven(height * ratio[1]));
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}

/** The rectangle that `RandomErasing` erases; nothing where ten tries did not fit. */
export function drawErasing(
  random: Random,
  { width, height }: PictureSize,
  { scale = [0.02, 0.33], ratio = [0.3, 3.3] }: Omit<RandomErasing, "kind"> = {},
): DrawnBox | undefined {
  const logs: Interval = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(random, scale), aspect = Math.exp(between(random, logs));
    const h = roundEven(Math.sqrt(area * aspect)), w = roundEven(Math.sqrt(area / aspect));
    if (!(h < height && w < width)) continue;
    const top = random.below(height - h + 1), left = random.below(width - w + 1);
    return { top, left, height: h, width: w };
  }
}

/** What `ColorJitter` does, in the order drawn. */
export function drawJitter(random: Random, jitter: Omit<ColorJitter, "kind">): DrawnStep[] {
  const order = random.permutation(4);
  const within = (value: number | Interval | undefined, middle: number): number | undefined => {
    if (value === undefined) return undefined;
    if (typeof value !== "number") return between(random, value);
    const low = middle === 0 ? -value : Math.max(0, middle - value);
    return between(random, [low, middle + value]);
  };
  const steps: (DrawnStep | undefined)[] = [];
  for (const [place, kind] of (["brightness", "contrast", "saturation"] as const).entries()) {
    const factor = within(jitter[kind], 1);
    steps[place] = factor === undefined ? undefined : { kind, factor };
  }
  const by = within(jitter.hue, 0);
  steps[3] = by === undefined ? undefined : { kind: "hue", by };
  return Array.from(order, (place) => steps[place]).filter((step) => step !== undefined);
}

/** What a step does to a picture, the `nth` of its kind; `random` is the step's own. */
function drawStep(
  step: AugmentationStep,
  random: Random,
  key: DrawKey & { readonly nth: number },
  [source, net]: readonly [PictureSize, PictureSize],
): DrawnStep[] {
  const happens = (p: number): boolean => random.uniform() < p;
  switch (step.kind) {
    case "random-resized-crop":
      return [{ kind: "crop", ...drawResizedCrop(random, source, step) }];
    case "random-crop": {
      const { padding, mode = "zero", fill } = step, places = 2 * padding + 1;
      const top = random.below(places), left = random.below(places);
      return [{ kind: "pad-crop", top, left, padding, mode, fill }];
    }
    case "horizontal-flip":
    case "vertical-flip": {
      const { kind, p = 0.5 } = step, isFirst = kind === "horizontal-flip" && key.nth === 0;
      return (isFirst ? drawFlip(key, p) : happens(p)) ? [{ kind }] : [];
    }
    case "rotation": {
      const { degrees, interpolation, fill } = step;
      const range: Interval = typeof degrees === "number" ? [-degrees, degrees] : degrees;
      return [{ kind: "rotate", degrees: between(random, range), interpolation, fill }];
    }
    case "color-jitter":
      return drawJitter(random, step);
    case "gaussian-blur": {
      const { kernel, sigma = [0.1, 2], p = 1 } = step;
      return happens(p) ? [{ kind: "blur", kernel, sigma: between(random, sigma) }] : [];
    }
    case "random-erasing": {
      const box = happens(step.p ?? 0.5) ? drawErasing(random, net, step) : undefined;
      if (box === undefined) return [];
      if (step.value !== "noise") return [{ kind: "erase", ...box }];
      return [{ kind: "erase", ...box, noise: [random.word(), random.word()] }];
    }
    case "rand-augment":
      return drawRandAugment(random, net, step);
    case "trivial-augment-wide":
      return drawTrivialAugment(random, step);
  }
}

/**
 * What is done to one picture in one epoch.
 *
 * @param augmentation checked by `checkAugmentation`
 * @param key which picture, and when
 * @param source size of the upright picture, as `imageInfo` tells it
 * @param net size of what the net sees
 */
export function drawAugmentation(
  augmentation: Augmentation,
  key: DrawKey,
  source: PictureSize,
  net: PictureSize,
): DrawnStep[] {
  const seen = new Map<string, number>();
  return augmentation.flatMap((step) => {
    const nth = seen.get(step.kind) ?? 0;
    seen.set(step.kind, nth + 1);
    // A second step of a kind draws for itself; every other one draws as if it stood alone.
    const site = nth === 0 ? step.kind : `${step.kind} ${nth}`;
    const epoch = new Random(key.seed, site, key.epoch);
    const seed = epoch.word() * 2 ** 21 + (epoch.word() >>> 11);
    return drawStep(step, new Random(seed, "picture", key.index), { ...key, nth }, [source, net]);
  });
}
