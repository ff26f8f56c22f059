/** Contact sheets: every pixel where it belongs, and letters that can be told apart. */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import { ShapeError } from "../../core/errors.ts";
import { asciiOf, glyph, glyphs } from "../../report/bitmap_font.ts";
import { contactSheet, mixedLabel, type Sheet } from "../../report/contact_sheet.ts";

const size = { width: 32, height: 16 };

function noise(seed: number): Uint8Array {
  const random = new Random(seed, "noise");
  return Uint8Array.from({ length: 3 * size.width * size.height }, () => 32 + random.below(192));
}

const packed = (rgb: Uint8Array): Uint32Array =>
  Uint32Array.from(
    { length: rgb.length / 3 },
    (_, k) => rgb[3 * k] + rgb[3 * k + 1] * 2 ** 8 + rgb[3 * k + 2] * 2 ** 16 + 255 * 2 ** 24,
  );

const pixel = ({ width, data }: Sheet, x: number, y: number): string =>
  `${data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)}`;

/** Number of dark pixels in a rectangle. */
function inkIn(sheet: Sheet, [left, top, width, height]: readonly number[]): number {
  let count = 0;
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) if (pixel(sheet, x, y) === "24,24,24") count++;
  }
  return count;
}

Deno.test("contact sheet: pictures are enlarged by squares, words and bytes alike", () => {
  const pictures = Array.from({ length: 5 }, (_, k) => noise(k));
  const label = "x", options = { ...size, columns: 3, minWidth: 60 };
  const sheet = contactSheet(pictures.map((pixels) => ({ pixels, label })), options);
  const same = contactSheet(pictures.map((rgb) => ({ pixels: packed(rgb), label })), options);
  assert.deepEqual(sheet, same);
  const zoom = 2, gap = 8, pitch = { x: 64 + gap, y: 32 + 3 + 10 + gap };
  assert.deepEqual([sheet.width, sheet.height], [3 * pitch.x + gap, 2 * pitch.y + gap]);
  assert.equal(sheet.data.length, 3 * sheet.width * sheet.height);
  pictures.forEach((rgb, k) => {
    const left = gap + (k % 3) * pitch.x, top = gap + Math.floor(k / 3) * pitch.y;
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 64; x++) {
        const at = 3 * (Math.floor(y / zoom) * size.width + Math.floor(x / zoom));
        assert.equal(pixel(sheet, left + x, top + y), `${rgb.subarray(at, at + 3)}`);
      }
    }
  });
});

Deno.test("contact sheet: a label stands below its picture, and does not reach the next", () => {
  const blank = new Uint8Array(3 * size.width * size.height).fill(200);
  const labels = [
    "cat",
    "an exceedingly long name of a class that has no end",
    "",
    "Ankle boot .7 Sandal .3",
  ];
  const sheet = contactSheet(labels.map((label) => ({ pixels: blank, label })), {
    ...{ ...size, columns: 4, minWidth: 96 },
  });
  const pitch = 96 + 8, top = 8 + 48;
  const ink = labels.map((_, k) => inkIn(sheet, [8 + k * pitch, top, 96, sheet.height - top]));
  assert(ink[0] > 20 && ink[1] > 150 && ink[3] > 150, `${ink}`);
  assert.equal(ink[2], 0);
  assert.equal(inkIn(sheet, [0, 0, sheet.width, sheet.height]), ink.reduce((a, b) => a + b));
});

Deno.test("contact sheet: what does not fit is refused", () => {
  assert.throws(() => contactSheet([], size), ShapeError);
  const pixels = new Uint32Array(5);
  assert.throws(
    () => contactSheet([{ pixels, label: "cat" }], size),
    /the picture of cat has 5 elements, 512 are wanted for 32×16 pixels/,
  );
});

Deno.test("contact sheet: labels of mixed pictures name their shares", () => {
  const mix = (share: number) =>
    mixedLabel([{ label: "cat", share }, { label: "dog", share: 1 - share }])
      .replaceAll("\u00a0", " ");
  assert.deepEqual([0.7, 0.97, 0.04, 0.5, 0.95].map(mix), [
    ...["cat .7 dog .3", "cat", "dog", "cat .5 dog .5", "cat .9 dog .1"],
  ]);
  assert.equal(mixedLabel([{ label: "cat", share: 0.6 }, { label: "cat", share: 0.4 }]), "cat");
});

Deno.test("font: a shape for each printable character, and no shape twice", () => {
  const shapes = glyphs();
  assert.equal(shapes.length, 95);
  for (const rows of shapes) {
    assert.equal(rows.length, glyph.height);
    for (const row of rows) assert.match(row, /^[.#]{5}$/);
  }
  assert.equal(new Set(shapes.map((rows) => rows.join(""))).size, 95);
  assert(!shapes[0].join("").includes("#"));
});

Deno.test("font: other scripts are spelled where they can be", () => {
  assert.equal(asciiOf("Größe café naïve Ærø"), "Grosse cafe naive AEro");
  assert.equal(asciiOf("猫 🐈\n~"), "? ? ~");
});
