/** What one picture goes through, drawn: plain numbers that the Rust crate carries out. */
import type { Interval, WarpOptions } from "./augmentation.ts";

/** A size in pixels. */
export interface PictureSize {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** A rectangle in pixels, its origin at the top left. */
export interface DrawnBox extends PictureSize {
  /** First row. */
  readonly top: number;
  /** First column. */
  readonly left: number;
}

/** One thing that is done to one picture, with its numbers. */
export type DrawnStep =
  /** The part of the upright picture that is scaled to the net's size; first, or not there. */
  | DrawnBox & { readonly kind: "crop" }
  | { readonly kind: "horizontal-flip" | "vertical-flip" | "autocontrast" | "equalize" }
  /** Padded, then cut to the net's size again, from (top, left) of the padded picture on. */
  | Pick<DrawnBox, "top" | "left"> & Pick<WarpOptions, "fill"> & {
    readonly kind: "pad-crop";
    readonly padding: number;
    readonly mode: "zero" | "reflect";
  }
  | WarpOptions & { readonly kind: "rotate"; readonly degrees: number }
  /**
   * The new pixel in row i and column j is the old one in row i + y·j and column j + x·i (`shear`),
   * or i − y and j − x, in whole pixels (`translate`).
   */
  | WarpOptions & {
    readonly kind: "shear" | "translate";
    readonly x: number;
    readonly y: number;
  }
  | {
    readonly kind: "brightness" | "contrast" | "saturation" | "sharpness";
    readonly factor: number;
  }
  /** Turns, −0.5 to 0.5. */
  | { readonly kind: "hue"; readonly by: number }
  | { readonly kind: "posterize"; readonly bits: number }
  | { readonly kind: "solarize"; readonly threshold: number }
  | { readonly kind: "blur"; readonly kernel: number; readonly sigma: number }
  /** With the preparation's mean, or with noise: two words, the key of its random numbers. */
  | DrawnBox & { readonly kind: "erase"; readonly noise?: Interval };
