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
import { decodeImage, type Image, imageInfo } from "../../wasm/image.ts";
import { fixture, fixtures, sharedArchive } from "../wasm/image_fixtures.ts";
import { mutated } from "./mutations.ts";

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
  return files;
}

/** What came of a file: an image, or the message of its refusal; anything else is thrown. */
function attempt<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    assert(error instanceof DataError, String(error));
    assert.equal(error.file, "cats/7.jpg");
    assert.match(error.message, /^Cannot (decode|read) cats\/7\.jpg: .*, .*[^.]$/s);
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
  if (typeof image === "string") return { ms, isImage: false };
  assert.equal(image.data.length, 4 * image.width * image.height);
  assert(typeof info !== "string", `decoded, but the header is refused: ${info}`);
  assert.deepEqual([info.width, info.height], [image.width, image.height]);
  return { ms, isImage: true };
}

Deno.test(`attack: ${count} mutated pictures decode or are refused by name, none traps`, () => {
  const files = pictures();
  const good = fixture("rgb420.jpg"), wanted: Image = decodeImage(good);
  const formats = Map.groupBy(files, ([, bytes]) => bytes[0]);
  let images = 0, worstMs = 0, worst = "";
  for (let i = 0; i < count; i++) {
    const random = new Random(seed, "mutated picture", i);
    const [name, bytes] = files[random.below(files.length)];
    const others = formats.get(bytes[0])!, [, other] = others[random.below(others.length)];
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
