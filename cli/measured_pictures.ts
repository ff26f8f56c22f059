/** What `evaluate` measures on: a part of the user's own pictures, or a data set's test pictures. */
import { DataError, UsageError } from "../core/errors.ts";
import { type FolderDataset, openFolder } from "../data/folder.ts";
import { FolderPictures } from "../data/folder_pictures.ts";
import type { Flaw } from "../data/folder_walk.ts";
import type { Loader } from "../data/loader.ts";
import type { Pictures } from "../data/pictures.ts";
import type { Split } from "../data/split.ts";
import type { Checkpoint } from "../models/checkpoint.ts";
import { choice, flag, group, number, path, type Values } from "./options.ts";

/** Parts by the names of their folders. */
const parts = { train: "train", val: "validation", test: "test" } as const satisfies Record<
  string,
  Split
>;
type PartName = keyof typeof parts;
const partNames = Object.keys(parts) as PartName[];

/** Which of the user's own pictures. */
export const ownOptions = group("Your own pictures", {
  data: path({
    help:
      "folder with a folder a class, or with train, val and test of such folders; or a CSV of " +
      "path and label",
  }),
  split: choice(partNames, {
    help: "the part to measure on",
    unset: "test, else val, else all pictures",
  }),
  validation: number({
    help: "share that training held out, for --split of pictures in no parts",
    ...{ default: 0.2, min: 0, max: 0.9 },
  }),
  skipDamaged: flag({ help: "leave damaged files out, instead of stopping" }),
});

/** Values of {@link ownOptions}. */
export type OwnOptions = Values<typeof ownOptions>;

/** Labelled pictures, labels as the weights number them. */
export interface MeasuredPictures {
  /** What they are, in words. */
  readonly name: string;
  /** The pictures. */
  readonly pictures: Pictures;
  /** What a person should know of them. */
  readonly notes: readonly string[];
  /** What a picture is called. */
  nameOf(index: number): string;
  /** Files that were left out as damaged, so far. */
  damaged(): readonly Flaw[];
}

/** Opens the user's own pictures. */
export async function openOwn(
  data: string,
  { split, validation, skipDamaged }: OwnOptions,
  more: {
    readonly loader: Loader;
    readonly signal: AbortSignal;
    readonly onFile: (done: number, total: number) => void;
  },
): Promise<FolderDataset> {
  return await openFolder(data, {
    ...{ skipDamaged, loader: more.loader, signal: more.signal, cacheBytes: 0 },
    // Without parts all pictures are measured, unless those are wanted that training left out.
    validationShare: split === undefined ? 0 : validation,
    onProgress: ({ loadedBytes, totalBytes = 0 }) => more.onFile(loadedBytes, totalBytes),
  });
}

/**
 * The part that was asked for, its labels those of the weights' classes of the same names.
 *
 * @param shown the folder as the user would type it
 * @throws {UsageError} when there is no such part, or a class that the weights do not know
 */
export function ownPart(
  dataset: FolderDataset,
  split: PartName | undefined,
  checkpoint: Checkpoint,
  shown: string,
): MeasuredPictures {
  const given = split ?? (dataset.test ? "test" : dataset.validation ? "val" : "train");
  const part = dataset[parts[given]];
  if (part === undefined) {
    const found = partNames.filter((name) => dataset[parts[name]]).join(", ");
    throw new UsageError(
      `Cannot evaluate on ${given} of ${shown}: there is no such part, one of ${found} is wanted`,
    );
  }
  const labels = matchedLabels(dataset.classes, checkpoint, shown);
  const files = part.files.map((file) => ({ ...file, label: labels[file.label] }));
  const isWhole = split === undefined && given === "train";
  return {
    name: isWhole ? shown : `${given} of ${shown}`,
    pictures: new FolderPictures(files, part.state),
    notes: isWhole ? [wholeNote] : [],
    nameOf: (index) => files[index].name,
    damaged: () => [...dataset.summary.damaged, ...dataset.damaged()],
  };
}

const wholeNote = "all pictures are measured, those too that the weights may have learnt from; " +
  "--split val takes those that training holds out";

/** The weights' label for each of the folder's. */
function matchedLabels(
  classes: readonly string[],
  { classes: known, file }: Checkpoint,
  shown: string,
): number[] {
  const byName = new Map(known.map((name, label) => [name.normalize(), label]));
  const unknown = classes.filter((name) => !byName.has(name.normalize()));
  const twice = classes.find((name) =>
    known.filter((one) => one.normalize() === name.normalize()).length > 1
  );
  if (twice !== undefined) {
    throw new UsageError(
      `Cannot evaluate ${file} on ${shown}: it has several classes called ${twice}, one is wanted`,
      { hint: "give all classes names of their own by --labels" },
    );
  }
  if (unknown.length > 0) {
    throw new UsageError(
      `Cannot evaluate ${file} on ${shown}: it does not know ${listed(unknown)}; it tells apart ` +
        `${listed(known)}; ${shown} has ${listed(classes)}`,
      {
        hint:
          "give folders, or the labels of a CSV, the names that the weights have for their classes",
      },
    );
  }
  return classes.map((name) => byName.get(name.normalize())!);
}

/**
 * The test pictures of a data set of the table, whose classes are the weights' in their order.
 *
 * @throws {UsageError} when they are not
 * @throws {DataError} when the data set has no test pictures
 */
export function testPart(
  { name, classes, test }: {
    readonly name: string;
    readonly classes: readonly string[];
    readonly test?: Pictures;
  },
  { classes: known, file }: Checkpoint,
): MeasuredPictures {
  if (known.length !== classes.length || !known.every((one, k) => one === classes[k])) {
    throw new UsageError(
      `Cannot evaluate ${file} on ${name}: it tells apart ${listed(known)}; ${name} has ` +
        listed(classes),
      { hint: "choose the data set it was trained on with --dataset, or your own by --data" },
    );
  }
  if (!test) throw new DataError(`Cannot evaluate on ${name}: it has no test pictures`);
  const nameOf = (index: number): string => `test picture ${index}`;
  return { name, pictures: test, notes: [], nameOf, damaged: () => [] };
}

/** Names of classes, the first dozen of them. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(", ");
  return names.length <= 12 ? shown : `${names.length} classes (${shown}, …)`;
}
