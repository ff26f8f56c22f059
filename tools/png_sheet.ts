/** Writing a grey image as the smallest PNG that filters and zlib's settings give. */
import { constants, crc32, deflateSync } from "node:zlib";

/** An 8-bit grey image. */
export interface GreyImage {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** `[h,w]`, 0–255. */
  readonly data: Uint8Array;
}

const filterCount = 5;

function paeth(a: number, b: number, c: number): number {
  const pa = Math.abs(b - c), pb = Math.abs(a - c), pc = Math.abs(a + b - 2 * c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/** Writes row `y` under one of PNG's five filters: the filter's number, then the differences. */
function filterRow({ width, data }: GreyImage, y: number, filter: number, out: Uint8Array): void {
  const row = y * width;
  out[0] = filter;
  for (let x = 0; x < width; x++) {
    const a = x > 0 ? data[row + x - 1] : 0, b = y > 0 ? data[row - width + x] : 0;
    const c = x > 0 && y > 0 ? data[row - width + x - 1] : 0;
    const guess = [0, a, b, (a + b) >> 1, filter === 4 ? paeth(a, b, c) : 0][filter];
    out[1 + x] = data[row + x] - guess;
  }
}

/**
 * Filters every row with the filter that costs the fewest bits, a byte's cost being its
 * information (−log₂ of its frequency) in what was chosen in the round before. The first round
 * takes the sum of absolute differences, as PNG's specification advises.
 */
function filterRows(image: GreyImage, rounds = 4): Uint8Array {
  const { width, height } = image, stride = width + 1;
  const chosen = new Uint8Array(height * stride), row = new Uint8Array(stride);
  let bits = Float64Array.from({ length: 256 }, (_, byte) => byte < 128 ? byte : 256 - byte);
  for (let round = 0; round < rounds; round++) {
    for (let y = 0; y < height; y++) {
      let least = Infinity;
      for (let filter = 0; filter < filterCount; filter++) {
        filterRow(image, y, filter, row);
        const cost = row.reduce((sum, byte) => sum + bits[byte], 0);
        if (cost < least) chosen.set(row, y * stride);
        least = Math.min(least, cost);
      }
    }
    const counts = new Float64Array(256).fill(1);
    for (const byte of chosen) counts[byte]++;
    bits = counts.map((count) => -Math.log2(count / chosen.length));
  }
  return chosen;
}

/** The shortest of zlib's answers: how noisy differences are best cut into blocks must be tried. */
function deflateSmallest(bytes: Uint8Array): Uint8Array {
  const tries: Uint8Array[] = [];
  for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FILTERED]) {
    for (const memLevel of [6, 7, 8, 9]) {
      tries.push(deflateSync(bytes, { level: 9, memLevel, strategy }));
    }
  }
  return tries.reduce((best, next) => next.length < best.length ? next : best);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** A PNG file of an 8-bit grey image. */
export function encodeSmallest(image: GreyImage): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, image.width);
  view.setUint32(4, image.height);
  header[8] = 8; // bits a channel; grey, deflate, five filters, no interlacing are all 0
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", deflateSmallest(filterRows(image))),
    chunk("IEND", new Uint8Array(0)),
  ];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
