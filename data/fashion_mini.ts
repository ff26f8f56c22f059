/** fashion-mini: the built-in data set, 10,000 + 2,000 images of Fashion-MNIST. */
import { DataError, UsageError } from "../core/errors.ts";
import { decodeImage } from "../wasm/image.ts";
import type { OpenOptions, PackedDataset } from "./dataset.ts";
import { fashionClasses } from "./idx.ts";
import { PackedPictures } from "./pictures.ts";

const side = 28;

/** One part of the container the images ship in. */
function section(sheets: WebAssembly.Module, name: string): Uint8Array<ArrayBuffer> {
  const found = WebAssembly.Module.customSections(sheets, name);
  if (found.length === 1) return new Uint8Array(found[0]);
  const file = "sheets.wasm", fact = `${file} has ${found.length} sections ${name}, 1 is wanted`;
  throw new DataError(`Cannot open fashion-mini: ${fact}`, { file });
}

/** Cuts a sheet into its tiles, left to right, top to bottom. */
function readSplit(sheets: WebAssembly.Module, name: string): PackedPictures {
  const labels = Int32Array.from(section(sheets, `${name}.labels`)), size = labels.length;
  const file = `${name}.png`, sheet = decodeImage(section(sheets, file), { file });
  const columns = Math.floor(sheet.width / side);
  if (columns * Math.floor(sheet.height / side) !== size) {
    const fact = `${file} is ${sheet.width}×${sheet.height}, ${size} tiles of ${side}×${side} ` +
      "are wanted";
    throw new DataError(`Cannot open fashion-mini: ${fact}`, { file });
  }
  const images = new Uint8Array(size * side * side);
  let to = 0;
  for (let i = 0; i < size; i++) {
    const left = (i % columns) * side, top = Math.floor(i / columns) * side;
    for (let y = 0; y < side; y++) {
      let from = ((top + y) * sheet.width + left) * 4;
      for (let x = 0; x < side; x++, from += 4) images[to++] = sheet.data[from];
    }
  }
  return new PackedPictures({ width: side, height: side, channels: 1, images, labels });
}

/**
 * Opens the built-in data set. It needs no file, no download and no permission, also where this
 * module was imported from a URL.
 *
 * @throws {UsageError} when a folder or a download is asked for
 * @source Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST"
 */
export async function openFashionMini(options: OpenOptions = {}): Promise<PackedDataset> {
  if (options.dataDir !== undefined || options.download) {
    const option = options.download ? "`download`" : "`dataDir`";
    const hint = `leave ${option} out, or choose fashion-mnist`;
    throw new UsageError(`Cannot open fashion-mini: it is built in; ${hint}`, { hint });
  }
  const { sheets } = await import("./fashion_mini/sheets.js");
  return {
    name: "fashion-mini",
    classes: fashionClasses,
    train: readSplit(sheets, "train"),
    test: readSplit(sheets, "test"),
    sourceNote: "Fashion-MNIST, Zalando SE 2017, MIT licence, reduced to 10,000 + 2,000 images",
  };
}
