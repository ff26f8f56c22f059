/** GIF and BMP against files written by the definition; WebP's containers around libwebp's images. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { decodeImage, type Image, imageInfo } from "../../wasm/image.ts";
import { type Bmp, bmp } from "../attacks/bmps.ts";
import { gif, type GifFrame } from "../attacks/gifs.ts";
import { joined } from "../attacks/jpegs.ts";
import type { Chunk } from "../attacks/pngs.ts";
import { animation, extended, flags, riffChunksOf, webpOf } from "../attacks/webps.ts";
import { fixture, fixtures, sharedFile } from "./image_fixtures.ts";

/** Upright RGBA of a picture by the colour of each pixel. */
function drawn(width: number, height: number, at: (i: number) => readonly number[]): Image {
  const pixels = Array.from({ length: width * height }, (_, i) => at(i));
  return { width, height, data: Uint8Array.from(pixels.flat()) };
}

const palette = (bits: number): Uint8Array =>
  Uint8Array.from({ length: 3 << bits }, (_, i) => i * 89 + 7);
const colour = (palette: Uint8Array, index: number): number[] => [
  ...palette.subarray(3 * index, 3 * index + 3),
];
const side = fc.integer({ min: 1, max: 20 });

/** A frame of any size, with indices that repeat often enough for LZW to find words. */
const frames: fc.Arbitrary<GifFrame> = fc.record({
  left: fc.integer({ min: 0, max: 12 }),
  top: fc.integer({ min: 0, max: 12 }),
  width: side,
  height: side,
  bits: fc.integer({ min: 1, max: 8 }),
  interlaced: fc.boolean(),
  seed: fc.nat(1000),
  isSeeThrough: fc.boolean(),
}).map(({ seed, isSeeThrough, ...frame }) => {
  const most = (1 << frame.bits) - 1;
  const indices = Array.from(
    { length: frame.width * frame.height },
    (_, i) => Math.floor((i * (seed % 7 + 1) + seed) / 5) & most,
  );
  const transparent = isSeeThrough ? seed & most : undefined;
  return { ...frame, indices, transparent, palette: palette(frame.bits) };
});

Deno.test("GIF: the first frame lies on the screen, the rest is transparent", () => {
  fc.assert(fc.property(frames, frames, side, side, (frame, second, width, height) => {
    const { left = 0, top = 0, bits, transparent } = frame;
    const bytes = gif({ width, height, frames: [frame, second] });
    const wanted = drawn(width, height, (i) => {
      const x = i % width - left, y = Math.floor(i / width) - top;
      if (x < 0 || y < 0 || x >= frame.width || y >= frame.height) return [0, 0, 0, 0];
      const index = frame.indices[y * frame.width + x];
      return [...colour(palette(bits), index), index === transparent ? 0 : 255];
    });
    deepEqual(decodeImage(bytes), wanted);
    const covers = left + top === 0 && frame.width >= width && frame.height >= height;
    const channels = transparent === undefined && covers ? 3 : 4;
    const info = { format: "gif", width, height, channels, bits, orientation: 1 } as const;
    deepEqual(imageInfo(bytes), info);
  }));
});

Deno.test("GIF: codes of every length, and a palette of the file", () => {
  const [width, height] = [200, 150], indices = new Uint8Array(width * height);
  indices.forEach((_, i) => indices[i] = i * i * 31 >> 7 & 255);
  const frame = { width, height, indices, bits: 8 }, colours = palette(8);
  const bytes = gif({ width, height, palette: colours, frames: [frame] });
  ok(bytes.length > 13 + 768 + 8192, "more than one table of codes");
  deepEqual(
    decodeImage(bytes),
    drawn(width, height, (i) => [...colour(colours, indices[i]), 255]),
  );
});

Deno.test("GIF: without palette, frame or end it is refused", () => {
  const frame = { width: 2, height: 2, indices: [0, 1, 1, 0], bits: 1 };
  const whole = { width: 2, height: 2, frames: [{ ...frame, palette: palette(1) }] };
  equal(decodeImage(gif(whole)).width, 2);
  throws(() => decodeImage(gif({ ...whole, frames: [frame] })), /no palette, a palette is wanted/);
  throws(() => decodeImage(gif({ ...whole, frames: [] })), /it has no frame, one is wanted/);
  throws(() => decodeImage(gif({ ...whole, width: 0 })), /0×2 pixels are no image/);
  const short = { ...whole.frames[0], indices: [0, 1], height: 1 };
  const bytes = gif({ ...whole, frames: [short] }), at = bytes.indexOf(0x2c) + 7;
  bytes[at] = 2; // rows
  throws(() => decodeImage(bytes), /image data of the GIF is damaged \(image truncated\)/);
  bytes[at] = 0;
  throws(() => decodeImage(bytes), DataError);
});

/** Files of every depth, with their upright colours. */
const bmps: fc.Arbitrary<[Bmp, Image]> = fc.record({
  width: side,
  height: side,
  bits: fc.constantFrom(1, 2, 4, 8, 16, 24, 32),
  header: fc.constantFrom(12, 40, 52, 56, 64, 108, 124),
  topDown: fc.boolean(),
  seed: fc.nat(2 ** 31),
  layout: fc.constantFrom(
    undefined,
    [0xf800, 0x07e0, 0x001f],
    [0x0f00, 0x00f0, 0x000f, 0xf000],
    [0xff, 0xff00, 0xff_0000, 0xff00_0000],
    [0x3ff0_0000, 0xffc00, 0x3ff],
  ),
}).map(({ seed, layout, ...rest }) => {
  const { width, height, bits } = rest, isCore = rest.header === 12;
  const isFree = layout !== undefined && !isCore && rest.header !== 64 &&
    (bits === 32 || bits === 16 && layout.every((mask) => mask <= 0xffff));
  // A header of 52 bytes has no room for alpha; one of more, where there is none, says 0.
  const masks = !isFree ? undefined : rest.header === 52 ? layout.slice(0, 3) : layout;
  const pixels = Uint32Array.from(
    { length: width * height },
    (_, i) => (Math.imul(i + 1, 0x9e3779b1) ^ seed) >>> 32 - bits,
  );
  const is = { ...rest, pixels, masks, topDown: rest.topDown && !isCore };
  if (bits <= 8) {
    const colours = palette(bits);
    const upright = drawn(width, height, (i) => [...colour(colours, pixels[i]), 255]);
    return [{ ...is, palette: colours }, upright];
  }
  const fields = masks ??
    (bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff_0000, 0xff00, 0xff]);
  const value = (pixel: number, mask = 0) => {
    if (mask === 0) return 255;
    const low = mask & -mask, most = (mask >>> 0) / (low >>> 0);
    return Math.floor(((pixel & mask) >>> 0) / (low >>> 0) * 255 / most);
  };
  const upright = drawn(
    width,
    height,
    (i) => [0, 1, 2, 3].map((channel) => value(pixels[i], fields[channel])),
  );
  return [is, upright];
});

Deno.test("BMP: every depth, header and field, either way up", () => {
  const property = fc.property(bmps, ([is, upright]) => {
    const bytes = bmp(is), { width, height } = is;
    deepEqual(decodeImage(bytes), upright);
    const info = imageInfo(bytes);
    deepEqual([info.format, info.width, info.height], ["bmp", width, height]);
    equal(info.channels, is.masks?.length === 4 ? 4 : 3);
  });
  fc.assert(property, { numRuns: 400 });
});

Deno.test("BMP: what is not read is told", () => {
  const is = { width: 3, height: 2, bits: 8, pixels: new Uint8Array(6), palette: palette(8) };
  const wanted = "an uncompressed one is wanted";
  const cases: [Partial<Bmp>, string][] = [
    [{ compression: 1 }, `it is a BMP with run lengths (RLE8), ${wanted}`],
    [{ compression: 4 }, `it is a BMP with an embedded JPEG, ${wanted}`],
    [{ bits: 3 }, "it is a BMP of 3 bits a pixel, 1, 2, 4, 8, 16, 24 or 32 are wanted"],
    [{ header: 41 * 4 }, "it is a BMP with a header of 164 bytes, one of 12 to 124 is wanted"],
    [{ pixels: new Uint8Array(6).fill(200), palette: palette(7) }, "a pixel has colour 200 of 128"],
    [{ bits: 32, masks: [0xff0f, 0, 0] }, "a mask is 0000ff0f, bits side by side are wanted"],
    [{ width: 0 }, "0×2 pixels are no image"],
  ];
  for (const [change, message] of cases) {
    throws(() => decodeImage(bmp({ ...is, ...change })), (error) => {
      ok(error instanceof DataError && error.message.includes(message), `${error}`);
      return true;
    });
  }
  const bytes = bmp(is), view = new DataView(bytes.buffer);
  view.setInt32(18, 2 ** 31 - 1, true);
  throws(() => decodeImage(bytes), /2147483647×2 pixels exceed the limit/);
  view.setInt32(18, 10_000, true);
  throws(() => decodeImage(bytes), /the data ends at byte .* inside the image data/);
});

/** A TIFF structure of the orientation alone. */
const tiff = (orientation: number): Uint8Array =>
  joined([[0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0], [
    orientation,
    0,
    0,
    0,
  ]]);

Deno.test("WebP: an EXIF chunk turns the picture, with or without JPEG's mark", () => {
  const [picture] = riffChunksOf(fixture("lossless.webp")), plain = decodeImage(webpOf([picture]));
  for (let orientation = 1; orientation <= 8; orientation++) {
    for (const mark of ["", "Exif\0\0"]) {
      const data = joined([new TextEncoder().encode(mark), tiff(orientation)]);
      const bytes = webpOf([extended(flags.exif, 45, 37), picture, { type: "EXIF", data }]);
      const { orientation: found, width, height } = imageInfo(bytes), image = decodeImage(bytes);
      deepEqual([found, width, height], [orientation, image.width, image.height]);
      // A JPEG that Pillow has turned says what the upright corner is.
      const { width: w, height: h } = plain;
      const corner = [0, w - 1, w * h - 1, w * (h - 1), 0, w * (h - 1), w * h - 1, w - 1];
      const second = [1, -1, -1, 1, w, -w, -w, w][orientation - 1];
      for (const x of [0, 1, 2]) {
        const from = 4 * (corner[orientation - 1] + x * second);
        deepEqual(image.data.subarray(4 * x, 4 * x + 4), plain.data.subarray(from, from + 4));
      }
    }
  }
});

Deno.test("WebP: of an animation the first frame is shown, on a transparent canvas", () => {
  const [alpha] = riffChunksOf(fixture("lossless_alpha.webp"));
  const lossy = riffChunksOf(fixture("lossy.webp")), [width, height] = [45, 37];
  const bytes = animation(64, 48, [
    { left: 6, top: 4, width: 19, height: 13, chunks: [alpha] },
    { width, height, chunks: lossy },
  ]);
  const image = decodeImage(bytes), frame = decodeImage(webpOf([alpha]));
  deepEqual(imageInfo(bytes), {
    ...{ format: "webp", width: 64, height: 48, channels: 4, bits: 8, orientation: 1 },
  });
  for (let y = 0; y < 48; y++) {
    for (let x = 0; x < 64; x++) {
      const inside = x >= 6 && x < 25 && y >= 4 && y < 17;
      const from = 4 * ((y - 4) * 19 + x - 6), at = 4 * (y * 64 + x);
      const wanted = inside ? frame.data.subarray(from, from + 4) : [0, 0, 0, 0];
      // Laid over nothing, colours lose up to one level, as in libwebp; what is not seen has none.
      const found = image.data.subarray(at, at + 4);
      equal(found[3], wanted[3]);
      if (found[3] !== 0) ok(found.every((v, c) => Math.abs(v - wanted[c]) <= 1), `${x} ${y}`);
    }
  }
  deepEqual(
    decodeImage(animation(width, height, [{ width, height, chunks: lossy }])).data,
    decodeImage(fixture("lossy.webp")).data,
  );
});

Deno.test("WebP: a bit stream larger than its picture is refused before it is decoded", () => {
  const [lossy] = riffChunksOf(fixture("lossy.webp")), large = lossy.data.slice();
  new DataView(large.buffer).setUint16(6, 16_383, true);
  new DataView(large.buffer).setUint16(8, 16_383, true);
  const picture: Chunk = { type: "VP8 ", data: large };
  const files = [
    webpOf([extended(0, 45, 37), picture]),
    animation(45, 37, [{ width: 45, height: 37, chunks: [picture] }]),
  ];
  for (const bytes of files) {
    throws(() => decodeImage(bytes), /a frame of 16383×16383 pixels leaves the picture of 45×37/);
    equal(imageInfo(bytes).width, 45);
  }
  throws(() => decodeImage(webpOf([picture])), /exceed the limit/);
});

/** Where the frames of a GIF without extensions and local palettes end. */
function gifBlockEnds(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let at = 13 + (3 << (bytes[10] & 7) + 1); bytes[at] === 0x2c;) {
    for (at += 11; bytes[at] !== 0; at += 1 + bytes[at]);
    ends.push(++at);
  }
  return ends;
}

Deno.test("a WebP, GIF or BMP cut anywhere is refused, with the place of the cut", () => {
  const names = fixtures.decode.map(({ file }) => file).filter((name) => name.endsWith(".webp"));
  const frame = { width: 9, height: 7, indices: new Uint8Array(63).map((_, i) => i & 7), bits: 3 };
  const is = { width: 9, height: 7, bits: 8, pixels: new Uint8Array(63), palette: palette(8) };
  const files = [
    ...names.map(fixture),
    gif({ width: 9, height: 7, palette: palette(3), frames: [frame, frame] }),
    bmp(is),
  ];
  for (const bytes of files) {
    const whole = decodeImage(bytes), isGif = imageInfo(bytes).format === "gif";
    for (let length = 12; length < bytes.length; length++) {
      // Between blocks behind the first frame all that is wanted of a GIF is there.
      if (isGif && gifBlockEnds(bytes).includes(length)) {
        deepEqual(decodeImage(bytes.subarray(0, length)), whole);
        continue;
      }
      const at = length.toLocaleString("en-US");
      const wanted = `Cannot decode a: the data ends at byte ${at} inside `;
      throws(() => decodeImage(bytes.subarray(0, length), { file: "a" }), (error) => {
        // A palette comes before the pixels, and is missed first.
        ok(error instanceof DataError && error.message.startsWith(wanted), `${error}`);
        return true;
      });
    }
  }
});

const sheet = sharedFile("cifar10/test_batch.webp");

Deno.test({
  name: "WebP: a sheet of CIFAR-10 gives the official bytes",
  ignore: sheet === undefined,
  fn() {
    const { width, data } = decodeImage(sheet!), plane = 32 * 32;
    const labels = sharedFile("cifar10/test_batch.labels.u8")!;
    const records = new Uint8Array(labels.length * (1 + 3 * plane));
    labels.forEach((label, i) => {
      const corner = Math.floor(i / 100) * 32 * width + i % 100 * 32, at = i * (1 + 3 * plane);
      records[at] = label;
      for (let p = 0; p < plane; p++) {
        const from = 4 * (corner + (p >> 5) * width + (p & 31));
        for (let c = 0; c < 3; c++) records[at + 1 + c * plane + p] = data[from + c];
      }
    });
    equal(createHash("md5").update(records).digest("hex"), "803d5f7f4d78ea53de84dbe85f74fb6d");
  },
});
