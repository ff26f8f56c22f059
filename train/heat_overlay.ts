/** Heat maps as pictures: enlarged, coloured, and laid over what the net saw. */
import { ShapeError, UsageError } from "../core/errors.ts";
import type { Image } from "../data/image.ts";

/** Numbers over a picture. */
export interface HeatMap {
  /** Rows. */
  readonly height: number;
  /** Columns. */
  readonly width: number;
  /** `[height,width]`. */
  readonly values: Float32Array<ArrayBuffer>;
}

/**
 * Interpolates a map bilinearly, pixel centres at one half, borders repeated: PyTorch's
 * `interpolate(mode="bilinear", align_corners=False)`. For enlarging: it does not antialias.
 *
 * @throws {ShapeError} when a size is no whole number from 1, or the values do not fill the map
 */
export function resizeHeat(map: HeatMap, height: number, width: number): HeatMap {
  const { values } = map, isSide = (n: number): boolean => Number.isSafeInteger(n) && n >= 1;
  const isWhole = [map.height, map.width, height, width].every(isSide);
  if (!isWhole || values.length !== map.height * map.width) {
    throw new ShapeError(
      `Cannot resize a heat map of ${map.height}×${map.width} with ${values.length} values to ` +
        `${height}×${width}: sides from 1, and as many values as pixels are wanted`,
    );
  }
  const rows = positions(map.height, height), columns = positions(map.width, width);
  const result = new Float32Array(height * width);
  rows.forEach(([top, bottom, down], y) => {
    columns.forEach(([left, right, along], x) => {
      const at = (row: number, column: number): number => values[row * map.width + column];
      const above = (1 - along) * at(top, left) + along * at(top, right);
      const below = (1 - along) * at(bottom, left) + along * at(bottom, right);
      result[y * width + x] = (1 - down) * above + down * below;
    });
  });
  return { height, width, values: result };
}

/** For each new place: the two old ones that it lies between, and how far it is to the second. */
function positions(from: number, to: number): (readonly [number, number, number])[] {
  return Array.from({ length: to }, (_, k) => {
    const at = Math.max(0, (k + 0.5) * from / to - 0.5), first = Math.floor(at);
    return [first, Math.min(first + 1, from - 1), at - first];
  });
}

/** Coefficients of the powers 0 to 5 for red, green and blue. */
const turboCoefficients = [
  [0.13572138, 4.6153926, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
  [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
  [0.1066733, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
] as const;

/**
 * A colour from dark blue (0) over green to dark red (1), each part from 0 to 255: a polynomial
 * within 32 levels of the table.
 *
 * @source Mikhailov 2019, "Turbo, an improved rainbow colormap for visualization"
 */
export function turbo(value: number): readonly [red: number, green: number, blue: number] {
  const x = Math.min(1, Math.max(0, value));
  const part = (coefficients: readonly number[]): number => {
    const sum = coefficients.reduceRight((total, c) => total * x + c, 0);
    return Math.round(255 * Math.min(1, Math.max(0, sum)));
  };
  const [red, green, blue] = turboCoefficients;
  return [part(red), part(green), part(blue)];
}

/** How {@link overlayHeat} draws. */
export interface OverlayOptions {
  /** Share of the colour where it is hottest, from 0 to 1 (default 0.6). */
  readonly alpha?: number;
  /** Pixels a side that a pixel of the picture becomes (default 1): the heat gets finer by it. */
  readonly scale?: number;
}

/**
 * Lays a heat map over a picture, in the colours of {@link turbo}: the hottest place is 1, so that
 * maps of several pictures cannot be compared by their colours. What is cold shows the picture as it
 * is: a colour's share is `alpha` times the heat's square root.
 *
 * @param picture RGBA; its alpha is not looked at
 * @returns an opaque picture, `scale` times as large
 * @throws {UsageError} when an option is out of range
 * @throws {ShapeError} when the map or the picture has another number of values than its size says
 */
export function overlayHeat(picture: Image, heat: HeatMap, options: OverlayOptions = {}): Image {
  const { alpha = 0.6, scale = 1 } = options;
  if (!(alpha >= 0 && alpha <= 1) || !Number.isSafeInteger(scale) || scale < 1) {
    throw new UsageError(
      `Cannot lay heat over a picture: alpha is ${alpha} and scale ${scale}, 0 to 1 and a whole ` +
        "number from 1 are wanted",
    );
  }
  if (picture.data.length !== 4 * picture.width * picture.height) {
    throw new ShapeError(
      `Cannot lay heat over a picture: its ${picture.width}×${picture.height} pixels have ` +
        `${picture.data.length} bytes, 4 each are wanted`,
    );
  }
  const width = picture.width * scale, height = picture.height * scale;
  const { values } = resizeHeat(heat, height, width), data = new Uint8Array(4 * values.length);
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  for (let at = 0; at < values.length; at++) {
    const x = Math.floor(at % width / scale), y = Math.floor(at / width / scale);
    const from = 4 * (y * picture.width + x),
      warmth = most > 0 ? Math.max(0, values[at]) / most : 0;
    const share = alpha * Math.sqrt(warmth), colour = turbo(warmth);
    for (let c = 0; c < 3; c++) {
      data[4 * at + c] = Math.round((1 - share) * picture.data[from + c] + share * colour[c]);
    }
    data[4 * at + 3] = 255;
  }
  return { width, height, data };
}
