/** Weights that the authors of a model published: found in a folder, or fetched to it once. */
import { dirname, join } from "node:path";
import { DataError, UsageError } from "../core/errors.ts";
import { type Checksum, fileMismatch } from "./checksum.ts";
import type { Progress } from "./dataset.ts";
import { downloadFile } from "./download.ts";
import { fileError, fileSize } from "./files.ts";

/** Which weights are wanted, and where they may come from. */
export interface PublishedWeights {
  /** Name of the model. */
  readonly name: string;
  /** Official address; the file's name ends in the first digits of its SHA-256, `…-f37072fd.pth`. */
  readonly address: string;
  /** Folder for the file, which keeps its official name; made where it is missing. */
  readonly folder: string;
  /** Fetch the file when it is not there. */
  readonly download: boolean;
  /** Address to fetch from instead of the official one; the digits stay the official one's. */
  readonly downloadUrl?: string;
  /** Stops a download. */
  readonly signal?: AbortSignal;
  /** Called as a download goes on. */
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Path of the file of published weights in `folder`, which is fetched where it is missing and
 * `download` is given. Its checksum is looked at each time, which takes about 0.2 s for 45 MB
 * (ResNet-18).
 *
 * @throws {DataError} when there is no file and no `download`, when the file is not the published
 *   one, or when the download fails; the message says what to place where
 * @throws {UsageError} when a permission is missing, another process is fetching the file, or the
 *   address names no digits
 * @throws the signal's reason when it stops the download
 */
export async function publishedWeights(wanted: PublishedWeights): Promise<string> {
  const { name, address, download, signal, onProgress } = wanted;
  const action = `open the weights of ${name}`;
  const file = nameIn(action, address), path = join(wanted.folder, file.name);
  const folder = dirname(path);
  // Fetching takes the right to read the whole folder: it is asked for once, not file by file.
  if (download) await fileSize(action, folder);
  if (await fileSize(action, path) !== undefined) {
    const fault = await fileMismatch(action, path, file.checksum);
    if (fault === undefined) return path;
    const remedy = `remove it and fetch ${address} again`;
    throw new DataError(`Cannot ${action}: ${path} is another file, its ${fault}; ${remedy}`, {
      file: path,
    });
  }
  if (!download) {
    const remedy = `add \`download\`, or fetch ${address} and place it there`;
    throw new DataError(`Cannot ${action}: ${path} does not exist; ${remedy}`, { file: path });
  }
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(action, folder, "write", error);
  }
  const url = wanted.downloadUrl ?? address;
  await downloadFile({ action, url, path, checksum: file.checksum, signal, onProgress });
  return path;
}

/** Name and checksum of the file at an address. */
function nameIn(action: string, address: string): { name: string; checksum: Checksum } {
  const [, name, sha256] = /\/([\w.-]+-([0-9a-f]{8,64})\.\w+)$/.exec(address) ?? [];
  if (name !== undefined) return { name, checksum: { sha256 } };
  const fact = `${address} tells no checksum, a name such as resnet18-f37072fd.pth is wanted`;
  throw new UsageError(`Cannot ${action}: ${fact}`);
}
