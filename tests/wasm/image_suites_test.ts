/** PngSuite and the JPEG decoder's own tests, from the shared test data where it is present. */
import { deepEqual, ok, throws } from "node:assert/strict";
import { crc32 } from "node:zlib";
import { DataError } from "../../core/errors.ts";
import { decodeImage, type Image, imageInfo } from "../../wasm/image.ts";
import { sharedArchive, worst } from "./image_fixtures.ts";

const png = sharedArchive("png-tests.tar");
const jpeg = sharedArchive("jpeg-tests.tar");

/** The stored pixels of an image that was turned for orientation 6; the suite has no other. */
function unturned(image: Image): Image {
  const { width: height, height: width } = image, data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (x * height + height - 1 - y) * 4;
      data.set(image.data.subarray(from, from + 4), (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

/** The bytes as libpng gives them when expanding to 8 bits: without the channels we filled in. */
function narrowed(image: Image, channels: number): Uint8Array {
  const keep = [[], [0], [0, 3], [0, 1, 2], [0, 1, 2, 3]][channels];
  return image.data.filter((_, i) => keep.includes(i % 4));
}

Deno.test({
  name: "PngSuite: checksums of the decoded pixels, and what must be refused",
  ignore: png === undefined,
  fn() {
    const lines = new TextDecoder().decode(png!.get("tests/results.txt")).trim().split("\n");
    ok(lines.length > 190);
    for (const line of lines) {
      const [file, result] = line.split(": ");
      // One file does not lie where the list says.
      const bytes = png!.get(file) ?? png!.get(file.replace("pngsuite", "bugfixes"));
      ok(bytes !== undefined, file);
      if (result === "Expected failure") {
        throws(() => decodeImage(bytes, { file }), DataError, file);
      } else {
        const { channels, orientation } = imageInfo(bytes), image = decodeImage(bytes, { file });
        ok(orientation === 1 || orientation === 6, file);
        const stored = orientation === 6 ? unturned(image) : image;
        deepEqual(crc32(narrowed(stored, channels)), Number(result), file);
      }
    }
  },
});

Deno.test({
  name: "JPEG suite: within 3 of libjpeg",
  ignore: jpeg === undefined,
  fn() {
    // Decoders differ a lot, as the data's notes say, on sampling factors in a grey image; and
    // libjpeg alone does not interpolate a chroma plane of two columns.
    const odd = /grayscale_.*_sampling2x2|jpg-size-[34]x/;
    let compared = 0;
    for (const [path, bytes] of jpeg!) {
      const reference = jpeg!.get(path.replace(/\.jpg$/, ".png"));
      if (!path.startsWith("tests/reftest/") || !path.endsWith(".jpg") || !reference) continue;
      if (odd.test(path)) continue;
      const ours = decodeImage(bytes, { file: path }), wanted = decodeImage(reference);
      const difference = worst(ours.data, wanted.data);
      ok(difference <= 3, `${path} differs by up to ${difference}`);
      compared++;
    }
    ok(compared > 30, `${compared} compared`);
  },
});

Deno.test({
  name: "JPEG crash tests: pixels or a DataError, and the decoder goes on",
  ignore: jpeg === undefined,
  fn() {
    let refused = 0, decoded = 0;
    for (const [path, bytes] of jpeg!) {
      if (!path.startsWith("tests/crashtest/") || !path.endsWith(".jpg")) continue;
      try {
        const image = decodeImage(bytes, { file: path });
        deepEqual(image.data.length, image.width * image.height * 4);
        decoded++;
      } catch (error) {
        ok(error instanceof DataError, `${path}: ${error}`);
        ok(!error.message.includes("stopped on it"), error.message);
        refused++;
      }
    }
    ok(refused > 0 && refused + decoded > 50, `${refused} refused, ${decoded} decoded`);
  },
});
