/** CIFAR-10's official archive and how it is unpacked. */
import { DataError, UsageError } from "../core/errors.ts";
import { fileMismatch } from "./checksum.ts";
import { fileError, removeIfThere, writeWhole } from "./files.ts";
import { gunzip } from "./gzip.ts";
import { untar } from "./untar.ts";

/** The official archive of the binary version. */
export const cifar10Archive = {
  name: "cifar-10-binary.tar.gz",
  folder: "cifar-10-batches-bin",
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  md5: "c32a1d4ab5d03f1284b67883e8d87530",
} as const;

const wanted: readonly string[] = [
  ...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  "test_batch.bin",
  "batches.meta.txt",
];
const maxFileBytes = 64 * 2 ** 20;

/**
 * Unpacks the seven files of the data set, each written whole or not at all, and removes the
 * archive. Other files in the archive are left out.
 *
 * @param archive path of the `.tar.gz`
 * @param folder where to write; made when missing
 * @param md5 the archive's checksum: one placed by hand may be a broken download
 * @throws {DataError} when the archive is damaged or lacks a file
 * @throws {UsageError} when writing is not permitted
 */
export async function unpackCifar10(
  archive: string,
  folder: string,
  md5: string = cifar10Archive.md5,
): Promise<void> {
  const action = `unpack ${archive}`;
  const fail = (fact: string, cause?: unknown) =>
    new DataError(`Cannot ${action}: ${fact}`, { cause, file: archive });
  const fault = await fileMismatch(action, archive, { md5 });
  if (fault !== undefined) throw fail(`its ${fault}; remove it and fetch it again`);
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(action, folder, "write", error);
  }
  const left = new Set(wanted);
  try {
    using file = await Deno.open(archive);
    const bytes = gunzip(file.readable);
    for await (const { path, data } of untar(bytes, { file: archive, maxFileBytes })) {
      const name = path.slice(path.lastIndexOf("/") + 1);
      if (left.delete(name)) await writeWhole(action, `${folder}/${name}`, data);
    }
  } catch (error) {
    if (error instanceof DataError || error instanceof UsageError) throw error;
    throw fail(`it is damaged (${error instanceof Error ? error.message : error})`, error);
  }
  if (left.size > 0) throw fail(`it lacks ${[...left].join(", ")}`);
  await removeIfThere(archive);
}
