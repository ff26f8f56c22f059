/** GIF files written by their definition. */
import { joined, type Pieces } from "./jpegs.ts";

/** A picture of indices into a palette, and where it lies on the screen. */
export interface GifFrame {
  readonly left?: number;
  readonly top?: number;
  readonly width: number;
  readonly height: number;
  /** One a pixel. */
  readonly indices: ArrayLike<number>;
  /** Bits of an index, 1 to 8. */
  readonly bits: number;
  /** Red, green and blue of `2 ** bits` colours; the file's own unless told otherwise. */
  readonly palette?: Uint8Array;
  /** Index of the colour that is not seen. */
  readonly transparent?: number;
  readonly interlaced?: boolean;
}

/** A file: the screen, its palette, and the frames. */
export interface Gif {
  readonly width: number;
  readonly height: number;
  readonly palette?: Uint8Array;
  readonly frames: readonly GifFrame[];
}

const short = (value: number): number[] => [value & 255, value >> 8];

/** Data in blocks of at most 255 bytes, and the empty one at the end. */
function blocks(data: Uint8Array): Uint8Array {
  const pieces: (readonly number[] | Uint8Array)[] = [];
  for (let at = 0; at < data.length; at += 255) {
    const block = data.subarray(at, at + 255);
    pieces.push([block.length], block);
  }
  return joined([...pieces, [0]]);
}

/** LZW with codes of growing length, cleared when all of 12 bits are used up. */
export function lzw(indices: ArrayLike<number>, bits: number): Uint8Array {
  const out: number[] = [], clear = 1 << bits;
  let codes = new Map<string, number>(), width = bits + 1, held = 0, heldBits = 0;
  const put = (code: number) => {
    held |= code << heldBits;
    for (heldBits += width; heldBits >= 8; heldBits -= 8, held >>>= 8) out.push(held & 255);
  };
  const restart = () => {
    put(clear);
    width = bits + 1;
    codes = new Map(Array.from({ length: clear }, (_, i) => [`${i}`, i]));
  };
  restart();
  let word = "", next = clear + 2;
  for (let i = 0; i < indices.length; i++) {
    const longer = word === "" ? `${indices[i]}` : `${word},${indices[i]}`;
    if (codes.has(longer)) {
      word = longer;
      continue;
    }
    put(codes.get(word)!);
    word = `${indices[i]}`;
    codes.set(longer, next++);
    if (next > 1 << width) width++;
    if (next <= 4095) continue;
    put(codes.get(word)!);
    word = "";
    restart();
    next = clear + 2;
  }
  // A reader adds a word after each code, and so after this one too.
  if (word !== "") {
    put(codes.get(word)!);
    if (++next > 1 << width && width < 12) width++;
  }
  put(clear + 1);
  if (heldBits > 0) out.push(held & 255);
  return Uint8Array.from(out);
}

/** Rows in the order an interlaced picture has them. */
export function interlacedRows(height: number): number[] {
  const passes = [[0, 8], [4, 8], [2, 4], [1, 2]];
  return passes.flatMap(([start, step]) => {
    const rows: number[] = [];
    for (let y = start; y < height; y += step) rows.push(y);
    return rows;
  });
}

function frameOf(frame: GifFrame): Pieces {
  const { left = 0, top = 0, width, height, bits, palette, transparent, interlaced } = frame;
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0];
  const flags = (palette ? 0x80 | bits - 1 : 0) | (interlaced ? 0x40 : 0);
  const head = [0x2c, ...[left, top, width, height].flatMap(short), flags];
  const order = interlaced ? interlacedRows(height) : Array.from({ length: height }, (_, y) => y);
  const rows = order.flatMap((y) =>
    Array.from({ length: width }, (_, x) => frame.indices[y * width + x])
  );
  const size = Math.max(2, bits);
  return [control, head, palette ?? [], [size], blocks(lzw(rows, size))];
}

/** The bytes of a file. */
export function gif({ width, height, palette, frames }: Gif): Uint8Array<ArrayBuffer> {
  const flags = palette ? 0x80 | Math.log2(palette.length / 3) - 1 : 0;
  const mark = Array.from("GIF89a", (c) => c.charCodeAt(0));
  const head = [...mark, ...short(width), ...short(height), flags, 0, 0];
  return joined([head, palette ?? [], ...frames.flatMap(frameOf), [0x3b]]);
}
