/** Small files that ask for much work or memory, and the largest that may be asked for. */
import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { DataError, UsageError } from "../../core/errors.ts";
import { decodeImage, type DecodeOptions, imageInfo } from "../../wasm/image.ts";
import { frame, frames, joined, jpeg, oneCodeTables, type Pieces, scan } from "./jpegs.ts";
import { gif } from "./gifs.ts";
import { chunk, header, png } from "./pngs.ts";
import { flatWebp } from "./webps.ts";

const yuv420 = [0x22, 0x11, 0x11], yuv444 = [0x11, 0x11, 0x11], grey = [0x11];
const zeros = (bits: number): Uint8Array => new Uint8Array(Math.ceil(bits / 8));
/** A scan that refines nothing: an end-of-band run of 32,767 blocks, again and again. */
const emptyScan = (id: number): Pieces => [scan([id], 1, 63, 0x10), new Uint8Array(20)];
const runTables = oneCodeTables(0, 0xe0);

/** The message of the refusal, which must come within a second. */
function refusal(bytes: Uint8Array, options: DecodeOptions = {}): string {
  const start = performance.now();
  let message = "";
  assert.throws(() => decodeImage(bytes, { file: "a.jpg", ...options }), (error) => {
    assert(error instanceof DataError, String(error));
    message = error.message;
    return true;
  });
  const ms = performance.now() - start;
  assert(ms < 1000, `refused after ${ms.toFixed(0)} ms: ${message}`);
  return message.replace("Cannot decode a.jpg: ", "");
}

/** A progressive picture: one scan of means, then scans of single components without effect. */
function progressive(side: number, sampling: readonly number[], ids: readonly number[]) {
  return jpeg([
    runTables,
    frame(frames.progressive, side, side, sampling),
    scan(sampling.map((_, i) => i + 1), 0, 0),
    zeros(Math.ceil(side / 16) ** 2 * 12),
    ...ids.flatMap(emptyScan),
  ]);
}

Deno.test("attack: a JPEG with hundreds of scans is refused before the first", () => {
  const bytes = progressive(8000, yuv420, new Array(308).fill(1));
  assert.equal(
    refusal(bytes),
    "its scans pass 207 times over 8000×8000 pixels, at most 22 times are wanted",
  );
  const again = [scan([1, 2, 3], 0, 63), zeros(2 * 3 * 64 * 64)];
  const sequential = [oneCodeTables(0, 0), frame(frames.baseline, 512, 512, yuv444)];
  assert.equal(
    refusal(jpeg([...sequential, ...again, ...again, ...again])),
    "its scans pass 3 times over 512×512 pixels, at most 2 times are wanted",
  );
});

Deno.test("attack: 64 scans over a whole megapixel in 4:2:0 are decoded, and not one more", () => {
  // One scan of means, and as many as one for each further coefficient of each component.
  const scans = new Array(63).fill([1, 2, 3]).flat();
  const plain = decodeImage(progressive(1024, yuv420, []));
  assert.deepEqual(decodeImage(progressive(1024, yuv420, scans)), plain);
  const most = "times over 1024×1024 pixels, at most";
  assert.match(refusal(progressive(1024, yuv420, [...scans, 3])), new RegExp(`65 ${most} 64`));
  assert.match(refusal(progressive(1024, yuv444, scans)), new RegExp(`64 ${most} 32`));
  assert.match(
    refusal(progressive(1024, grey, new Array(96).fill(1))),
    new RegExp(`97 ${most} 96`),
  );
});

Deno.test("attack: JPEG data too short for the size in the header are refused at once", () => {
  const wanted = (bytes: string) => `at least ${bytes} are wanted for 10000×10000 pixels`;
  const tables = oneCodeTables(0, 0), few = [scan([1, 2, 3], 0, 63), new Uint8Array(80)];
  const baseline = jpeg([tables, frame(frames.baseline, 10_000, 10_000, yuv420), ...few]);
  assert.equal(refusal(baseline), `its image data are 80 bytes, ${wanted("585,938")}`);
  const means = [scan([1, 2, 3], 0, 0), new Uint8Array(80), ...emptyScan(1)];
  const refined = jpeg([tables, frame(frames.progressive, 10_000, 10_000, yuv420), ...means]);
  assert.equal(refusal(refined), `its image data are 100 bytes, ${wanted("292,969")}`);
  const lossless = [frame(frames.lossless, 10_000, 10_000, grey), scan([1], 1, 0)];
  const samples = jpeg([tables, ...lossless, new Uint8Array(80)]);
  assert.equal(refusal(samples), `its image data are 80 bytes, ${wanted("12,500,000")}`);
});

Deno.test("attack: the least data that a flat picture can have are enough", () => {
  const sides = [1, 8, 9, 16, 17, 33, 64];
  const cases = [[frames.baseline, 2, 63], [frames.progressive, 1, 0], [frames.lossless, 1, 0]];
  for (const [marker, bits, end] of cases) {
    for (const side of sides) {
      const units = marker === frames.lossless ? side ** 2 : Math.ceil(side / 8) ** 2;
      const start = marker === frames.lossless ? 1 : 0;
      const pieces = [oneCodeTables(0, 0), frame(marker, side, side, grey), scan([1], start, end)];
      const flat = decodeImage(jpeg([...pieces, zeros(bits * units)]));
      assert.deepEqual([flat.width, flat.height], [side, side]);
      assert(flat.data.every((value, i) => value === (i % 4 === 3 ? 255 : 128)));
      if (bits * units <= 8) continue; // no shorter data than a byte
      assert.match(refusal(jpeg([...pieces, zeros(bits * units - 8)])), /^its image data are/);
    }
  }
});

Deno.test("attack: a JPEG that would not fit into memory is refused before it is tried", () => {
  const side = 32_000, blocks = 3 * (side / 8) ** 2;
  const bytes = jpeg([
    oneCodeTables(0, 0),
    frame(frames.progressive, side, side, yuv444),
    scan([1, 2, 3], 0, 0),
    zeros(blocks),
  ]);
  const message = refusal(bytes, { maxPixels: 2 ** 32 });
  assert.equal(message, "it takes 19,536 MiB of memory to decode, at most 3,584 MiB are wanted");
});

Deno.test("attack: PNG data too short for the size in the header are refused at once", () => {
  for (const interlaced of [false, true]) {
    const is = { width: 10_000, height: 10_000, bits: 8, color: 6, interlaced };
    assert.equal(
      refusal(png(is, new Uint8Array(100))),
      "its image data are 12 bytes, at least 387,596 are wanted for its size",
    );
  }
});

Deno.test("attack: PNGs of zeros, as well packed as can be, are decoded", () => {
  for (const color of [0, 2, 4, 6]) {
    const channels = [1, 0, 3, 0, 2, 0, 4][color];
    const is = { width: 1000, height: 1000, bits: 16, color };
    const image = decodeImage(png(is, new Uint8Array(1000 * (1 + 2000 * channels))));
    assert(image.data.every((value, i) => value === (i % 4 === 3 && color < 4 ? 255 : 0)));
  }
});

Deno.test("attack: what unpacks to much behind the pixels is left alone", () => {
  const is = { width: 1, height: 1, bits: 8, color: 0 }, pixel = new Uint8Array(2);
  // The mark and length of a member, then the bomb: 100 MB of zeros.
  const bomb = joined([[65, 0, 0], deflateSync(new Uint8Array(1e8), { level: 9 })]);
  const files = [
    png(is, new Uint8Array(1e8)),
    png(is, pixel, [chunk("iCCP", bomb), chunk("zTXt", bomb), chunk("zTXt", bomb)]),
  ];
  for (const bytes of files) {
    decodeImage(bytes);
    const start = performance.now();
    assert.deepEqual([...decodeImage(bytes).data], [0, 0, 0, 255]);
    const ms = performance.now() - start;
    assert(ms < 100, `${ms.toFixed(0)} ms`); // unpacking takes several times as long
  }
});

Deno.test("attack: a palette of no whole colours is refused by its length", () => {
  const is = { width: 2, height: 2, bits: 8, color: 3 }, raw = new Uint8Array(6);
  for (const length of [4, 5, 7, 767]) {
    const palette = chunk("PLTE", new Uint8Array(length));
    const wanted = `its palette has ${length} bytes, a multiple of 3 is wanted`;
    assert.equal(refusal(png(is, raw, [palette])), wanted);
    // A suggestion for a screen of few colours is not read at all.
    assert.equal(decodeImage(png({ ...is, color: 0 }, raw, [palette])).width, 2);
  }
  assert.equal(refusal(png(is, raw)), "its palette is missing, a palette is wanted");
  for (const length of [3, 6, 768]) {
    assert.equal(decodeImage(png(is, raw, [chunk("PLTE", new Uint8Array(length))])).width, 2);
  }
});

Deno.test("attack: a WebP of one colour may be small, its pixels and memory are bounded", () => {
  const color = [7, 77, 177, 99];
  const { data } = decodeImage(flatWebp(2000, 1000, color));
  assert.equal(data.length, 8e6);
  assert(data.every((value, i) => value === color[i & 3]));
  const large = flatWebp(16_383, 16_383, color);
  assert.match(refusal(large), /^16383×16383 pixels exceed the limit of 100,000,000/);
  assert.match(refusal(large, { maxPixels: 2 ** 32 }), /^it takes 4,095 MiB of memory to decode/);
});

Deno.test("attack: neither the screen of a GIF nor its frame may exceed the limit", () => {
  const palette = new Uint8Array(6),
    frame = { width: 1, height: 1, indices: [0], bits: 1, palette };
  const wide = gif({ width: 65_535, height: 65_535, frames: [frame] });
  assert.match(refusal(wide), /^65535×65535 pixels exceed the limit/);
  const bytes = gif({ width: 9, height: 9, frames: [frame] }), at = bytes.indexOf(0x2c, 13);
  bytes.fill(255, at + 5, at + 9);
  assert.match(refusal(bytes), /^65535×65535 pixels exceed the limit/);
  assert.match(refusal(bytes, { maxPixels: 2 ** 32 }), /^it takes 4,095 MiB of memory/);
  bytes.fill(31, at + 5, at + 9); // 7967×7967
  assert.match(refusal(bytes), /image truncated/);
});

Deno.test("attack: the header of a picture of any size is read", () => {
  for (const [width, height] of [[30_000, 30_000], [70_000, 3], [2 ** 31 - 1, 2 ** 31 - 1]]) {
    const is = { width, height, bits: 16, color: 6 };
    const { width: w, height: h, bits, channels } = imageInfo(png(is, new Uint8Array(9)));
    assert.deepEqual([w, h, bits, channels], [width, height, 16, 4]);
    assert.match(refusal(png(is, new Uint8Array(9))), /exceed the limit/);
  }
  const start = jpeg([frame(frames.baseline, 65_500, 65_500, yuv420)]).subarray(0, -2);
  assert.deepEqual(imageInfo(start).width, 65_500);
  assert.throws(() => imageInfo(header({ width: 9, height: 9, bits: 8, color: 0 })), DataError);
});

Deno.test("attack: a limit that no picture can keep is the caller's fault", () => {
  const one = png({ width: 1, height: 1, bits: 8, color: 0 }, new Uint8Array(2));
  for (const maxPixels of [0, -1, NaN, 0.5, -Infinity]) {
    assert.throws(() => decodeImage(one, { file: "a.png", maxPixels }), (error) => {
      assert(error instanceof UsageError, String(error));
      const wanted = "a number from 1 on is wanted";
      assert.equal(error.message, `Cannot decode a.png: maxPixels is ${maxPixels}, ${wanted}`);
      return true;
    });
  }
  for (const maxPixels of [1, 1.5, 2 ** 40, Infinity]) {
    assert.equal(decodeImage(one, { maxPixels }).width, 1);
  }
});
