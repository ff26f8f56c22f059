/** Damaged, hostile and foreign files: a DataError that names file and cause, never a trap. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { decodeImage, imageInfo } from "../../wasm/image.ts";
import { codec } from "../../wasm/image_codec.ts";
import * as glue from "../../wasm/pkg/image.js";
import { fixture, fixtures } from "./image_fixtures.ts";

const text = (s: string) => new TextEncoder().encode(s);

/** The message of the refusal; fails when the bytes are decoded or refused in another way. */
function refusal(bytes: Uint8Array, maxPixels?: number): string {
  try {
    decodeImage(bytes, { file: "cats/7.jpg", maxPixels });
  } catch (error) {
    ok(error instanceof DataError, `${error}`);
    equal(error.file, "cats/7.jpg");
    ok(error.message.startsWith("Cannot decode cats/7.jpg: "), error.message);
    ok(!error.message.endsWith("."), error.message);
    return error.message.slice("Cannot decode cats/7.jpg: ".length);
  }
  throw new Error("decoded without a complaint");
}

/** A PNG that is no more than its header, with a right checksum. */
function pngHeader(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(8 + 25), view = new DataView(bytes.buffer);
  bytes.set([0x89, ...text("PNG\r\n\x1a\n"), 0, 0, 0, 13, ...text("IHDR")]);
  view.setUint32(16, width);
  view.setUint32(20, height);
  bytes.set([8, 6, 0, 0, 0], 24);
  view.setUint32(29, crc32(bytes.subarray(12, 29)));
  return bytes;
}

/** A JPEG fixture that claims another size. */
function jpegClaiming(width: number, height: number): Uint8Array {
  const bytes = fixture("rgb444.jpg");
  const frame = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc0);
  ok(frame > 0);
  new DataView(bytes.buffer).setUint16(frame + 5, height);
  new DataView(bytes.buffer).setUint16(frame + 7, width);
  return bytes;
}

Deno.test("a file cut anywhere is refused, with the place of the cut", () => {
  const files = ["rgb8.png", "palette4.png", "rgb8_interlaced.png", "grey.jpg", "rgb420.jpg"];
  for (const file of [...files, "progressive420.jpg", "cmyk.jpg", "exif6.jpg"]) {
    const bytes = fixture(file);
    for (let length = 8; length < bytes.length; length++) {
      const at = length.toLocaleString("en-US");
      const message = refusal(bytes.subarray(0, length));
      ok(message.startsWith(`the data ends at byte ${at} inside `), `${file}: ${message}`);
    }
  }
});

Deno.test("foreign files are told by their content", () => {
  const wanted = ", a PNG, JPEG, WebP, GIF or BMP file is wanted";
  equal(refusal(new Uint8Array()), `the file is empty${wanted}`);
  equal(refusal(text("hello, world")), `it starts with the text "hello, world"${wanted}`);
  equal(refusal(text("II*\0....")), `it is a TIFF file${wanted}`);
  equal(refusal(text("\0\0\0\x20ftypavif")), `it is an AVIF file${wanted}`);
  equal(refusal(text("RIFF1234WAVEfmt ")), `it is a WAVE file${wanted}`);
  equal(refusal(text("<!DOCTYPE html><p>404")), `it is an HTML page${wanted}`);
  equal(refusal(Uint8Array.of(0, 1, 0xfe)), `it starts with the bytes 00 01 fe${wanted}`);
  equal(refusal(Uint8Array.of(0x89, 0x50)), `the data ends after 2 bytes${wanted}`);
  throws(() => imageInfo(text("x")), /Cannot read the image: it starts with the text "x", a PNG/);
});

Deno.test("sizes beyond the limit are refused before anything is allocated", () => {
  const wanted = "a smaller image is wanted";
  const limit = `exceed the limit of 100,000,000, ${wanted}`;
  equal(refusal(pngHeader(60_000, 60_000)), `60000×60000 pixels ${limit}`);
  equal(refusal(jpegClaiming(60_000, 50_000)), `60000×50000 pixels ${limit}`);
  ok(
    refusal(pngHeader(70_000, 10)).startsWith("70000×10 pixels exceed the limit of 65,535 a side"),
  );
  ok(refusal(pngHeader(0x7fffffff, 0x7fffffff)).startsWith("2147483647×2147483647 pixels exceed"));
  equal(refusal(fixture("rgb8.png"), 246), `19×13 pixels exceed the limit of 246, ${wanted}`);
  equal(decodeImage(fixture("rgb8.png"), { maxPixels: 247 }).width, 19);
  ok(refusal(pngHeader(0, 5)).includes("damaged"));
});

Deno.test("a trap becomes a refusal, and the decoder is replaced", () => {
  const before = decodeImage(fixture("rgb420.jpg"));
  const refuse = (reason: string, cause: unknown) => new DataError(reason, { cause });
  // No picture is known that traps. Four bytes are no 5×5 pixels; `resizeImage` would say so.
  const trap = () => glue.resize(new Uint8Array(4), 5, 5, 3, 3, 0);
  for (let i = 0; i < 3; i++) {
    throws(() => codec.run(trap, refuse), (error) => {
      ok(error instanceof DataError && error.cause instanceof WebAssembly.RuntimeError);
      ok(error.message.startsWith("the decoder stopped on it (unreachable), an undamaged"));
      return true;
    });
    deepEqual(decodeImage(fixture("rgb420.jpg")), before);
  }
});

Deno.test("arithmetic coding is named as what is not supported", () => {
  const bytes = fixture("rgb444.jpg");
  const frame = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc0);
  bytes[frame + 1] = 0xc9;
  ok(refusal(bytes).startsWith("it is a JPEG with arithmetic coding, a common baseline"));
});

/** Either pixels of the right number, or a DataError; both leave the decoder usable. */
function checkAny(bytes: Uint8Array): void {
  let image;
  try {
    image = decodeImage(bytes, { file: "cats/7.jpg", maxPixels: 1e6 });
  } catch (error) {
    ok(error instanceof DataError, `${error}`);
    return;
  }
  equal(image.data.length, 4 * image.width * image.height);
}

Deno.test("random bytes behind a right beginning never trap", () => {
  const starts = ["", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff"].map((s) =>
    Uint8Array.from(s, (c) => c.charCodeAt(0))
  );
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(fc.property(fc.constantFrom(...starts), bytes, (start, rest) => {
    checkAny(Uint8Array.of(...start, ...rest));
  }));
});

/** Mends a changed PNG's checksums, so that the change comes to the decoder behind them. */
function rightChecksums(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) return;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
}

Deno.test("files with changed bytes decode or are refused", () => {
  const files = fixtures.decode.map((c) => c.file);
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ max: 255 }));
  const changes = fc.array(change, { minLength: 1, maxLength: 6 });
  const property = fc.property(fc.constantFrom(...files), changes, (file, changes) => {
    const bytes = fixture(file);
    for (const [at, to] of changes) bytes[8 + Math.floor(at * (bytes.length - 9))] = to;
    if (file.endsWith(".png")) rightChecksums(bytes);
    checkAny(bytes);
  });
  fc.assert(property, { numRuns: 500 });
});
