/** What was found in a folder, as data. */
import type { ImageFormat } from "../wasm/image.ts";
import type { Flaw } from "./folder_walk.ts";
import type { PlacedPicture } from "./folder_layout.ts";
import { type Split, splits } from "./split.ts";

/** A picture whose part is decided. */
export type AssignedPicture = PlacedPicture & { readonly split: Split };

/** Numbers of pictures by part. */
export type SplitCounts = Readonly<Record<Split, number>>;

/** The smallest, the middle and the largest of some numbers. */
export interface Range {
  /** The smallest. */
  readonly min: number;
  /** The middle one; of an even number, the lower of the two. */
  readonly median: number;
  /** The largest. */
  readonly max: number;
}

/** Files of the same content. */
export interface Copies {
  /** Their names. */
  readonly names: readonly string[];
  /** Their classes: more than one where the same picture is called different things. */
  readonly classes: readonly string[];
  /** The parts they are in: more than one where what is learnt is measured by. */
  readonly splits: readonly Split[];
}

/** How pictures came to their parts. */
export interface SplitRule {
  /** Whether the validation part was there, or was taken from the training pictures by content. */
  readonly validation: "given" | "by content" | "none";
  /** The share that was taken, where it was. */
  readonly share?: number;
}

/** What was found in a folder. */
export interface FolderSummary {
  /** The classes in the order of their labels, with their numbers of pictures. */
  readonly classes: readonly ({ readonly name: string } & SplitCounts)[];
  /** Numbers of pictures. */
  readonly counts: SplitCounts;
  /** Widths in pixels. */
  readonly width: Range;
  /** Heights in pixels. */
  readonly height: Range;
  /** Numbers of files by format. */
  readonly formats: Readonly<Partial<Record<ImageFormat, number>>>;
  /** Bytes of all files. */
  readonly sizeBytes: number;
  /** Training pictures of the largest class over those of the smallest. */
  readonly imbalance: number;
  /** Groups of exact copies. */
  readonly copies: readonly Copies[];
  /** Folders of classes without a picture: left out of the classes. */
  readonly emptyClasses: readonly string[];
  /** Files that are not taken, and why. */
  readonly ignored: readonly Flaw[];
  /** Damaged or unreadable files, left out as `skipDamaged` says. */
  readonly damaged: readonly Flaw[];
  /** How pictures came to their parts. */
  readonly split: SplitRule;
  /** What a person should know before training, a sentence each. */
  readonly notes: readonly string[];
}

/** What {@link summarize} is told. */
export interface Findings {
  readonly classes: readonly string[];
  readonly pictures: readonly AssignedPicture[];
  readonly emptyClasses: readonly string[];
  readonly ignored: readonly Flaw[];
  readonly damaged: readonly Flaw[];
  readonly split: SplitRule;
}

/** Counts, measures and compares what was found. */
export function summarize(findings: Findings): FolderSummary {
  const { pictures, emptyClasses, ignored, damaged, split } = findings;
  const byClass = new Map(findings.classes.map((name) => [name, noPictures()]));
  const counts = noPictures(), formats: Partial<Record<ImageFormat, number>> = {};
  for (const { className, split, info } of pictures) {
    counts[split]++;
    byClass.get(className)![split]++;
    formats[info.format] = (formats[info.format] ?? 0) + 1;
  }
  const classes = [...byClass].map(([name, numbers]) => ({ name, ...numbers }));
  const learnt = classes.map(({ train }) => train);
  const measured = {
    classes,
    counts,
    width: rangeOf(pictures.map(({ info }) => info.width)),
    height: rangeOf(pictures.map(({ info }) => info.height)),
    formats,
    sizeBytes: pictures.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    imbalance: Math.max(...learnt) / Math.min(...learnt),
    copies: copiesIn(pictures),
  };
  const found = { ...measured, emptyClasses, ignored, damaged, split };
  return { ...found, notes: notesOn(found) };
}

const noPictures = (): Record<Split, number> => ({ train: 0, validation: 0, test: 0 });

function rangeOf(numbers: readonly number[]): Range {
  const sorted = numbers.toSorted((a, b) => a - b);
  return { min: sorted[0], median: sorted[(sorted.length - 1) >> 1], max: sorted.at(-1)! };
}

function copiesIn(pictures: readonly AssignedPicture[]): Copies[] {
  const byHash = Map.groupBy(pictures, ({ hash }) => hash);
  return [...byHash.values()].filter((same) => same.length > 1).map((same) => ({
    names: same.map(({ name }) => name),
    classes: [...new Set(same.map(({ className }) => className))],
    splits: splits.filter((split) => same.some((one) => one.split === split)),
  }));
}

/** From this on a set is called unbalanced. */
const notableImbalance = 3;

function notesOn(found: Omit<FolderSummary, "notes">): string[] {
  const { classes, copies, emptyClasses, counts, imbalance } = found, notes: string[] = [];
  const list = (names: readonly string[]) => names.join(", ");
  const say = (names: readonly string[], note: string) => {
    if (names.length > 0) notes.push(`${list(names)}: ${note}`);
  };
  say(emptyClasses, "a folder without a picture, left out of the classes");
  for (const split of ["validation", "test"] as const) {
    if (counts[split] === 0) continue;
    const lacking = classes.filter((one) => one[split] === 0).map(({ name }) => name);
    say(lacking, `no picture for ${split}, so this class is not measured there`);
  }
  const isWanted = found.split.validation !== "none";
  if (counts.validation === 0 && isWanted) notes.push("no picture for validation");
  if (imbalance >= notableImbalance) {
    notes.push(`the largest class has ${imbalance.toFixed(1)} times the pictures of the smallest`);
  }
  for (const { names, classes, splits } of copies) {
    if (classes.length > 1) notes.push(`${list(names)}: one picture in classes ${list(classes)}`);
    if (splits.length > 1) notes.push(`${list(names)}: one picture in parts ${list(splits)}`);
  }
  const folded = Map.groupBy(classes, ({ name }) => name.toLowerCase());
  for (const same of folded.values()) {
    if (same.length > 1) say(same.map(({ name }) => name), "classes that differ in case only");
  }
  return notes;
}
