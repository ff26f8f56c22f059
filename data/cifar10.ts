/** CIFAR-10: 50,000 training and 10,000 test images of 32×32 RGB pixels in ten classes. */
import { DataError, UsageError } from "../core/errors.ts";
import { cifar10Archive, unpackCifar10 } from "./cifar10_archive.ts";
import type { OpenOptions, PackedDataset } from "./dataset.ts";
import { downloadFile } from "./download.ts";
import { fileError, fileSize, readFile } from "./files.ts";
import { type PackedImages, PackedPictures } from "./pictures.ts";

const officialClasses: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

const side = 32, plane = side * side, recordBytes = 1 + 3 * plane, perFile = 10_000;
const trainFiles = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
const testFiles = ["test_batch.bin"];
const action = "open cifar10";

/** Joins a folder and a name with one slash. */
const join = (folder: string, name: string): string => `${folder.replace(/[/\\]+$/, "")}/${name}`;

/** Records of one file into `split` from image `first` on: planes of R, G, B become pixels. */
async function readBatch(path: string, split: PackedImages, first: number, records: number) {
  const bytes = await readFile(action, path);
  const fail = (fact: string) => new DataError(`Cannot ${action}: ${path} ${fact}`, { file: path });
  if (bytes.length !== records * recordBytes) {
    throw fail(`has ${bytes.length} bytes, ${records * recordBytes} are wanted`);
  }
  const { images, labels } = split;
  for (let i = 0; i < records; i++) {
    const at = i * recordBytes, label = bytes[at];
    if (label > 9) throw fail(`has the label ${label} in image ${i}, 0 to 9 are wanted`);
    labels[first + i] = label;
    const red = at + 1, green = red + plane, blue = green + plane;
    let to = (first + i) * 3 * plane;
    for (let p = 0; p < plane; p++) {
      images[to++] = bytes[red + p];
      images[to++] = bytes[green + p];
      images[to++] = bytes[blue + p];
    }
  }
}

async function readSplit(folder: string, names: readonly string[], records: number) {
  const size = names.length * records;
  const images = new Uint8Array(size * 3 * plane), labels = new Int32Array(size);
  const split: PackedImages = { width: side, height: side, channels: 3, images, labels };
  for (const [i, name] of names.entries()) {
    await readBatch(join(folder, name), split, i * records, records);
  }
  return new PackedPictures(split);
}

/** Class names from `batches.meta.txt`; the official ones where that file was left out. */
async function readClasses(folder: string): Promise<readonly string[]> {
  const path = join(folder, "batches.meta.txt");
  if (await fileSize(action, path) === undefined) return officialClasses;
  const lines = new TextDecoder().decode(await readFile(action, path)).split(/\r?\n/);
  const names = lines.map((line) => line.trim()).filter((line) => line !== "");
  if (names.length === 10) return names;
  const message = `Cannot ${action}: ${path} names ${names.length} classes, 10 are wanted`;
  throw new DataError(message, { file: path });
}

/**
 * Reads CIFAR-10's binary files, `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
 *
 * A record is a label byte, then 32·32 bytes each of red, green and blue.
 *
 * @param folder where the files lie
 * @param records images a file
 * @throws {DataError} on a missing file, a wrong size or a label above 9
 * @throws {UsageError} when reading is not permitted
 * @source Krizhevsky 2009, "Learning multiple layers of features from tiny images"
 */
export async function readCifar10(
  folder: string,
  records: number = perFile,
): Promise<PackedDataset> {
  const classes = await readClasses(folder);
  const train = await readSplit(folder, trainFiles, records);
  const test = await readSplit(folder, testFiles, records);
  const sourceNote = "CIFAR-10, Alex Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html";
  return { name: "cifar10", classes, train, test, sourceNote };
}

async function missingIn(folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (const name of [...trainFiles, ...testFiles]) {
    if (await fileSize(action, join(folder, name)) === undefined) missing.push(name);
  }
  return missing;
}

/** Fetches the archive, unless it lies there already, unpacks it and removes it. */
async function install(dataDir: string, options: OpenOptions): Promise<void> {
  const { name, url, md5 } = cifar10Archive, path = join(dataDir, name);
  try {
    await Deno.mkdir(dataDir, { recursive: true });
  } catch (error) {
    throw fileError(action, dataDir, "write", error);
  }
  if (await fileSize(action, path) === undefined) {
    const { signal, onProgress, downloadUrl = url } = options;
    await downloadFile({ action, url: downloadUrl, path, checksum: { md5 }, signal, onProgress });
  }
  await unpackCifar10(path, join(dataDir, cifar10Archive.folder));
}

/**
 * Opens CIFAR-10 from `dataDir` or its sub-folder `cifar-10-batches-bin`; with `download`, fetches
 * the official archive (170 MB) there first when the files are missing; a transfer that broke off is
 * gone on with. An archive placed in `dataDir` by hand is unpacked instead of fetched.
 *
 * @throws {DataError} on missing or damaged files, or when the download fails
 * @throws {UsageError} without `dataDir`, or when a permission is missing
 * @source Krizhevsky 2009, "Learning multiple layers of features from tiny images"
 */
export async function openCifar10(options: OpenOptions = {}): Promise<PackedDataset> {
  const { dataDir, download = false } = options, { name, folder, url } = cifar10Archive;
  if (dataDir === undefined) {
    const hint = "`dataDir`, a folder with its files, or with `download` one to fetch them to";
    throw new UsageError(`Cannot ${action}: no folder is given, ${hint} is wanted`, { hint });
  }
  const nested = join(dataDir, folder);
  const missing = await missingIn(dataDir);
  if (missing.length === 0) return readCifar10(dataDir);
  const missingNested = await missingIn(nested);
  if (missingNested.length === 0) return readCifar10(nested);
  if (download) {
    await install(dataDir, options);
    return readCifar10(nested);
  }
  const found = missingNested.length < missing.length ? nested : dataDir;
  const file = join(found, (found === nested ? missingNested : missing)[0]);
  const archive = join(dataDir, name);
  const remedy = await fileSize(action, archive) === undefined
    ? `add \`download\`, or unpack ${url} into ${dataDir}`
    : `add \`download\` once to unpack ${archive}, which is there`;
  throw new DataError(`Cannot ${action}: ${file} does not exist; ${remedy}`, { file });
}
