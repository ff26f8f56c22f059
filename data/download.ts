/** Fetching one file over the network: checked, whole or not at all. */
import { createHash } from "node:crypto";
import { DataError, UsageError } from "../core/errors.ts";
import type { Progress } from "./dataset.ts";
import { fileError, removeIfThere } from "./files.ts";

/** One file to fetch. */
export interface Download {
  /** What it is for, as in `Cannot ⟨action⟩`. */
  readonly action: string;
  /** Address of the file. */
  readonly url: string;
  /** Where to put it. */
  readonly path: string;
  /** Checksum it must have, in hexadecimal. */
  readonly md5: string;
  /** Stops the transfer. */
  readonly signal?: AbortSignal;
  /** Called after every piece received. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Why a transfer failed, in the words of its innermost error. */
function reasonOf(error: unknown): string {
  let reason = String(error);
  for (let at = error; at instanceof Error; at = at.cause) reason = at.message;
  return reason;
}

function byHand({ url, path }: Download): string {
  return `fetch ${url} by another way and place it at ${path}`;
}

async function respond(download: Download): Promise<Response> {
  const { action, url, signal } = download;
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof Deno.errors.NotCapable) {
      const hint = `--allow-net=${new URL(url).host}`;
      const message = `Cannot ${action}: no permission to connect to ${url}, ${hint} is wanted`;
      throw new UsageError(message, { cause: error, hint });
    }
    const message = `Cannot ${action}: ${url} cannot be reached (${reasonOf(error)}); ` +
      byHand(download);
    throw new DataError(message, { cause: error, file: download.path });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  const message = `Cannot ${action}: ${url} answers ${response.status}, 200 is wanted; ` +
    byHand(download);
  throw new DataError(message, { file: download.path });
}

/** Writes the answer's body to a file and returns its MD5. */
async function save(download: Download, response: Response, part: string): Promise<string> {
  const { action, onProgress } = download;
  const length = Number(response.headers.get("content-length") ?? NaN);
  const totalBytes = Number.isSafeInteger(length) && length > 0 ? length : undefined;
  const hash = createHash("md5");
  let loadedBytes = 0;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(part, { write: true, create: true, truncate: true });
  } catch (error) {
    await response.body?.cancel();
    throw fileError(action, part, "write", error);
  }
  using _closed = file;
  for await (const chunk of response.body ?? []) {
    hash.update(chunk);
    for (let done = 0; done < chunk.length;) {
      done += await file.write(chunk.subarray(done)).catch((error) => {
        throw fileError(action, part, "write", error);
      });
    }
    loadedBytes += chunk.length;
    onProgress?.({ loadedBytes, totalBytes });
  }
  await file.sync();
  return hash.digest("hex");
}

/**
 * Fetches a file to `path.part`, checks its MD5 and renames it to `path`.
 * Whatever goes wrong, nothing is left behind.
 *
 * @throws {DataError} when the address cannot be reached, the transfer breaks off or the checksum
 * differs; the message says how to place the file by hand
 * @throws {UsageError} when connecting or writing is not permitted
 */
export async function downloadFile(download: Download): Promise<void> {
  const { action, url, path, md5, signal } = download;
  const part = `${path}.part`;
  const response = await respond(download);
  try {
    const found = await save(download, response, part);
    if (found !== md5) {
      const message = `Cannot ${action}: what ${url} sends has the MD5 ${found}, ${md5} is ` +
        `wanted; try again later, or ${byHand(download)}`;
      throw new DataError(message, { file: path });
    }
    await Deno.rename(part, path);
  } catch (error) {
    await removeIfThere(part);
    const known = error instanceof DataError || error instanceof UsageError;
    if (known || signal?.aborted) throw error;
    const message = `Cannot ${action}: the transfer of ${url} broke off (${reasonOf(error)}); ` +
      `try again, or ${byHand(download)}`;
    throw new DataError(message, { cause: error, file: path });
  }
}
