/**
 * The fourteen operations of RandAugment and TrivialAugmentWide, and which of them are drawn.
 *
 * @source torchvision 0.14, `autoaugment.py`
 */
import type { Random } from "../core/rng.ts";
import type { RandAugment, TrivialAugmentWide, WarpOptions } from "./augmentation.ts";
import type { DrawnStep, PictureSize } from "./drawn_steps.ts";

/** Python's `round`: a half goes to the even neighbour. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + floor % 2 : Math.round(x);
}

/** An operation of RandAugment and TrivialAugmentWide: its strengths, and what it is with one. */
export interface AugmentationOperation {
  /** torchvision's name. */
  readonly name: string;
  /** Strength by bin; none where the operation has none. */
  readonly strengths: readonly number[];
  /** True where the strength's sign is drawn. */
  readonly isSigned: boolean;
  /** The step of a strength; the identity is none. */
  readonly step?: (strength: number, warp: WarpOptions) => DrawnStep;
}

/** How strong operations may become: RandAugment's, or TrivialAugment's wider ones. */
interface Space {
  readonly shear: number;
  readonly translate: readonly [x: number, y: number];
  readonly degrees: number;
  readonly factor: number;
  readonly bits: number;
}

/**
 * The fourteen operations, in torchvision's order.
 *
 * @param bins number of strengths
 * @param size the net's, for RandAugment, which moves pictures by a share of it; without it
 *   TrivialAugmentWide's operations
 */
export function augmentationSpace(bins: number, size?: PictureSize): AugmentationOperation[] {
  const most: Space = size === undefined
    ? { shear: 0.99, translate: [32, 32], degrees: 135, factor: 0.99, bits: 6 }
    : {
      ...{ shear: 0.3, degrees: 30, factor: 0.9, bits: 4 },
      translate: [150 / 331 * size.width, 150 / 331 * size.height],
    };
  const row = (
    name: string,
    strength: (bin: number) => number,
    step: AugmentationOperation["step"],
  ): AugmentationOperation => ({
    ...{ name, step, isSigned: false },
    strengths: Array.from({ length: bins }, (_, bin) => strength(bin)),
  });
  const signed = (name: string, top: number, step: AugmentationOperation["step"]) => ({
    ...row(name, (bin) => top * bin / (bins - 1), step),
    isSigned: true,
  });
  const plain = (name: string, kind?: "autocontrast" | "equalize"): AugmentationOperation => ({
    ...{ name, strengths: [], isSigned: false },
    step: kind && (() => ({ kind })),
  });
  const factor = (name: string, kind: "brightness" | "saturation" | "contrast" | "sharpness") =>
    signed(name, most.factor, (strength) => ({ kind, factor: 1 + strength }));
  const [across, down] = most.translate;
  return [
    plain("Identity"),
    signed("ShearX", most.shear, (x, warp) => ({ kind: "shear", x, y: 0, ...warp })),
    signed("ShearY", most.shear, (y, warp) => ({ kind: "shear", x: 0, y, ...warp })),
    signed("TranslateX", across, (x, w) => ({ kind: "translate", x: Math.trunc(x), y: 0, ...w })),
    signed("TranslateY", down, (y, w) => ({ kind: "translate", x: 0, y: Math.trunc(y), ...w })),
    signed("Rotate", most.degrees, (degrees, warp) => ({ kind: "rotate", degrees, ...warp })),
    factor("Brightness", "brightness"),
    factor("Color", "saturation"),
    factor("Contrast", "contrast"),
    factor("Sharpness", "sharpness"),
    row(
      "Posterize",
      (bin) => 8 - roundEven(bin * most.bits / (bins - 1)),
      (bits) => ({ kind: "posterize", bits }),
    ),
    row(
      "Solarize",
      (bin) => 255 - 255 * bin / (bins - 1),
      (threshold) => ({ kind: "solarize", threshold }),
    ),
    plain("AutoContrast", "autocontrast"),
    plain("Equalize", "equalize"),
  ];
}

/** One operation, of the strength that `bin` gives for it. */
function drawOperation(
  random: Random,
  space: readonly AugmentationOperation[],
  bin: () => number,
  { interpolation, fill }: WarpOptions,
): DrawnStep[] {
  const { strengths, isSigned, step } = space[random.below(space.length)];
  let strength = strengths.length === 0 ? 0 : strengths[bin()];
  if (isSigned && random.below(2) === 1) strength = -strength;
  return step === undefined ? [] : [step(strength, { interpolation, fill })];
}

/** What `RandAugment` does to a picture of this size. */
export function drawRandAugment(
  random: Random,
  size: PictureSize,
  { ops = 2, magnitude = 9, bins = 31, ...warp }: Omit<RandAugment, "kind"> = {},
): DrawnStep[] {
  const space = augmentationSpace(bins, size);
  return Array.from({ length: ops }, () => drawOperation(random, space, () => magnitude, warp))
    .flat();
}

/** What `TrivialAugmentWide` does. */
export function drawTrivialAugment(
  random: Random,
  { bins = 31, ...warp }: Omit<TrivialAugmentWide, "kind"> = {},
): DrawnStep[] {
  return drawOperation(random, augmentationSpace(bins), () => random.below(bins), warp);
}
