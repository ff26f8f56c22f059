/** The pictures that were named on a command line: files, and all that lie in folders. */
import { DataError } from "../core/errors.ts";
import { fileError } from "../data/files.ts";
import { claimsPicture, type Flaw, walkFolder } from "../data/folder_walk.ts";
import { marksPicture } from "../data/folder_scan.ts";

/** What was named. */
export interface NamedPictures {
  /** Paths, in the order they were named; those of a folder in natural order. */
  readonly paths: readonly string[];
  /** What cannot be read of folders, by path. */
  readonly flaws: readonly Flaw[];
  /** How many files of folders are no pictures. */
  readonly ignored: number;
}

/**
 * Finds the pictures of files and folders, nothing of which is decoded. A file that is named is
 * taken for a picture; of a folder those are that have a picture's name or first bytes.
 *
 * @throws {UsageError} when one may not be looked at
 * @throws {DataError} when a folder has no picture
 */
export async function namedPictures(named: readonly string[]): Promise<NamedPictures> {
  const paths: string[] = [], flaws: Flaw[] = [];
  let ignored = 0;
  for (const path of named) {
    if (!await isFolder(path)) {
      paths.push(path);
      continue;
    }
    const { files, damaged } = await walkFolder(`look for pictures in ${path}`, path);
    const found: string[] = [];
    for (const file of files) {
      if (claimsPicture(file.name) || await marksPicture(file.path)) found.push(file.path);
    }
    if (found.length === 0 && damaged.length === 0) {
      const fact = "the folder has no picture, some are wanted";
      throw new DataError(`Cannot predict ${path}: ${fact}`, { file: path });
    }
    ignored += files.length - found.length;
    paths.push(...found);
    flaws.push(...damaged.map(({ name, reason }) => ({ name: `${path}/${name}`, reason })));
  }
  return { paths, flaws, ignored };
}

/** What is missing is no folder: it is told when its turn comes. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (isAbsent) return false;
    throw fileError(`look at ${path}`, path, "read", error);
  }
}
