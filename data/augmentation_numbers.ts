/** Drawn steps as the numbers that `wasm/image/src/augment.rs` reads. */
import type { Preparation } from "../models/preparation.ts";
import type { WarpOptions } from "./augmentation.ts";
import type { DrawnStep } from "./drawn_steps.ts";

/** An opaque pixel as a `u32`; of a grey preparation it is the luma. */
function pixelOf([r, g, b]: readonly number[], isGrey: boolean): number {
  const luma = (r * 19_595 + g * 38_470 + b * 7471 + 0x8000) >> 16;
  const [red, green, blue] = isGrey ? [luma, luma, luma] : [r, g, b];
  return (0xff000000 | blue << 16 | green << 8 | red) >>> 0;
}

const black: readonly number[] = [0, 0, 0];

/** The code of a step and its numbers, as `Numbers::step` reads them. */
function numbersOf(step: DrawnStep, { channels, mean, std }: Preparation): number[] {
  const isGrey = channels === 1;
  const warp = ({ interpolation, fill }: WarpOptions): number[] => [
    interpolation === "bilinear" ? 1 : 0,
    pixelOf(fill ?? black, isGrey),
  ];
  switch (step.kind) {
    case "crop":
      return [0, step.top, step.left, step.height, step.width];
    case "horizontal-flip":
      return [1];
    case "vertical-flip":
      return [2];
    case "pad-crop": {
      const { top, left, padding, mode, fill = black } = step;
      return [3, top, left, padding, mode === "reflect" ? 1 : 0, pixelOf(fill, isGrey)];
    }
    case "rotate":
      return [4, step.degrees, ...warp(step)];
    case "shear":
      return [5, step.x, step.y, ...warp(step)];
    case "translate":
      return [6, step.x, step.y, ...warp(step)];
    case "brightness":
      return [7, step.factor];
    case "contrast":
      return [8, step.factor];
    case "saturation":
      return [9, step.factor];
    case "hue":
      return [10, step.by];
    case "sharpness":
      return [11, step.factor];
    case "posterize":
      return [12, step.bits];
    case "solarize":
      return [13, step.threshold];
    case "autocontrast":
      return [14];
    case "equalize":
      return [15];
    case "blur":
      return [16, step.kernel, step.sigma];
    case "erase": {
      const bytes = (values: readonly number[]): number[] =>
        [0, 1, 2].map((channel) => values[isGrey ? 0 : channel] * 255);
      const { top, left, height, width, noise } = step;
      const deviation = noise === undefined ? [0, 0, 0] : bytes(std);
      const key = noise ?? [0, 0];
      return [17, top, left, height, width, ...key, ...bytes(mean), ...deviation, isGrey ? 1 : 0];
    }
  }
}

/** The plan of each picture, one after another: how many numbers it has, then its steps. */
export function planNumbers(
  plans: readonly (readonly DrawnStep[])[],
  preparation: Preparation,
): Float64Array {
  return Float64Array.from(plans.flatMap((steps) => {
    const numbers = steps.flatMap((step) => numbersOf(step, preparation));
    return [numbers.length, ...numbers];
  }));
}
