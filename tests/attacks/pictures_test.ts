/**
 * Thousands of damaged pictures: each decodes or is refused with a sentence that names the file,
 * none ends the decoder or keeps it busy, and the next good one decodes as ever.
 *
 * The fast run takes 2,000, the slow one 50,000. `-- --seed=7` draws others.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { DataError } from "../../core/errors.ts";
import { Random } from "../../core/rng.ts";
import { decodeImage, type Image, imageInfo } from "../../data/image.ts";
import { preparePicture } from "../../data/preparation.ts";
import { imagenetNormalization, type Preparation } from "../../models/preparation.ts";
import { fixture, fixtures, sharedArchive } from "../wasm/image_fixtures.ts";
import { bmp } from "./bmps.ts";
import { gif } from "./gifs.ts";
import { mutated } from "./mutations.ts";
import { animation, extended, flags, riffChunksOf, webpOf } from "./webps.ts";

const count = Deno.args.includes("--slow") ? 50_000 : 2000;
const seed = Number(Deno.args.find((word) => word.startsWith("--seed="))?.slice(7) ?? 1);
/** Of the processor's time, not the clock's: a busy machine must not fail the test. */
const mostMs = 2000;
/** A damaged header may claim a hundred megapixels, and a large picture honestly takes seconds. */
const maxPixels = 30_000_000;

/** All good and bad pictures there are, by their names. */
function pictures(): [string, Uint8Array][] {
  const files: [string, Uint8Array][] = fixtures.decode.map(({ file }) => [file, fixture(file)]);
  for (const archive of ["png-tests.tar", "jpeg-tests.tar"]) {
    for (const [path, bytes] of sharedArchive(archive) ?? []) {
      if (/\.(png|jpe?g)$/.test(path) && bytes.length > 8) files.push([path, bytes]);
    }
  }
  return [...files, ...writtenHere()];
}

/** Pictures of the kinds that the fixtures lack. */
function writtenHere(): [string, Uint8Array][] {
  const [width, height] = [40, 30], colours = (bits: number) => new Uint8Array(3 << bits).fill(99);
  const pixels = Uint32Array.from({ length: width * height }, (_, i) => i * i * 40_503);
  const indices = Uint8Array.from(pixels, (v) => v & 7), palette = colours(3);
  const frame = { width, height, indices, bits: 3, palette };
  const still = { left: 3, top: 2, transparent: 1, interlaced: true, ...frame };
  const [lossy] = riffChunksOf(fixture("lossy.webp"));
  const alpha = riffChunksOf(fixture("lossy_alpha.webp")).slice(1);
  const files: [string, Uint8Array][] = [
    ["plain.gif", gif({ width, height, palette, frames: [{ ...frame, palette: undefined }] })],
    ["animated.gif", gif({ width: 64, height: 50, frames: [still, frame] })],
    ["exif.webp", webpOf([extended(flags.exif, 45, 37), lossy, { type: "EXIF", data: indices }])],
    [
      "animated.webp",
      animation(64, 50, [{ left: 4, top: 2, width: 45, height: 37, chunks: alpha }]),
    ],
  ];
  for (const bits of [1, 4, 8, 16, 24, 32]) {
    const header = [12, 40, 56, 124][bits % 4],
      few = pixels.map((v) => v & 2 ** Math.min(bits, 24) - 1);
    const table = bits <= 8 ? { palette: colours(bits) } : {};
    files.push([`bits${bits}.bmp`, bmp({ width, height, bits, pixels: few, header, ...table })]);
  }
  return files;
}

const nets: readonly Preparation[] = (["crop", "stretch", "pad"] as const).map((fit) => ({
  ...{ height: 24, width: 16, fit, share: 0.875, filter: "bilinear", channels: 3 },
  ...imagenetNormalization,
}));

/** What came of a file: an image, or the message of its refusal; anything else is thrown. */
function attempt<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    assert(error instanceof DataError, String(error));
    assert.equal(error.file, "cats/7.jpg");
    assert.match(error.message, /^Cannot (decode|read|prepare) cats\/7\.jpg: .*, .*[^.]$/s);
    // A trap is caught on the way, but none is to happen.
    assert(!error.message.includes("the decoder stopped on it"), error.message);
    return error.message;
  }
}

/** Checks one file; returns the time that decoding took, and whether it came to an image. */
function check(bytes: Uint8Array): { ms: number; isImage: boolean } {
  const options = { file: "cats/7.jpg", maxPixels };
  const start = process.cpuUsage();
  const image = attempt(() => decodeImage(bytes, options));
  const { user, system } = process.cpuUsage(start), ms = (user + system) / 1000;
  assert(ms < mostMs, `decoding took ${ms.toFixed(0)} ms`);
  const info = attempt(() => imageInfo(bytes, options));
  // Decoded at a part of its size, a picture is refused for the same reasons.
  const prepared = attempt(() => preparePicture(bytes, nets[bytes.length % nets.length], options));
  assert.equal(typeof prepared, typeof image, String(prepared));
  if (typeof prepared !== "string") assert.equal(prepared.length, 24 * 16);
  if (typeof image === "string") return { ms, isImage: false };
  assert.equal(image.data.length, 4 * image.width * image.height);
  assert(typeof info !== "string", `decoded, but the header is refused: ${info}`);
  assert.deepEqual([info.width, info.height], [image.width, image.height]);
  return { ms, isImage: true };
}

Deno.test(`attack: ${count} mutated pictures decode or are refused by name, none traps`, () => {
  const files = pictures();
  const good = fixture("rgb420.jpg"), wanted: Image = decodeImage(good);
  // As many of each format, whatever the number of its files.
  const formats = [...Map.groupBy(files, ([, bytes]) => bytes[0]).values()];
  let images = 0, worstMs = 0, worst = "";
  for (let i = 0; i < count; i++) {
    const random = new Random(seed, "mutated picture", i);
    const alike = formats[random.below(formats.length)];
    const [name, bytes] = alike[random.below(alike.length)];
    const [, other] = alike[random.below(alike.length)];
    const changed = mutated(random, bytes, other), what = `case ${i} of seed ${seed}, of ${name}`;
    try {
      const { ms, isImage } = check(changed);
      if (isImage) images++;
      if (ms > worstMs) [worstMs, worst] = [ms, what];
      assert.deepEqual(decodeImage(good), wanted, "a good picture afterwards");
    } catch (error) {
      throw new Error(what, { cause: error });
    }
  }
  console.log(
    `${count} mutations: ${images} decoded, ${count - images} refused, ` +
      `slowest ${worstMs.toFixed(0)} ms (${worst})`,
  );
  // Mutations that never get through, or always, would test little.
  assert(images > count / 20 && images < count * 0.95, `${images} decoded`);
});
