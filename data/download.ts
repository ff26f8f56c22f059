/** Fetching one file over the network: checked, whole under its name, and resumed where it broke off. */
import { DataError, UsageError } from "../core/errors.ts";
import type { Checksum } from "./checksum.ts";
import type { Progress } from "./dataset.ts";
import { Part } from "./part.ts";

/** One file to fetch. */
export interface Download {
  /** What it is for, as in `Cannot ⟨action⟩`. */
  readonly action: string;
  /** Address of the file. */
  readonly url: string;
  /** Where to put it. */
  readonly path: string;
  /** Checksum it must have. */
  readonly checksum: Checksum;
  /** Stops the transfer. */
  readonly signal?: AbortSignal;
  /** Called after every piece received; what was there before counts. */
  readonly onProgress?: (progress: Progress) => void;
  /** Time without a byte after which the transfer is given up, in milliseconds (default 30,000). */
  readonly stallMs?: number;
}

/**
 * Fetches a file to `path.part`, checks it and renames it to `path`. What breaks off, stalls or is
 * aborted stays in `path.part`, and the next call asks for the rest alone, provided the file is
 * still the same (`If-Range`); a part that does not fit is dropped.
 *
 * @throws {DataError} when the address cannot be reached, the transfer breaks off or stalls, or the
 *   checksum differs; the message says how to place the file by hand
 * @throws {UsageError} when another process is fetching the file, connecting, reading or writing is
 *   not permitted, or the checksum wanted is none
 * @throws the signal's reason when it stops the transfer
 * @source RFC 9110, §13.1.5 and §14
 */
export async function downloadFile(download: Download): Promise<void> {
  const { action, url, path, checksum, signal } = download;
  signal?.throwIfAborted();
  using part = await Part.take(action, path, checksum);
  // All of it may be there already, where a process died just before the end.
  if (part.fault() !== undefined) await receive(download, part);
  const fault = part.fault();
  if (fault !== undefined) {
    await part.restart();
    const message = `Cannot ${action}: ${url} gives another file, its ${fault}; ` +
      `try again later, or ${byHand(download)}`;
    throw new DataError(message, { file: path });
  }
  await part.publish();
}

/** Gets what is missing in a part. */
async function receive(download: Download, part: Part): Promise<void> {
  const { action, url, path, signal, stallMs = 30_000, onProgress } = download;
  using patience = new Patience(stallMs, signal);
  try {
    const response = await rest(download, part, patience);
    await part.remember(validatorOf(response));
    const totalBytes = totalOf(response, part.size), reader = response.body?.getReader();
    while (reader) {
      const { done, value } = await patience.during(reader.read());
      if (done) break;
      await part.append(value);
      onProgress?.({ loadedBytes: part.size, totalBytes });
    }
    if (part.size < (totalBytes ?? 0)) throw new Error(`${totalBytes} bytes are wanted`);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DataError || error instanceof UsageError) throw error;
    const fact = patience.isOver
      ? `${url} sent nothing for ${stallMs / 1000} s`
      : `the transfer of ${url} broke off after ${part.size} bytes (${reasonOf(error)})`;
    const again = part.size > 0 ? "try again to go on from there" : "try again";
    const message = `Cannot ${action}: ${fact}; ${again}, or ${byHand(download)}`;
    throw new DataError(message, { cause: error, file: path });
  }
}

/** The answer that goes on where the part ends. A part that none can go on is emptied. */
async function rest(download: Download, part: Part, patience: Patience): Promise<Response> {
  if (part.size > 0) {
    const response = await respond(download, part, patience);
    if (isRestOf(response, part)) return response;
    await part.restart();
    if (response.status === 200) return response;
    await response.body?.cancel();
  }
  return await respond(download, part, patience);
}

async function respond(download: Download, part: Part, patience: Patience): Promise<Response> {
  const { action, url, path } = download, headers = headersFor(part);
  let response: Response;
  try {
    response = await patience.during(fetch(url, { headers, signal: patience.signal }));
  } catch (error) {
    if (patience.signal.aborted) throw error;
    throw connectError(download, error);
  }
  const { status } = response;
  if (status === 200 || part.size > 0 && (status === 206 || status === 416)) return response;
  await response.body?.cancel();
  const message = `Cannot ${action}: ${url} answers ${status}, 200 is wanted; ${byHand(download)}`;
  throw new DataError(message, { file: path });
}

function connectError(download: Download, error: unknown): Error {
  const { action, url, path } = download;
  if (error instanceof Deno.errors.NotCapable) {
    // A redirection may have led elsewhere.
    const [, host] = /access to "(.+?)(?::443)?"/.exec(error.message) ?? ["", new URL(url).host];
    const hint = `--allow-net=${host}`;
    const message = `Cannot ${action}: no permission to connect to ${url}, ${hint} is wanted`;
    return new UsageError(message, { cause: error, hint });
  }
  const fact = `${url} cannot be reached (${reasonOf(error)})`;
  const message = `Cannot ${action}: ${fact}; ${byHand(download)}`;
  return new DataError(message, { cause: error, file: path });
}

function headersFor({ size, validator }: Part): Headers {
  // Bytes of a compressed answer could neither be counted nor gone on with.
  const headers = new Headers({ "accept-encoding": "identity" });
  if (size > 0) headers.set("range", `bytes=${size}-`);
  if (size > 0 && validator !== undefined) headers.set("if-range", validator);
  return headers;
}

/** What tells versions of a file apart: its ETag, unless that is a weak one, or else its date. */
function validatorOf({ headers }: Response): string | undefined {
  const etag = headers.get("etag");
  return etag?.startsWith('"') ? etag : headers.get("last-modified") ?? undefined;
}

const contentRange = /^bytes (\d+)-\d+\/(\d+|\*)$/;

function isRestOf(response: Response, { size, validator }: Part): boolean {
  const [, start] = contentRange.exec(response.headers.get("content-range") ?? "") ?? [];
  if (response.status !== 206 || Number(start) !== size) return false;
  // There are servers that do not look at If-Range.
  const theirs = validatorOf(response);
  return validator === undefined || theirs === undefined || theirs === validator;
}

/** Bytes of the whole file, where the server says so. */
function totalOf({ status, headers }: Response, start: number): number | undefined {
  const [, , whole] = contentRange.exec(headers.get("content-range") ?? "") ?? [];
  const total = status === 206 && whole !== "*"
    ? Number(whole)
    : start + Number(headers.get("content-length") ?? NaN);
  return Number.isSafeInteger(total) && total > 0 ? total : undefined;
}

/** Ends a transfer that stands still, or that the user stops. */
class Patience implements Disposable {
  readonly #controller = new AbortController();
  readonly #stallMs: number;
  /** Ends the transfer. */
  readonly signal: AbortSignal;
  /** Whether it stood still for too long. */
  isOver = false;

  constructor(stallMs: number, signal: AbortSignal | undefined) {
    this.#stallMs = stallMs;
    const own = this.#controller.signal;
    this.signal = signal === undefined ? own : AbortSignal.any([signal, own]);
  }

  /** Waits for the other side. */
  async during<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.isOver = true;
      this.#controller.abort();
    }, this.#stallMs);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nothing goes on behind the caller's back. */
  [Symbol.dispose](): void {
    this.#controller.abort();
  }
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
