/**
 * Decoding, resampling and encoding against the results of Pillow and libwebp
 * (`tests/fixtures/images`, with the scripts that made them).
 */
import { deepEqual, ok, throws } from "node:assert/strict";
import { ShapeError } from "../../core/errors.ts";
import {
  cropImage,
  decodeImage,
  encodePng,
  type Filter,
  type Image,
  imageInfo,
  resizeImage,
} from "../../wasm/image.ts";
import { type Case, expectedOf, fixture, fixtures, worst } from "./image_fixtures.ts";

Deno.test("PNG and WebP decode byte for byte, JPEG within 3, as Pillow and libwebp do", async (t) => {
  for (const wanted of fixtures.decode) {
    await t.step(wanted.file, () => {
      const image = decodeImage(fixture(wanted.file), { file: wanted.file });
      deepEqual([image.width, image.height], [wanted.width, wanted.height]);
      const difference = worst(image.data, expectedOf(wanted));
      ok(difference <= wanted.tolerance, `differs by up to ${difference}`);
    });
  }
});

Deno.test("imageInfo tells what the header says", () => {
  for (const { file, width, height, channels, bits, orientation } of fixtures.decode) {
    const format = file.replace(/^.*\./, "").replace("jpg", "jpeg");
    deepEqual(imageInfo(fixture(file)), { format, width, height, channels, bits, orientation });
  }
});

Deno.test("resizing agrees with Pillow", async (t) => {
  const byName = Map.groupBy(fixtures.resize, (c) => `${c.file} ${c.filter}`);
  for (const [name, cases] of byName) {
    await t.step(name, () => cases.forEach(checkResize));
  }
});

function checkResize(wanted: Case & { filter: Filter }): void {
  const { width, height, filter } = wanted;
  const image = decodeImage(fixture(wanted.file));
  const resized = resizeImage(image, width, height, { filter });
  const [ours, theirs] = [resized.data, expectedOf(wanted)].map(weighted);
  const difference = worst(ours, theirs);
  // Dividing by alpha, we round where Pillow cuts off: one more at most once weighted again.
  const allowed = wanted.file === "resize_rgba.png" && filter !== "nearest" ? 2 : 1;
  ok(difference <= allowed, `${width}×${height} differs by up to ${difference}`);
}

/** Colours times alpha: where nearly nothing is seen of a colour, its rounding is magnified. */
function weighted(rgba: Uint8Array): Uint8Array {
  return rgba.map((v, i) => i % 4 === 3 ? v : Math.round(v * rgba[i | 3] / 255));
}

Deno.test("a constant image stays constant under every filter", () => {
  const image = { width: 9, height: 7, data: new Uint8Array(9 * 7 * 4).fill(255) };
  for (let i = 0; i < image.data.length; i += 4) image.data.set([12, 200, 77], i);
  for (const filter of ["nearest", "bilinear", "bicubic", "lanczos3"] as const) {
    for (const [w, h] of [[20, 15], [3, 2], [1, 40]]) {
      const { data } = resizeImage(image, w, h, { filter });
      for (let i = 0; i < data.length; i += 4) {
        deepEqual([...data.subarray(i, i + 4)], [12, 200, 77, 255], filter);
      }
    }
  }
});

Deno.test("a crop shows the pixels of its box and owns its memory", () => {
  const image = decodeImage(fixture("rgba8.png"));
  const box = { top: 2, left: 5, width: 7, height: 4 };
  const crop = cropImage(image, box);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const from = ((y + box.top) * image.width + x + box.left) * 4, at = (y * box.width + x) * 4;
      deepEqual(crop.data.slice(at, at + 4), image.data.slice(from, from + 4));
    }
  }
  crop.data.fill(0);
  deepEqual(image.data, decodeImage(fixture("rgba8.png")).data);
  throws(() => cropImage(image, { ...box, left: 13 }), /left 13 of 7×4 leaves the image of 19×13/);
  throws(() => cropImage(image, { ...box, top: -1 }), ShapeError);
});

Deno.test("a written PNG decodes to the same pixels", () => {
  const { width, height, data } = decodeImage(fixture("rgba8.png"));
  for (const effort of ["fast", "balanced", "small"] as const) {
    deepEqual(decodeImage(encodePng({ width, height, data }, { effort })).data, data);
  }
  const rgb = data.filter((_, i) => i % 4 !== 3);
  const opaque = data.map((v, i) => i % 4 === 3 ? 255 : v);
  const file = encodePng({ width, height, data: rgb });
  deepEqual(imageInfo(file).channels, 3);
  deepEqual(decodeImage(file).data, opaque);
  const grey = data.filter((_, i) => i % 4 === 1);
  const spread = opaque.map((v, i) => i % 4 === 3 ? v : grey[i >> 2]);
  deepEqual(decodeImage(encodePng({ width, height, data: grey })).data, spread);
});

Deno.test("wrong sizes are refused with both numbers", () => {
  const data = new Uint8Array(24), image: Image = { width: 2, height: 3, data };
  throws(
    () => resizeImage({ ...image, width: 4 }, 2, 2),
    /4×3 pixels have 24 bytes, 48 are wanted/,
  );
  throws(() => resizeImage(image, 0, 2), /the size is 0×2, whole numbers from 1 to 65535/);
  throws(() => resizeImage(image, 1.5, 2), ShapeError);
  throws(() => resizeImage(image, 65_535, 65_535), /at most 1073741823 pixels/);
  throws(() => encodePng({ ...image, height: 5 }), /10 or 30 or 40 are wanted/);
});
