/**
 * Makes `sheets.wasm` and `preview.png` from the files of Debian's package
 * `dataset-fashion-mnist`:
 *
 *     deno run --allow-read --allow-write=data/fashion_mini tools/make_fashion_mini.ts
 */
import { openFashionMnist } from "../data/idx.ts";
import type { PackedPictures } from "../data/pictures.ts";
import { packSections } from "./wasm_container.ts";
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
const here = (name: string) => new URL(`../data/fashion_mini/${name}`, import.meta.url);
await Deno.writeFile(here("sheets.wasm"), packSections(files).stream());
const rows = classes.map((_, label) =>
  [...train.labels.keys()].filter((i) => train.labels[i] === label)
);
const preview = encodeSmallest(tile(train, rows.flatMap((row) => row.slice(0, 10)), 10));
await Deno.writeFile(here("preview.png"), preview);
for (const [name, data] of Object.entries(files)) console.log(`${name}: ${data.length} bytes`);
