/**
 * Augmentation as plain data: what may be done to a picture of the training set, drawn anew for
 * every picture and epoch. It stands in a recipe, as JSON.
 *
 * Steps bear torchvision's names and have its meaning, for pictures of Pillow: 8 bits a channel,
 * rounded after each step. What is drawn for one picture is in `augmentation_draw.ts`, its
 * execution in `wasm/image/src/augment`. MixUp and CutMix, which mix pictures of a batch and their
 * labels, are in `mixing.ts`.
 */

/** From the first to the second number, drawn uniformly. */
export type Interval = readonly [number, number];

/** How pixels are taken that lie between others, and what lies outside. */
export interface WarpOptions {
  /** `nearest` unless told otherwise. */
  readonly interpolation?: "nearest" | "bilinear";
  /** Red, green and blue of what lies outside, 0–255; black unless told otherwise. */
  readonly fill?: readonly [number, number, number];
}

/**
 * A part of the decoded picture, scaled to the net's size by the preparation's filter; the
 * preparation's fit and share do not count then. First in the list, or not there.
 */
export interface RandomResizedCrop {
  /** Which step it is. */
  readonly kind: "random-resized-crop";
  /** Share of the picture's area (default 0.08–1). */
  readonly scale?: Interval;
  /** Width over height, drawn by its logarithm (default 3/4–4/3). */
  readonly ratio?: Interval;
}

/** The net's pixels padded on every side, and the net's size cut out anywhere. */
export interface RandomCrop {
  /** Which step it is. */
  readonly kind: "random-crop";
  /** Pixels on each side. */
  readonly padding: number;
  /** `zero` (default) pads with `fill`; `reflect` mirrors without repeating the border pixels. */
  readonly mode?: "zero" | "reflect";
  /** Red, green and blue, 0–255; black unless told otherwise. */
  readonly fill?: readonly [number, number, number];
}

/** Mirrored left to right (`horizontal-flip`) or top to bottom (`vertical-flip`). */
export interface Flip {
  /** Which step it is. */
  readonly kind: "horizontal-flip" | "vertical-flip";
  /** Probability (default 0.5). */
  readonly p?: number;
}

/** Turned about the centre, counter-clockwise. */
export interface Rotation extends WarpOptions {
  /** Which step it is. */
  readonly kind: "rotation";
  /** Degrees: an interval, or a number d for −d to d. */
  readonly degrees: number | Interval;
}

/**
 * Brightness, contrast, saturation and hue, in random order. A number b stands for factors from
 * max(0, 1−b) to 1+b, or for −b to b of hue.
 */
export interface ColorJitter {
  /** Which step it is. */
  readonly kind: "color-jitter";
  /** Factor of all values. */
  readonly brightness?: number | Interval;
  /** Factor of the difference to the mean luma. */
  readonly contrast?: number | Interval;
  /** Factor of the difference to the pixel's luma. */
  readonly saturation?: number | Interval;
  /** Turns of the hue, −0.5 to 0.5. */
  readonly hue?: number | Interval;
}

/** Blurred by a Gaussian; the picture is mirrored at its border pixels. */
export interface GaussianBlur {
  /** Which step it is. */
  readonly kind: "gaussian-blur";
  /** Pixels of the kernel's side, odd, up to 255. */
  readonly kernel: number;
  /** Standard deviation in pixels (default 0.1–2). */
  readonly sigma?: Interval;
  /** Probability (default 1); torchvision's `RandomApply`. */
  readonly p?: number;
}

/**
 * A rectangle loses its content. torchvision erases normalised values, and so it is meant here:
 * `zero` is what the net sees as 0, the preparation's mean; `noise` is the mean plus the
 * preparation's deviation times a normal deviate for each value, cut off at black and white.
 */
export interface RandomErasing {
  /** Which step it is. */
  readonly kind: "random-erasing";
  /** Probability (default 0.5). */
  readonly p?: number;
  /** Share of the area (default 0.02–0.33). */
  readonly scale?: Interval;
  /** Height over width, drawn by its logarithm (default 0.3–3.3). */
  readonly ratio?: Interval;
  /** What is there afterwards (default `zero`). */
  readonly value?: "zero" | "noise";
}

/** Some of fourteen operations, one after another, all of one strength. */
export interface RandAugment extends WarpOptions {
  /** Which step it is. */
  readonly kind: "rand-augment";
  /** How many operations (default 2). */
  readonly ops?: number;
  /** Their strength, a whole number below `bins` (default 9). */
  readonly magnitude?: number;
  /** Number of strengths (default 31). */
  readonly bins?: number;
}

/** One of fourteen operations, of any strength. */
export interface TrivialAugmentWide extends WarpOptions {
  /** Which step it is. */
  readonly kind: "trivial-augment-wide";
  /** Number of strengths (default 31). */
  readonly bins?: number;
}

/** One thing that may be done to a picture. */
export type AugmentationStep =
  | RandomResizedCrop
  | RandomCrop
  | Flip
  | Rotation
  | ColorJitter
  | GaussianBlur
  | RandomErasing
  | RandAugment
  | TrivialAugmentWide;

/** What may be done to a picture of the training set, in this order. */
export type Augmentation = readonly AugmentationStep[];

/** A named strength of augmentation. */
export type AugmentationLevel = "none" | "light" | "medium" | "strong";

/**
 * Augmentations by strength, for photographs of things that look the same in a mirror. All sizes
 * are shares, so one level serves pictures and nets of any size.
 *
 * - `light`: what no class of things minds, seven tenths of the area or more. For a few epochs, or
 *   for views whose features are computed once: a frozen net gains nothing from pictures unlike
 *   those it has learned from.
 * - `medium`: for all weights trained on hundreds of pictures a class. A third of the area still
 *   shows most objects, and colours change by less than the light of a day does; hue least of all,
 *   since it tells fruit and birds apart.
 * - `strong`: torchvision's own recipe for long training from scratch (crops from 0.08,
 *   TrivialAugmentWide, erasing with 0.1) with 0.25 for the last, as it has no MixUp and CutMix
 *   here. A crop of a twelfth often misses the object: with few epochs it costs more than it gives.
 *
 * None mixes pictures: that wants soft labels, and tens of epochs to pay.
 */
export const augmentationLevels: Readonly<Record<AugmentationLevel, Augmentation>> = {
  none: [],
  light: [
    { kind: "random-resized-crop", scale: [0.7, 1] },
    { kind: "horizontal-flip" },
  ],
  medium: [
    { kind: "random-resized-crop", scale: [0.35, 1] },
    { kind: "horizontal-flip" },
    { kind: "color-jitter", brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.03 },
    { kind: "random-erasing", p: 0.1, scale: [0.02, 0.2] },
  ],
  strong: [
    { kind: "random-resized-crop" },
    { kind: "horizontal-flip" },
    { kind: "trivial-augment-wide", interpolation: "bilinear" },
    { kind: "random-erasing", p: 0.25 },
  ],
};
