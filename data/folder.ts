/** Data sets of one's own: pictures in folders, or listed in a CSV. */
import { createHash } from "node:crypto";
import { basename, dirname, isAbsolute } from "node:path";
import { DataError, UsageError } from "../core/errors.ts";
import type { Dataset, Progress } from "./dataset.ts";
import { fileError, readFile } from "./files.ts";
import { readPictureList } from "./csv_list.ts";
import { type FolderLayout, type Placement, placePictures } from "./folder_layout.ts";
import { damageError, FolderPictures, type FolderState } from "./folder_pictures.ts";
import { type Scan, scanFiles, type ScanOptions } from "./folder_scan.ts";
import { type AssignedPicture, type FolderSummary, summarize } from "./folder_summary.ts";
import { type Flaw, walkFolder } from "./folder_walk.ts";
import { Loader } from "./loader.ts";
import { compareNatural } from "./natural_order.ts";
import { PreparedCache } from "./prepared_cache.ts";
import { type Split, splitByContent, splits } from "./split.ts";

/** How to open a folder. */
export interface FolderOptions {
  /** Leave damaged and unreadable files out, instead of raising them (default false). */
  readonly skipDamaged?: boolean;
  /** Share of pictures for validation where no folder or column says, in [0, 1) (default 0.2). */
  readonly validationShare?: number;
  /** What the sub-folders are (default: whichever fits). */
  readonly layout?: FolderLayout;
  /** Who reads and decodes; default: the calling thread. Whoever made it disposes of it. */
  readonly loader?: Loader;
  /** Most bytes of prepared pictures to keep in memory (default 1 GiB). */
  readonly cacheBytes?: number;
  /** Most pixels of a picture, as for `decodeImage`. */
  readonly maxPixels?: number;
  /** Stops opening. */
  readonly signal?: AbortSignal;
  /** Called as files are looked at; the numbers are of files. */
  readonly onProgress?: (progress: Progress) => void;
}

/** A data set whose pictures are in files. */
export interface FolderDataset extends Dataset {
  /** Pictures to learn from. */
  readonly train: FolderPictures;
  /** Pictures to choose the best weights by. */
  readonly validation?: FolderPictures;
  /** Pictures to measure by, once, where the folder brings some. */
  readonly test?: FolderPictures;
  /** What was found. */
  readonly summary: FolderSummary;
  /** SHA-256 of contents, classes and parts, in order: equal where a run would see the same. */
  readonly fingerprint: string;
  /** Files whose damage showed only when they were decoded, so far, where `skipDamaged` left them out. */
  readonly damaged: () => readonly Flaw[];
}

/**
 * Opens a folder of pictures as a data set, or a CSV that lists some.
 *
 * - A sub-folder is a class; or sub-folders `train`, `val` (also `valid`, `validation`) and `test`
 *   have a sub-folder a class. A CSV has a line a picture: path (relative to the CSV), label, and
 *   `train`, `val` or `test` if it says so; a first line may name the columns.
 * - Classes are the names in the training part, in natural order: digits by their value, all else
 *   by code points. No file system, and no locale, changes a label.
 * - Where there are no validation pictures, a fifth of the training pictures is taken, of each class
 *   alike, by the content of the files: added pictures move none of the old ones, and copies stay
 *   together ({@link splitByContent} says what this costs).
 * - A picture is told by its content: PNG, JPEG, WebP, GIF, BMP, whatever its name. Other files are
 *   listed as ignored, hidden ones left alone. Links are followed, though never in circles.
 * - Every file is read and hashed, and its header looked at. What is damaged behind the header
 *   shows when it is decoded: {@link FolderPictures.verify} does so for all at once.
 *
 * @throws {DataError} when there is no picture, or one class only; when a class is known to
 *   validation or test alone; when files are damaged or unreadable, listing them all, unless
 *   `skipDamaged`; when a line of a CSV is malformed
 * @throws {UsageError} when an option is out of range, or the folder may not be read
 * @example
 * ```ts no-run
 * import { openFolder } from "../mod.ts";
 * const { classes, summary } = await openFolder("flowers");
 * console.log(classes, summary.counts, summary.notes);
 * ```
 */
export async function openFolder(
  path: string,
  options: FolderOptions = {},
): Promise<FolderDataset> {
  const action = `open ${path}`, share = options.validationShare ?? 0.2;
  if (!(share >= 0 && share < 1)) {
    throw new UsageError(
      `Cannot ${action}: the share for validation is ${share}, 0 to below 1 is wanted`,
    );
  }
  const state: FolderState = {
    loader: options.loader ?? new Loader(),
    cache: new PreparedCache(options.cacheBytes ?? 2 ** 30),
    skipDamaged: options.skipDamaged ?? false,
    maxPixels: options.maxPixels,
    found: new Map(),
  };
  const found = await isFolder(action, path)
    ? await readFolder(action, path, options)
    : await readList(action, path, options);
  if (found.damaged.length > 0 && !state.skipDamaged) throw damageError(action, found.damaged);
  const classes = classesOf(action, found);
  const { pictures, rule } = assign(found, share);
  const part = (split: Split): FolderPictures | undefined => {
    const own = pictures.filter((picture) => picture.split === split);
    const labels = new Map(classes.map((name, label) => [name, label]));
    const files = own.map((picture) => ({ ...picture, label: labels.get(picture.className)! }));
    return own.length > 0 ? new FolderPictures(files, state) : undefined;
  };
  return {
    name: basename(path) || path,
    classes,
    train: part("train")!,
    validation: part("validation"),
    test: part("test"),
    sourceNote: `pictures of the user's, from ${path}`,
    summary: summarize({ ...found, classes, pictures, split: rule }),
    fingerprint: fingerprintOf(pictures),
    damaged: () => Array.from(state.found, ([name, reason]) => ({ name, reason })),
  };
}

/** What a folder or a list holds. */
interface Found extends Placement {
  readonly damaged: readonly Flaw[];
}

async function isFolder(action: string, path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    throw fileError(action, path, "read", error);
  }
}

async function readFolder(action: string, path: string, options: FolderOptions): Promise<Found> {
  const walk = await walkFolder(action, path);
  const scan = await scanFiles(walk.files, options);
  const placement = placePictures(action, scan.pictures, walk, options.layout ?? "auto");
  return {
    ...placement,
    ignored: [...walk.ignored, ...scan.ignored, ...placement.ignored].sort(byName),
    damaged: [...walk.damaged, ...scan.damaged].sort(byName),
  };
}

const byName = (a: Flaw, b: Flaw): number => compareNatural(a.name, b.name);

async function readList(action: string, path: string, options: ScanOptions): Promise<Found> {
  const bytes = await readFile(action, path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DataError(`Cannot ${action}: it is no UTF-8 text, a folder or a CSV is wanted`, {
      cause,
    });
  }
  const listed = readPictureList(text, path), folder = dirname(path);
  const files = listed.map(({ path: name, line }) => ({
    path: isAbsolute(name) ? name : `${folder}/${name}`,
    ...{ name, line },
  }));
  const scan: Scan = await scanFiles(files, { ...options, isList: true });
  const byLine = new Map(listed.map((one) => [one.line, one]));
  const pictures = scan.pictures.map((picture) => {
    const { label, split } = byLine.get(picture.line!)!;
    return { ...picture, className: label, split };
  });
  return { pictures, ignored: scan.ignored, damaged: scan.damaged, emptyClasses: [] };
}

/** The classes that training knows, checked against the other parts. */
function classesOf(action: string, { pictures, damaged }: Found): string[] {
  const fail = (fact: string): never => {
    const skipped = damaged.length > 0 ? ` (${damaged.length} damaged files left out)` : "";
    throw new DataError(`Cannot ${action}: ${fact}${skipped}`);
  };
  const known = (split: Split): string[] => {
    const own = pictures.filter((picture) => (picture.split ?? "train") === split);
    return [...new Set(own.map(({ className }) => className))].sort(compareNatural);
  };
  const classes = known("train");
  if (pictures.length === 0) fail("there is no picture in a class's folder, some are wanted");
  for (const split of splits) {
    const own = known(split), unknown = own.filter((name) => !classes.includes(name));
    if (unknown.length === 0) continue;
    const sides = `${split} has ${own.join(", ")}; train has ${classes.join(", ") || "none"}`;
    fail(`train lacks ${unknown.join(", ")}: ${sides}; the classes of train are wanted`);
  }
  if (classes.length < 2) fail(`${classes[0]} is the only class, 2 or more are wanted`);
  return classes;
}

function fingerprintOf(pictures: readonly AssignedPicture[]): string {
  const hash = createHash("sha256");
  for (const one of pictures) hash.update(`${one.hash} ${one.split} ${one.className}\n`);
  return hash.digest("hex");
}

/** Gives every picture a part. */
function assign(
  { pictures }: Found,
  share: number,
): { readonly pictures: readonly AssignedPicture[]; readonly rule: FolderSummary["split"] } {
  const given = pictures.map((one) => ({ ...one, split: one.split ?? "train" as const }));
  if (given.some(({ split }) => split === "validation")) {
    return { pictures: given, rule: { validation: "given" } };
  }
  if (share === 0) return { pictures: given, rule: { validation: "none" } };
  const learnt = given.filter(({ split }) => split === "train");
  const kept = splitByContent(
    learnt.map(({ hash, className }) => ({ hash, label: className })),
    share,
  );
  const validation = new Set(learnt.filter((_, k) => kept[k] === 1));
  const assigned = given.map((one) =>
    validation.has(one) ? { ...one, split: "validation" as const } : one
  );
  return { pictures: assigned, rule: { validation: "by content", share } };
}
