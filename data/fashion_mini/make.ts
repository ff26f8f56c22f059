/**
 * Makes `sheets.wasm` and `preview.png` from the files of Debian's package
 * `dataset-fashion-mnist`:
 *
 *     deno run --allow-read --allow-write=data/fashion_mini data/fashion_mini/make.ts
 */
import { openFashionMnist } from "../idx.ts";
import type { PackedPictures } from "../pictures.ts";
import { encodeSmallest } from "./png_sheet.ts";
import type { GreyImage } from "./png_sheet.ts";

/** Indices of the first `each` images of every class, in the order of the file. */
function balanced({ labels }: PackedPictures, classes: number, each: number): number[] {
  const counts = new Array<number>(classes).fill(0), chosen: number[] = [];
  labels.forEach((label, i) => {
    if (counts[label]++ < each) chosen.push(i);
  });
  return chosen;
}

/** Lays images out as tiles, left to right, top to bottom. */
function tile(split: PackedPictures, indices: readonly number[], columns: number): GreyImage {
  const { width: w, height: h, images } = split.packed;
  const width = columns * w, height = Math.ceil(indices.length / columns) * h;
  const data = new Uint8Array(width * height);
  indices.forEach((index, i) => {
    const left = (i % columns) * w, top = Math.floor(i / columns) * h;
    for (let y = 0; y < h; y++) {
      const from = (index * h + y) * w;
      data.set(images.subarray(from, from + w), (top + y) * width + left);
    }
  });
  return { width, height, data };
}

/** An unsigned number in WebAssembly's variable-length form. */
function leb128(n: number): number[] {
  return n < 128 ? [n] : [n % 128 + 128, ...leb128(Math.floor(n / 128))];
}

/**
 * A WebAssembly module without code that carries files as custom sections. Deno imports such a
 * module without any permission, from a disk or a URL, which it does for no other binary file.
 */
function pack(files: Readonly<Record<string, Uint8Array>>): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)];
  for (const [name, data] of Object.entries(files)) {
    const label = new TextEncoder().encode(name);
    const head = [...leb128(label.length), ...label];
    parts.push(Uint8Array.from([0, ...leb128(head.length + data.length), ...head]));
    parts.push(new Uint8Array(data));
  }
  return new Blob(parts);
}

const { train, test, classes } = await openFashionMnist();
const files: Record<string, Uint8Array> = {};
for (
  const [name, split, each, columns] of [["train", train, 1000, 100], [
    "test",
    test,
    200,
    50,
  ]] as const
) {
  const indices = balanced(split, classes.length, each);
  files[`${name}.png`] = encodeSmallest(tile(split, indices, columns));
  files[`${name}.labels`] = Uint8Array.from(indices, (i) => split.labels[i]);
}
const here = (name: string) => new URL(name, import.meta.url);
await Deno.writeFile(here("sheets.wasm"), pack(files).stream());
const rows = classes.map((_, label) =>
  [...train.labels.keys()].filter((i) => train.labels[i] === label)
);
const preview = encodeSmallest(tile(train, rows.flatMap((row) => row.slice(0, 10)), 10));
await Deno.writeFile(here("preview.png"), preview);
for (const [name, data] of Object.entries(files)) console.log(`${name}: ${data.length} bytes`);
