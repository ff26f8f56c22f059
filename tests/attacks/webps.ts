/** WebP files put together and taken apart, chunk by chunk. */
import type { Chunk } from "./pngs.ts";
import { joined, type Pieces } from "./jpegs.ts";

/** Four bytes, the low one first. */
export const long = (value: number): number[] => [0, 8, 16, 24].map((by) => value >>> by & 255);

/** A frame of an animation: where it lies, and the chunks of its picture. */
export interface Frame {
  readonly left?: number;
  readonly top?: number;
  readonly width: number;
  readonly height: number;
  readonly chunks: readonly Chunk[];
}

const text = (s: string): number[] => Array.from(s, (c) => c.charCodeAt(0));
const triple = (value: number): number[] => long(value).slice(0, 3);

function bytesOf({ type, data }: Chunk): Uint8Array {
  const padding = data.length % 2 === 1 ? [0] : [];
  return joined([text(type), long(data.length), data, padding]);
}

/** The chunks of a file as far as they are whole. */
export function riffChunksOf(bytes: Uint8Array, start = 12): Chunk[] {
  const found: Chunk[] = [], view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = start; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true), end = at + 8 + length;
    if (end > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at, at + 4));
    found.push({ type, data: bytes.slice(at + 8, end) });
    at = end + length % 2;
  }
  return found;
}

/** The file of these chunks, its length right. */
export function webpOf(chunks: readonly Chunk[]): Uint8Array<ArrayBuffer> {
  const body: Pieces = chunks.map(bytesOf), length = body.reduce((sum, b) => sum + b.length, 4);
  return joined([text("RIFF"), long(length), text("WEBP"), ...body]);
}

/** What a file of several chunks begins with: flags, and the size of the picture. */
export function extended(flags: number, width: number, height: number): Chunk {
  const data = joined([long(flags), triple(width - 1), triple(height - 1)]);
  return { type: "VP8X", data };
}

/** Bits of the flags. */
export const flags = { animation: 2, exif: 8, alpha: 16 } as const;

/** An animation; each frame lasts a tenth of a second and is laid over those before. */
export function animation(
  width: number,
  height: number,
  frames: readonly Frame[],
): Uint8Array<ArrayBuffer> {
  const chunks = frames.map(({ left = 0, top = 0, width, height, chunks }): Chunk => {
    const numbers = [left / 2, top / 2, width - 1, height - 1, 100].flatMap(triple);
    return { type: "ANMF", data: joined([numbers, [0], ...chunks.map(bytesOf)]) };
  });
  const control: Chunk = { type: "ANIM", data: Uint8Array.of(0, 0, 0, 0, 0, 0) };
  return webpOf([extended(flags.animation | flags.alpha, width, height), control, ...chunks]);
}

/** A lossless picture of one colour: five codes of a single symbol each, and no bit for a pixel. */
export function flatWebp(width: number, height: number, rgba: readonly number[]) {
  const bits: number[] = [], [red, green, blue, alpha] = rgba;
  const put = (value: number, count: number) => {
    for (let i = 0; i < count; i++) bits.push(value >> i & 1);
  };
  for (const [value, count] of [[0x2f, 8], [width - 1, 14], [height - 1, 14], [1, 1], [0, 3]]) {
    put(value, count);
  }
  put(0, 3); // no transform, no cache, no codes by place
  for (const symbol of [green, red, blue, alpha, 0]) {
    put(0b101, 3); // simple, of one symbol, of 8 bits
    put(symbol, 8);
  }
  const data = new Uint8Array(Math.ceil(bits.length / 8) + 8);
  bits.forEach((bit, i) => data[i >> 3] |= bit << (i & 7));
  return webpOf([{ type: "VP8L", data }]);
}
