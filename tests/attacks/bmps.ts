/** BMP files written by their definition. */
import { joined } from "./jpegs.ts";
import { long } from "./webps.ts";

/** What a file holds. */
export interface Bmp {
  readonly width: number;
  readonly height: number;
  /** Bits a pixel. */
  readonly bits: number;
  /** The bits of each pixel, upright, row by row. */
  readonly pixels: ArrayLike<number>;
  /** Red, green and blue of each colour; for 8 bits and fewer. */
  readonly palette?: Uint8Array;
  /** Bytes of the header: 12, 40, 52, 56, 64, 108 or 124. */
  readonly header?: number;
  /** Masks of red, green, blue and, if there is one, alpha. */
  readonly masks?: readonly number[];
  readonly topDown?: boolean;
  /** Number of the compression; by the masks unless told otherwise. */
  readonly compression?: number;
}

const short = (value: number): number[] => [value & 255, value >> 8 & 255];

/** A row's pixels, the first one in the highest bits of a byte or, of whole bytes, the low first. */
function rowOf({ width, bits, pixels }: Bmp, y: number): Uint8Array {
  const row = new Uint8Array(Math.ceil(width * bits / 32) * 4);
  for (let x = 0; x < width; x++) {
    const pixel = pixels[y * width + x], at = x * bits >> 3;
    if (bits < 8) row[at] |= pixel << 8 - bits - x * bits % 8;
    else for (let i = 0; i < bits / 8; i++) row[at + i] = pixel >>> 8 * i & 255;
  }
  return row;
}

/** The bytes of a file. */
export function bmp(is: Bmp): Uint8Array<ArrayBuffer> {
  const { width, height, bits, palette = new Uint8Array(), header = 40, masks = [] } = is;
  const { compression = masks.length === 0 ? 0 : masks.length > 3 && header === 40 ? 6 : 3 } = is;
  const isCore = header === 12, entry = isCore ? 3 : 4, colours = palette.length / 3;
  const fields = isCore ? [...short(width), ...short(height), ...short(1), ...short(bits)] : [
    ...[...long(width), ...long(is.topDown ? -height : height), ...short(1), ...short(bits)],
    ...[compression, 0, 0, 0, colours, 0].flatMap(long),
  ];
  // Behind the header where it has no room for them.
  const behind = header === 40 ? masks.flatMap(long) : [];
  const inside = header > 40 ? masks.flatMap(long) : [];
  const head = new Uint8Array(header);
  head.set([...long(header), ...fields, ...inside]);
  const table = Array.from({ length: colours }, (_, i) => {
    const [r, g, b] = palette.subarray(3 * i, 3 * i + 3);
    return [b, g, r, 0].slice(0, entry);
  });
  const order = Array.from({ length: height }, (_, y) => is.topDown ? y : height - 1 - y);
  const rows = order.map((y) => rowOf(is, y));
  const data = 14 + header + behind.length + colours * entry;
  const size = data + rows.reduce((sum, row) => sum + row.length, 0);
  const mark = [0x42, 0x4d, ...long(size), 0, 0, 0, 0, ...long(data)];
  return joined([mark, head, behind, table.flat(), ...rows]);
}
