/** JPEG files put together and taken apart, segment by segment. */
import { Buffer } from "node:buffer";

/** A marker with its segment and, after a scan header, the entropy-coded data. */
export interface Segment {
  /** The byte after FF. */
  readonly marker: number;
  /** All bytes: FF, the marker, length and body where it has them, data. */
  readonly bytes: Uint8Array;
}

/** Marker of a frame: baseline, progressive, lossless. */
export const frames = { baseline: 0xc0, progressive: 0xc2, lossless: 0xc3 } as const;

/** Pieces of a file, one after another. */
export type Pieces = readonly (Uint8Array | readonly number[])[];

/** All bytes in one array. */
export function joined(pieces: Pieces): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(pieces.map((piece) => Uint8Array.from(piece))));
}

/** A marker segment: its length is put before its body. */
export function segment(marker: number, body: Uint8Array | readonly number[]): Uint8Array {
  const length = body.length + 2;
  return joined([[0xff, marker, length >> 8, length & 255], body]);
}

/** The frame header; one byte of sampling factors a component, which are numbered from 1. */
export function frame(
  marker: number,
  width: number,
  height: number,
  sampling: readonly number[],
  precision = 8,
): Uint8Array {
  const components = sampling.flatMap((factors, i) => [i + 1, factors, 0]);
  const sizes = [height >> 8, height & 255, width >> 8, width & 255];
  return segment(marker, [precision, ...sizes, sampling.length, ...components]);
}

/** A scan header over components by their numbers; its data follow in the file. */
export function scan(ids: readonly number[], start: number, end: number, bits = 0): Uint8Array {
  return segment(0xda, [ids.length, ...ids.flatMap((id) => [id, 0]), start, end, bits]);
}

/** Tables with a single code, the bit 0: `dc` and `ac` are what it means. */
export function oneCodeTables(dc: number, ac: number): Uint8Array {
  const table = (place: number, value: number) => [place, 1, ...new Array(15).fill(0), value];
  const quantisation = segment(0xdb, [0, ...new Array(64).fill(1)]);
  return joined([quantisation, segment(0xc4, [...table(0, dc), ...table(0x10, ac)])]);
}

/** A whole file around its segments. */
export function jpeg(pieces: Pieces): Uint8Array<ArrayBuffer> {
  return joined([[0xff, 0xd8], ...pieces, [0xff, 0xd9]]);
}

/** Where the data after a scan header end: at a marker that is no restart. */
function dataEnd(bytes: Uint8Array, at: number): number {
  while (at + 1 < bytes.length) {
    const next = bytes[at + 1];
    if (bytes[at] === 0xff && next !== 0 && next !== 0xff && (next & 0xf8) !== 0xd0) return at;
    at++;
  }
  return bytes.length;
}

/** The segments of a file, the end mark too; what cannot be told apart is one piece at the end. */
export function segmentsOf(bytes: Uint8Array): Segment[] {
  const found: Segment[] = [];
  for (let at = 2; at < bytes.length;) {
    const marker = bytes[at + 1] ?? 0;
    const length = (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0);
    const isWhole = bytes[at] === 0xff && marker >= 0xc0 && marker !== 0xd9;
    let end = isWhole ? Math.min(at + 2 + length, bytes.length) : bytes.length;
    if (marker === 0xda) end = dataEnd(bytes, end);
    found.push({ marker, bytes: bytes.slice(at, end) });
    at = end;
  }
  return found;
}
