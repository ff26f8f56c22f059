/** Damage to pictures: of any bytes, and of the parts that a PNG, JPEG or WebP is made of. */
import { deflateSync, inflateSync } from "node:zlib";
import type { Random } from "../../core/rng.ts";
import { joined, type Segment, segmentsOf } from "./jpegs.ts";
import { type Chunk, chunksOf, pngOf } from "./pngs.ts";
import { riffChunksOf, webpOf } from "./webps.ts";

/** Changes a file, with another of its format to take parts from. */
type Mutation = (random: Random, bytes: Uint8Array, other: Uint8Array) => Uint8Array;
/** Changes a list of parts in place. */
type Surgery<T> = (random: Random, parts: T[], others: readonly T[]) => void;

/** Numbers that programs stumble over. */
const awkward = [0, 1, 2, 3, 7, 8, 15, 16, 63, 64, 127, 128, 253, 254, 255];
const sizes = [0, 1, 2, 7, 8, 9, 17, 255, 256, 1000, 4097, 16_384, 30_000, 65_535];

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)];
const byte = (random: Random): number =>
  random.below(2) === 0 ? pick(random, awkward) : random.below(256);

/** Sets a few bytes, or flips a few bits, anywhere from `start` on. */
function scribble(random: Random, bytes: Uint8Array, start = 0): void {
  if (bytes.length <= start) return;
  const isFlip = random.below(2) === 0;
  for (let count = 1 + random.below(8); count > 0; count--) {
    const at = start + random.below(bytes.length - start);
    bytes[at] = isFlip ? bytes[at] ^ 1 << random.below(8) : byte(random);
  }
}

/** A stretch of bytes: where it starts and ends. */
function stretch(random: Random, length: number): [number, number] {
  const start = random.below(length);
  return [start, start + 1 + random.below(Math.min(length - start, 1 << random.below(12)))];
}

const anyBytes: readonly Mutation[] = [
  (random, bytes) => {
    const changed = bytes.slice();
    scribble(random, changed, 2);
    return changed;
  },
  // A cut, now and then with a JPEG's end mark behind it.
  (random, bytes) => {
    const left = bytes.subarray(0, random.below(bytes.length));
    return joined([left, random.below(2) === 0 ? [0xff, 0xd9] : []]);
  },
  (random, bytes) => {
    const [start, end] = stretch(random, bytes.length);
    return joined([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  (random, bytes) => {
    const [start, end] = stretch(random, bytes.length);
    return joined([bytes.subarray(0, end), bytes.subarray(start)]);
  },
  (random, bytes, other) => {
    const [start, end] = stretch(random, other.length), at = random.below(bytes.length);
    return joined([bytes.subarray(0, at), other.subarray(start, end), bytes.subarray(at)]);
  },
];

/** A part dropped, repeated, moved, or taken from the other file. */
const anyParts = <T>(random: Random, parts: T[], others: readonly T[]): void => {
  const at = random.below(parts.length), to = random.below(parts.length + 1);
  const action = random.below(5);
  if (action === 0) parts.splice(at, 1);
  else if (action === 1) {
    parts.splice(to, 0, ...new Array<T>(1 + random.below(1 << random.below(9))).fill(parts[at]));
  } else if (action === 2) parts.splice(to, 0, ...parts.splice(at, 1));
  else if (others.length > 0) parts.splice(to, action - 3, pick(random, others));
};

/** Applies `change` to a copy of the first part of a kind. */
function within<T extends { readonly bytes: Uint8Array } | { readonly data: Uint8Array }>(
  parts: T[],
  isWanted: (part: T) => boolean,
  change: (bytes: Uint8Array) => Uint8Array | void,
): void {
  const at = parts.findIndex(isWanted), part = parts[at];
  if (part === undefined) return;
  const key = "bytes" in part ? "bytes" : "data";
  const copy = ("bytes" in part ? part.bytes : part.data).slice();
  parts[at] = { ...part, [key]: change(copy) ?? copy };
}

const chunkSurgery: readonly Surgery<Chunk>[] = [
  anyParts,
  // Sizes in the header, then its other fields.
  (random, chunks) =>
    within(chunks, ({ type }) => type === "IHDR", (data) => {
      if (data.length < 8) return;
      const view = new DataView(data.buffer, data.byteOffset), at = 4 * random.below(2);
      view.setUint32(at, random.below(8) === 0 ? random.word() : pick(random, sizes));
    }),
  (random, chunks) =>
    within(chunks, ({ type }) => type === "IHDR", (data) => {
      data[8 + random.below(5)] = pick(random, [0, 1, 2, 3, 4, 6, 8, 16]);
    }),
  // The length of a chunk's data, or the data.
  (random, chunks) => {
    const wanted = random.below(chunks.length);
    within(chunks, (part) => part === chunks[wanted], (data) => {
      const length = pick(random, [0, 1, 3, 4, data.length - 1, data.length + 1, 769]);
      return joined([data, new Uint8Array(800)]).slice(0, Math.max(0, length));
    });
  },
  (random, chunks) => {
    const wanted = random.below(chunks.length);
    within(chunks, (part) => part === chunks[wanted], (data) => scribble(random, data));
  },
  // The filtered rows, packed again.
  (random, chunks) =>
    within(chunks, ({ type }) => type === "IDAT", (data) => {
      try {
        const rows = new Uint8Array(inflateSync(data, { maxOutputLength: 1 << 22 }));
        scribble(random, rows);
        return new Uint8Array(deflateSync(rows.subarray(0, rows.length - random.below(3))));
      } catch { // cut into several chunks, or damaged before
        scribble(random, data);
      }
    }),
];

const isFrame = ({ marker }: Segment) => marker >= 0xc0 && marker <= 0xc3;
const isScan = ({ marker }: Segment) => marker === 0xda;

const segmentSurgery: readonly Surgery<Segment>[] = [
  anyParts,
  // Sizes in the frame header, then its other fields.
  (random, segments) =>
    within(segments, isFrame, (bytes) => {
      const at = 5 + 2 * random.below(2);
      if (bytes.length >= 9) new DataView(bytes.buffer).setUint16(at, pick(random, sizes));
    }),
  (random, segments) =>
    within(segments, isFrame, (bytes) => {
      if (random.below(3) === 0) bytes[1] = 0xc0 + random.below(4);
      else scribble(random, bytes, 9);
    }),
  // Scans repeated, changed in their header, or without data.
  (random, segments) => {
    const scans = segments.filter(isScan), end = segments.length - 1;
    if (scans.length === 0) return;
    const again = new Array<Segment>(1 + random.below(1 << random.below(9))).fill(
      pick(random, scans),
    );
    segments.splice(end, 0, ...again);
  },
  (random, segments) => {
    const scans = segments.filter(isScan), wanted = scans[random.below(scans.length || 1)];
    within(segments, (part) => part === wanted, (bytes) => {
      const headerBytes = 2 + bytes[2] * 256 + bytes[3];
      if (random.below(3) === 0) return bytes.slice(0, headerBytes + random.below(20));
      bytes[Math.min(4 + random.below(headerBytes - 4 || 1), bytes.length - 1)] = byte(random);
    });
  },
  // The length of a segment, or its body.
  (random, segments) => {
    const wanted = random.below(segments.length);
    within(segments, (part) => part === segments[wanted], (bytes) => {
      if (random.below(2) === 0) bytes[2 + random.below(2)] = byte(random);
      else scribble(random, bytes, 4);
    });
  },
];

const riffSurgery: readonly Surgery<Chunk>[] = [
  anyParts,
  // A chunk's data, anywhere or in the numbers at their beginning; sizes in a bit stream's header.
  (random, chunks) => {
    const wanted = random.below(chunks.length);
    within(chunks, (part) => part === chunks[wanted], (data) => scribble(random, data));
  },
  (random, chunks) => {
    const wanted = random.below(chunks.length);
    within(chunks, (part) => part === chunks[wanted], (data) => {
      if (data.length > 0) data[random.below(Math.min(data.length, 30))] = byte(random);
    });
  },
  (random, chunks) =>
    within(chunks, ({ type }) => type === "VP8 ", (data) => {
      const view = new DataView(data.buffer, data.byteOffset, data.length);
      if (data.length >= 10) view.setUint16(6 + 2 * random.below(2), pick(random, sizes), true);
    }),
  (random, chunks) => {
    const wanted = random.below(chunks.length);
    within(chunks, (part) => part === chunks[wanted], (data) => {
      return data.slice(0, random.below(data.length + 1));
    });
  },
  // One kind of chunk for another.
  (random, chunks) => {
    const at = random.below(chunks.length), types = ["VP8 ", "VP8L", "ALPH", "ANMF", "EXIF"];
    chunks[at] = { ...chunks[at], type: pick(random, types) };
  },
];

/** Numbers in the header of a GIF or BMP, or in what follows it. */
function inHeader(random: Random, bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice(), at = 2 + random.below(Math.min(bytes.length - 3, 64));
  const view = new DataView(changed.buffer), action = random.below(3);
  if (action === 0) changed[at] = byte(random);
  else if (action === 1) view.setUint16(at, pick(random, sizes), true);
  else if (at + 4 <= bytes.length) view.setUint32(at, random.word(), true);
  return changed;
}

function mutateParts<T>(random: Random, parts: T[], others: T[], how: readonly Surgery<T>[]): T[] {
  if (parts.length > 0) pick(random, how)(random, parts, others);
  return parts;
}

/**
 * One to three changes of a file. A PNG's checksums are put right where its parts are changed, so
 * that the change comes to the decoder behind them.
 */
export function mutated(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let result = bytes;
  const mark = bytes[0], isGifOrBmp = mark === 0x47 || mark === 0x42;
  for (let left = 1 + random.below(3) * random.below(2); left > 0 && result.length > 8; left--) {
    if (random.below(4) === 0) result = pick(random, anyBytes)(random, result, other);
    else if (isGifOrBmp) result = inHeader(random, result);
    else if (mark === 0x52) {
      const [parts, others] = [result, other].map((each) => riffChunksOf(each));
      result = webpOf(mutateParts(random, parts, others, riffSurgery));
    } else if (mark === 0x89) {
      const [parts, others] = [result, other].map(chunksOf);
      result = pngOf(mutateParts(random, parts, others, chunkSurgery));
    } else {
      const [parts, others] = [result, other].map(segmentsOf);
      const segments = mutateParts(random, parts, others, segmentSurgery);
      result = joined([[0xff, 0xd8], ...segments.map((each) => each.bytes)]);
    }
  }
  return result;
}

/**
 * A change of a file of any format, which it knows nothing of: one byte or number most often, so that
 * it comes far, else a few of any kind.
 */
export function mutatedBytes(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  if (random.below(3) > 0) {
    const changed = bytes.slice(), at = random.below(bytes.length);
    changed[at] = random.below(2) === 0 ? byte(random) : changed[at] ^ 1 << random.below(8);
    return changed;
  }
  let result = bytes;
  for (let left = 1 + random.below(3); left > 0 && result.length > 8; left--) {
    result = pick(random, anyBytes)(random, result, other);
  }
  return result;
}
