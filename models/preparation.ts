/** What is done to a picture before a net sees it, as plain data: part of a model file and a run. */

/**
 * How a picture of other proportions becomes the net's.
 *
 * - `crop`: scaled until its shorter side fits, then the middle is cut out
 * - `stretch`: scaled to fit, whatever its proportions
 * - `pad`: scaled until its longer side fits, then centred on black
 */
export type Fit = "crop" | "stretch" | "pad";

/** How pixels are interpolated when a picture is scaled; all but `nearest` antialias. */
export type ResizeFilter = "nearest" | "bilinear" | "bicubic" | "lanczos3";

/** What is done to a picture before a net sees it. */
export interface Preparation {
  /** Height of what the net sees, in pixels. */
  readonly height: number;
  /** Width of what the net sees, in pixels. */
  readonly width: number;
  /** How a picture of other proportions becomes the net's. */
  readonly fit: Fit;
  /**
   * What is left of the scaled picture's side, in (0, 1]: with `crop` the net's side over the scaled
   * picture's shorter one (224/256 = 0.875 for torchvision's nets); with `stretch` and `pad` the
   * scaled picture's side over the net's, black around it.
   */
  readonly share: number;
  /** How pixels are interpolated. */
  readonly filter: ResizeFilter;
  /** 1 for grey, 3 for RGB. */
  readonly channels: 1 | 3;
  /** Mean of each channel on the scale 0–1, subtracted first. */
  readonly mean: readonly number[];
  /** Divisor of each channel on the scale 0–1, not 0. */
  readonly std: readonly number[];
}

/** ImageNet's channels, as torchvision normalises them. */
export const imagenetNormalization = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;

/** Of torchvision's nets: the shorter side scaled to 256 pixels, the middle 224 cut out. */
export const imagenetPreparation: Preparation = {
  ...{ height: 224, width: 224, fit: "crop", share: 224 / 256, filter: "bilinear" },
  ...{ channels: 3, ...imagenetNormalization },
};
