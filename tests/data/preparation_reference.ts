/** What a net sees of a picture, by definition: the whole picture is scaled, then cut or padded. */
import type { Preparation, ResizeFilter } from "../../models/preparation.ts";
import type { Image } from "../../data/image.ts";

const sinc = (x: number): number => x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);

/** Kernels and how far they reach. */
const kernels: Record<Exclude<ResizeFilter, "nearest">, [number, (x: number) => number]> = {
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  // Keys 1981 with a = -1/2.
  bicubic: [2, (signed) => {
    const x = Math.abs(signed);
    if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
    return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
  }],
  lanczos3: [3, (x) => Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0],
};

/** The pixels of an axis that make new pixel `i`, with their weights, as in Pillow's Resample.c. */
function taps(i: number, from: number, to: number, filter: ResizeFilter): [number, number][] {
  const scale = from / to, center = (i + 0.5) * scale;
  if (filter === "nearest") return [[Math.floor((2 * i + 1) * from / (2 * to)), 1]];
  const [reach, kernel] = kernels[filter], wide = Math.max(scale, 1);
  const first = Math.max(Math.trunc(center - reach * wide + 0.5), 0);
  const end = Math.min(Math.trunc(center + reach * wide + 0.5), from);
  const weights = Array.from(
    { length: end - first },
    (_, k) => kernel((k + first - center + 0.5) / wide),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight, k) => [first + k, weight / sum]);
}

/** Opaque pixels scaled across, rounded to bytes, then down. */
function scaled(image: Image, width: number, height: number, filter: ResizeFilter): Image {
  const pass = (
    length: number,
    other: number,
    from: number,
    at: (i: number, j: number) => number,
  ) =>
    Array.from({ length }, (_, i) => {
      const list = taps(i, from, length, filter);
      return Array.from({ length: other }, (_, j) => {
        const sum = list.reduce((sum, [k, weight]) => sum + weight * at(k, j), 0);
        return Math.min(Math.max(Math.round(sum), 0), 255);
      });
    });
  const { data } = image, rows = image.height;
  // Columns of rows times channels, then rows of columns times channels.
  const across = pass(
    width,
    rows * 4,
    image.width,
    (x, j) => data[4 * ((j >> 2) * image.width + x) + (j & 3)],
  );
  const down = pass(height, width * 4, rows, (y, j) => across[j >> 2][4 * y + (j & 3)]);
  return { width, height, data: Uint8Array.from(down.flat()) };
}

/** Python's `round`: a half goes to the even neighbour. */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + floor % 2 : Math.round(x);
}

/** Width and height of the whole scaled picture. */
function scaledSize(image: Image, p: Preparation): [number, number] {
  const side = (length: number) =>
    p.fit === "crop" ? Math.round(length / p.share) : Math.max(1, Math.round(length * p.share));
  const [w, h] = [side(p.width), side(p.height)];
  if (p.fit === "stretch") return [w, h];
  const isByWidth = p.fit === "crop"
    ? w / image.width > h / image.height
    : w / image.width < h / image.height;
  return isByWidth
    ? [w, Math.max(1, Math.trunc(w * image.height / image.width))]
    : [Math.max(1, Math.trunc(h * image.width / image.height)), h];
}

/** The pixels of an opaque picture, RGBA. */
export function prepared(image: Image, p: Preparation): { data: Uint8Array; isPadding: boolean[] } {
  const [width, height] = scaledSize(image, p), whole = scaled(image, width, height, p.filter);
  const offset = (whole: number, side: number) =>
    p.fit === "crop" ? -roundEven((whole - side) / 2) : Math.floor((side - whole) / 2);
  const left = offset(width, p.width), top = offset(height, p.height);
  const data = new Uint8Array(4 * p.width * p.height), isPadding: boolean[] = [];
  for (let y = 0; y < p.height; y++) {
    for (let x = 0; x < p.width; x++) {
      const [sx, sy] = [x - left, y - top], at = 4 * (y * p.width + x);
      const inside = sx >= 0 && sy >= 0 && sx < width && sy < height;
      isPadding.push(!inside);
      data[at + 3] = 255;
      if (!inside) continue;
      const pixel = whole.data.subarray(4 * (sy * width + sx), 4 * (sy * width + sx) + 3);
      const [r, g, b] = pixel, luma = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
      data.set(p.channels === 1 ? [luma, luma, luma] : pixel, at);
    }
  }
  return { data, isPadding };
}
