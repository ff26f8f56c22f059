/** Files and folders, with errors that name the file, the cause and the remedy. */
import { DataError, UsageError } from "../core/errors.ts";

/** Kinds of permission a file action can lack. */
export type Access = "read" | "write";

/**
 * What to raise for an error of a file action.
 *
 * @param action what could not be done, such as `open cifar10`
 * @param path the file or folder at fault
 */
export function fileError(action: string, path: string, access: Access, error: unknown): Error {
  const options = { cause: error, file: path };
  const fail = (fact: string) => new DataError(`Cannot ${action}: ${fact}`, options);
  if (error instanceof Deno.errors.NotCapable) {
    const hint = `--allow-${access}=${path}`;
    const message = `Cannot ${action}: no permission to ${access} ${path}, ${hint} is wanted`;
    return new UsageError(message, { cause: error, hint });
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    const message = `Cannot ${action}: the system forbids to ${access} ${path}, a path that ` +
      `this user may ${access} is wanted`;
    return new UsageError(message, { cause: error });
  }
  if (error instanceof Deno.errors.NotFound) return fail(`${path} does not exist`);
  if (error instanceof Deno.errors.NotADirectory) {
    return fail(`a part of ${path} is a file, a folder is wanted`);
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return fail(`${path} is a folder, a file is wanted`);
  }
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    return fail(`the disk is full, ${path} does not fit`);
  }
  if (error instanceof Error) return fail(`${path}: ${error.message}`);
  return fail(`${path}: ${String(error)}`);
}

/**
 * All bytes of a file.
 *
 * @throws {DataError} when it is missing or not a file
 * @throws {UsageError} when reading is not permitted
 */
export async function readFile(action: string, path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw fileError(action, path, "read", error);
  }
}

/**
 * Size of a file in bytes, or `undefined` where there is none.
 *
 * @throws {UsageError} when looking is not permitted
 */
export async function fileSize(action: string, path: string): Promise<number | undefined> {
  try {
    const found = await Deno.stat(path);
    return found.isFile ? found.size : undefined;
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (absent) return undefined;
    throw fileError(action, path, "read", error);
  }
}

/**
 * Writes a file so that it is either whole or as it was before: to `path.part` first, which is
 * synced and renamed. A crash leaves the old file.
 *
 * @throws {DataError} when the disk is full
 * @throws {UsageError} when writing is not permitted
 */
export async function writeWhole(
  action: string,
  path: string,
  content: Uint8Array | ReadableStream<Uint8Array>,
): Promise<void> {
  const part = `${path}.part`;
  try {
    await writeSynced(part, content instanceof Uint8Array ? [content] : content);
    await Deno.rename(part, path);
  } catch (error) {
    await removeIfThere(part);
    throw fileError(action, path, "write", error);
  }
}

async function writeSynced(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
  }
  await file.sync();
}

/**
 * Makes new names in a folder outlast a power cut. Not every system can (Windows has no such
 * call), and it takes the permission to read the folder: where it fails, nothing is lost but this.
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch {
    // The files are whole either way; only a power cut could still hide the newest.
  }
}

/** Removes a file; one that is not there, or cannot be removed, is left alone. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // Only ever called to tidy up after another error, which is the one to report.
  }
}
