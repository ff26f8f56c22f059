/** PNG files put together and taken apart, chunk by chunk. */
import { crc32, deflateSync } from "node:zlib";
import { joined, type Pieces } from "./jpegs.ts";

/** A chunk's type and data. */
export interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** What an image header says. */
export interface Header {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  /** 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha. */
  readonly color: number;
  readonly interlaced?: boolean;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10);

/** The bytes of a chunk, with a right checksum. */
export function chunk(type: string, data: Uint8Array | readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(12 + data.length), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** The header chunk. */
export function header({ width, height, bits, color, interlaced = false }: Header): Uint8Array {
  const data = new Uint8Array(13), view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([bits, color, 0, 0, interlaced ? 1 : 0], 8);
  return chunk("IHDR", data);
}

/** A file of a header, further chunks, image data packed from `raw`, and the end mark. */
export function png(is: Header, raw: Uint8Array, chunks: Pieces = []): Uint8Array<ArrayBuffer> {
  const data = chunk("IDAT", deflateSync(raw, { level: 9 }));
  return joined([signature, header(is), ...chunks, data, chunk("IEND")]);
}

/** The chunks of a file as far as they are whole. */
export function chunksOf(bytes: Uint8Array): Chunk[] {
  const found: Chunk[] = [], view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at), end = at + 8 + length;
    if (end + 4 > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    found.push({ type, data: bytes.slice(at + 8, end) });
    at = end + 4;
  }
  return found;
}

/** The file of these chunks, checksums right. */
export function pngOf(chunks: readonly Chunk[]): Uint8Array<ArrayBuffer> {
  return joined([signature, ...chunks.map(({ type, data }) => chunk(type, data))]);
}
