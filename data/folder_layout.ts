/** What the folders of a data set mean: classes, or parts with classes in them. */
import { DataError } from "../core/errors.ts";
import type { PictureFile } from "./folder_scan.ts";
import type { Flaw, Walk } from "./folder_walk.ts";
import { type Split, splitNamed } from "./split.ts";

/** What sub-folders are: a class each, parts (`train`, `val`, `test`), or whichever fits. */
export type FolderLayout = "auto" | "classes" | "splits";

/** A picture with what its place says. */
export interface PlacedPicture extends PictureFile {
  /** Name of its class. */
  readonly className: string;
  /** Its part, where the pictures are in parts. */
  readonly split?: Split;
}

/** Where pictures belong. */
export interface Placement {
  /** The pictures that belong to a class. */
  readonly pictures: readonly PlacedPicture[];
  /** Those that do not. */
  readonly ignored: readonly Flaw[];
  /** Classes that have a folder and no picture anywhere. */
  readonly emptyClasses: readonly string[];
}

/**
 * Reads classes, and parts, off the names of folders. Sub-folders are parts where at least one of
 * them bears a part's name and has pictures in folders of its own only. Class names are compared in
 * Unicode's composed form, since systems differ in how they store an `é`. Folders within a class's
 * folder belong to that class.
 *
 * @throws {DataError} when it is not clear whether folders are parts, a part has two folders, or
 *   there is none to learn from
 */
export function placePictures(
  action: string,
  pictures: readonly PictureFile[],
  walk: Walk,
  layout: FolderLayout,
): Placement {
  const inSplits = layout === "splits" ||
    (layout === "auto" && splitFolders(pictures).size > 0);
  if (inSplits) checkSplits(action, pictures, layout);
  const depth = inSplits ? 1 : 0;
  const placed: PlacedPicture[] = [], ignored: Flaw[] = [];
  for (const picture of pictures) {
    const path = picture.name.split("/"), split = inSplits ? splitNamed(path[0]) : undefined;
    if (inSplits && split === undefined) {
      ignored.push({ name: picture.name, reason: "in none of the parts" });
    } else if (path.length < depth + 2) {
      ignored.push({ name: picture.name, reason: "in no class's folder" });
    } else {
      placed.push({ ...picture, className: path[depth].normalize(), split });
    }
  }
  const filled = new Set(placed.map(({ className }) => className));
  const empty = walk.folders.map((name) => name.split("/")).filter((path) =>
    path.length === depth + 1 && (!inSplits || splitNamed(path[0]) !== undefined) &&
    !filled.has(path[depth].normalize())
  );
  const emptyClasses = [...new Set(empty.map((path) => path[depth].normalize()))];
  return { pictures: placed, ignored, emptyClasses };
}

/** Top folders that look like parts, by name: their pictures lie in folders of their own. */
function splitFolders(pictures: readonly PictureFile[]): Map<string, Split> {
  const found = new Map<string, Split>(), loose = new Set<string>();
  for (const { name } of pictures) {
    const [top, ...below] = name.split("/"), split = splitNamed(top);
    if (below.length === 1) loose.add(top);
    else if (below.length > 1 && split) found.set(top, split);
  }
  for (const top of loose) found.delete(top);
  return found;
}

function checkSplits(
  action: string,
  pictures: readonly PictureFile[],
  layout: FolderLayout,
): void {
  const folders = splitFolders(pictures), names = [...folders.keys()].join(", ");
  const others = new Set(pictures.flatMap(({ name }) => {
    const [top, ...below] = name.split("/");
    return below.length > 0 && !folders.has(top) ? [top] : [];
  }));
  const fail = (fact: string): never => {
    throw new DataError(`Cannot ${action}: ${fact}`);
  };
  if (others.size > 0 && layout === "auto") {
    const beside = `${[...others].join(", ")} have pictures beside ${names}`;
    fail(`${beside}, folders of parts or of classes are wanted (\`layout\` says which they are)`);
  }
  const byPart = new Map<Split, string>();
  for (const [name, split] of folders) {
    const other = byPart.get(split);
    if (other) fail(`${other} and ${name} are both for ${split}, one folder is wanted`);
    byPart.set(split, name);
  }
  if (byPart.has("train")) return;
  fail(`there is ${names || "no part"} and no train with pictures in folders, one is wanted`);
}
