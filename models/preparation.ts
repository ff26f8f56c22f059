/** What is done to a picture before a net sees it, as plain data: part of a model file and a run. */
import { DataError } from "../core/errors.ts";
import { printableJson } from "./checkpoint/byte_reader.ts";

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

/** Means and divisors of the channels by the names that people know them by. */
export const normalizations = {
  /** ImageNet's statistics. */
  "imagenet": imagenetNormalization,
  /** CIFAR-10's statistics. */
  "cifar10": { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  /** From −1 to 1. */
  "half": { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  /** From 0 to 1. */
  "none": { mean: [0, 0, 0], std: [1, 1, 1] },
} as const satisfies Record<string, Pick<Preparation, "mean" | "std">>;

/** Of torchvision's nets: the shorter side scaled to 256 pixels, the middle 224 cut out. */
export const imagenetPreparation: Preparation = {
  ...{ height: 224, width: 224, fit: "crop", share: 224 / 256, filter: "bilinear" },
  ...{ channels: 3, ...imagenetNormalization },
};

const fits: readonly string[] = ["crop", "stretch", "pad"] satisfies Fit[];
const filters: readonly string[] = [
  ...["nearest", "bilinear", "bicubic", "lanczos3"] satisfies ResizeFilter[],
];
/** Larger than any net's picture, small enough that its pixels can be counted. */
const maxSide = 65_536;

/**
 * Reads a preparation from JSON, as `JSON.stringify` writes it. Every field must be there and no
 * other: one that is not known might change what the net sees.
 *
 * @param action what is being done, for messages
 * @throws {DataError} when it is no JSON object, or a field is missing, wrong or unknown
 * @example
 * ```ts
 * import { models, parsePreparation } from "../mod.ts";
 * const { height, fit } = parsePreparation(JSON.stringify(models["resnet18"].preparation));
 * console.log(height, fit); // 224 "crop"
 * ```
 */
export function parsePreparation(text: string, action = "read a preparation"): Preparation {
  const fail = (what: string): never => {
    throw new DataError(`Cannot ${action}: ${what}`);
  };
  const fields = objectIn(text) ?? fail("its preparation is no JSON object, one is wanted");
  const take = <T>(key: keyof Preparation, is: (v: unknown) => v is T, wanted: string): T => {
    const value = fields.get(key);
    fields.delete(key);
    if (is(value)) return value;
    const found = value === undefined ? "is missing" : `is ${shown(value)}`;
    return fail(`its preparation's ${key} ${found}, ${wanted} is wanted`);
  };
  const isSide = (v: unknown): v is number =>
    Number.isInteger(v) && v as number >= 1 && v as number <= maxSide;
  const side = `a whole number from 1 to ${maxSide}`;
  const height = take("height", isSide, side), width = take("width", isSide, side);
  const fit = take("fit", (v): v is Fit => isIn(fits, v), `one of ${fits.join(", ")}`);
  const isShare = (v: unknown): v is number => {
    if (typeof v !== "number" || !(v > 0 && v <= 1)) return false;
    // What is scaled must have a pixel, and be no larger than a net's picture may be.
    const isBounded = fit !== "crop" || Math.max(height, width) / v <= maxSide;
    return isBounded && v * Math.min(height, width) >= 0.5;
  };
  const share = take("share", isShare, "a number above 0 and at most 1 that leaves a pixel");
  const filter = take(
    "filter",
    (v): v is ResizeFilter => isIn(filters, v),
    `one of ${filters.join(", ")}`,
  );
  const channels = take("channels", (v): v is 1 | 3 => v === 1 || v === 3, "1 or 3");
  const isList = (v: unknown): v is number[] =>
    Array.isArray(v) && v.length === channels && v.every(Number.isFinite);
  const mean = take("mean", isList, `a list of ${channels} numbers`);
  const std = take(
    "std",
    (v): v is number[] => isList(v) && v.every((s) => s > 0),
    `a list of ${channels} numbers above 0`,
  );
  for (const key of fields.keys()) fail(`its preparation has an unknown field ${shown(key)}`);
  return { height, width, fit, share, filter, channels, mean, std };
}

const isIn = (list: readonly string[], value: unknown): boolean =>
  typeof value === "string" && list.includes(value);

/** A value of a JSON text for a message; it may be of any kind, length and depth. */
function shown(value: unknown): string {
  try {
    return printableJson(`${JSON.stringify(value)}`.slice(0, 80));
  } catch {
    return "[[…]]"; // nested deeper than the stack
  }
}

function objectIn(text: string): Map<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? new Map(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
