/** MNIST and Fashion-MNIST in the IDX format: 60,000 + 10,000 grey images of 28×28 pixels. */
import { DataError, UsageError } from "../core/errors.ts";
import type { OpenOptions, PackedDataset } from "./dataset.ts";
import { fileSize, readFile } from "./files.ts";
import { readIdx } from "./idx_format.ts";
import { PackedPictures } from "./pictures.ts";

/** Classes of Fashion-MNIST. */
export const fashionClasses: readonly string[] = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** Where Debian's package `dataset-fashion-mnist` installs its files. */
export const debianFashionMnist = "/usr/share/datasets/fashion-mnist";

/** What the two data sets in this format differ in. */
interface IdxSet {
  readonly name: string;
  readonly classes: readonly string[];
  readonly sourceNote: string;
}

/** Bytes of `NAME` or `NAME.gz` in a folder, decoded. */
async function readArray(action: string, folder: string, name: string) {
  const plain = `${folder}/${name}`;
  const path = await fileSize(action, plain) === undefined ? `${plain}.gz` : plain;
  if (path !== plain && await fileSize(action, path) === undefined) {
    const message = `Cannot ${action}: neither ${plain} nor ${path} exists`;
    throw new DataError(message, { file: path });
  }
  return { path, array: await readIdx(await readFile(action, path), { file: path }) };
}

async function readSplit(action: string, folder: string, prefix: string, classes: number) {
  const images = await readArray(action, folder, `${prefix}-images-idx3-ubyte`);
  const labels = await readArray(action, folder, `${prefix}-labels-idx1-ubyte`);
  const fail = (file: string, fact: string) =>
    new DataError(`Cannot ${action}: ${file} ${fact}`, { file });
  const [size, height, width] = images.array.shape;
  if (images.array.shape.length !== 3) {
    throw fail(images.path, `has ${images.array.shape.length} axes, 3 are wanted`);
  }
  if (labels.array.shape.length !== 1) {
    throw fail(labels.path, `has ${labels.array.shape.length} axes, 1 is wanted`);
  }
  if (labels.array.data.length !== size) {
    throw fail(labels.path, `has ${labels.array.data.length} labels, ${size} are wanted`);
  }
  const wrong = labels.array.data.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    const label = labels.array.data[wrong];
    throw fail(labels.path, `has the label ${label} in image ${wrong}, 0 to 9 are wanted`);
  }
  return new PackedPictures({
    width,
    height,
    channels: 1,
    images: images.array.data,
    labels: Int32Array.from(labels.array.data),
  });
}

async function openIdx(set: IdxSet, folder: string, options: OpenOptions): Promise<PackedDataset> {
  const action = `open ${set.name}`;
  if (options.download) {
    const hint = "the four IDX files in the folder `dataDir`";
    throw new UsageError(`Cannot ${action}: it has no download, ${hint} are wanted`, { hint });
  }
  const train = await readSplit(action, folder, "train", set.classes.length);
  const test = await readSplit(action, folder, "t10k", set.classes.length);
  return { ...set, train, test };
}

/**
 * Opens Fashion-MNIST from `dataDir`, or else from where Debian's package
 * `dataset-fashion-mnist` installs it. Files may be plain or `.gz`.
 *
 * @throws {DataError} on missing or damaged files
 * @throws {UsageError} when the set is not installed, or reading is not permitted
 * @source Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST"
 */
export async function openFashionMnist(options: OpenOptions = {}): Promise<PackedDataset> {
  const folder = options.dataDir ?? debianFashionMnist, name = "fashion-mnist";
  const first = `${folder}/train-images-idx3-ubyte.gz`;
  if (options.dataDir === undefined && await fileSize(`open ${name}`, first) === undefined) {
    const hint =
      "`dataDir`, a folder with its four IDX files, or Debian's package dataset-fashion-mnist";
    const message = `Cannot open ${name}: no folder is given and ${first} does not exist, ` +
      `${hint} is wanted`;
    throw new UsageError(message, { hint });
  }
  const sourceNote = "Fashion-MNIST, Zalando SE 2017, MIT licence, " +
    "https://github.com/zalandoresearch/fashion-mnist";
  return openIdx({ name, classes: fashionClasses, sourceNote }, folder, options);
}

/**
 * Opens MNIST from `dataDir`. Files may be plain or `.gz`.
 *
 * @throws {DataError} on missing or damaged files
 * @throws {UsageError} without `dataDir`, or when reading is not permitted
 * @source LeCun, Cortes & Burges 1998, "The MNIST database of handwritten digits"
 */
export async function openMnist(options: OpenOptions = {}): Promise<PackedDataset> {
  const name = "mnist", classes = Array.from({ length: 10 }, (_, digit) => String(digit));
  if (options.dataDir === undefined) {
    const hint = "`dataDir`, a folder with its four IDX files";
    throw new UsageError(`Cannot open ${name}: no folder is given, ${hint} is wanted`, { hint });
  }
  const sourceNote = "MNIST, Yann LeCun, Corinna Cortes and Christopher Burges 1998";
  return await openIdx({ name, classes, sourceNote }, options.dataDir, options);
}
