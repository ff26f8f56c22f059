/** Reads the files of a folder once: which are pictures, how large, and what their content hashes to. */
import { DataError, UsageError } from "../core/errors.ts";
import { type ImageInfo, imageInfo, pixelLimit } from "../wasm/image.ts";
import type { Progress } from "./dataset.ts";
import { asError, claimsPicture, fileFlaw, type Flaw, type FoundFile } from "./folder_walk.ts";

/** A picture in a file. */
export interface PictureFile extends FoundFile {
  /** What its header says. */
  readonly info: ImageInfo;
  /** Size of the file. */
  readonly sizeBytes: number;
  /** SHA-256 of the file, hexadecimal: equal for exact copies only. */
  readonly hash: string;
}

/** What files are. */
export interface Scan {
  /** The pictures, in the order of the files. */
  readonly pictures: readonly PictureFile[];
  /** Files that are no pictures, and do not claim to be. */
  readonly ignored: readonly Flaw[];
  /** Files that are or claim to be pictures and cannot be used. */
  readonly damaged: readonly Flaw[];
}

/** How to scan. */
export interface ScanOptions {
  /** Most pixels of a picture, as for `decodeImage`. */
  readonly maxPixels?: number;
  /** Every file is meant to be a picture, whatever its name: a list names them. */
  readonly isList?: boolean;
  /** Stops the scan. */
  readonly signal?: AbortSignal;
  /** Called after each file; the numbers are of files. */
  readonly onProgress?: (progress: Progress) => void;
}

/** First bytes that only pictures have; a BMP's two letters are too little to go by. */
const marks = /^(\x89PNG|\xff\xd8\xff|GIF8|RIFF[^]{4}WEBP)/;

/** Whether a file begins as only pictures do; one that cannot be read does not. */
export async function marksPicture(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path);
    return marks.test(await headOf(file));
  } catch {
    return false;
  }
}

async function headOf(file: Deno.FsFile): Promise<string> {
  const head = new Uint8Array(16), length = await file.read(head) ?? 0;
  return String.fromCharCode(...head.subarray(0, length));
}

/** A file that is larger is refused: it would have to be held in memory. */
const maxBytes = 2 ** 29;
/** Files that are read at once. */
const readers = 8;

/**
 * Reads files and looks at their headers. A picture is told by its content, whatever its name;
 * damage behind the header shows when it is decoded.
 *
 * @throws what the signal says, when it stops the scan
 */
export async function scanFiles(
  files: readonly FoundFile[],
  options: ScanOptions = {},
): Promise<Scan> {
  const results: (PictureFile | Verdict)[] = [];
  let next = 0, done = 0;
  const read = async (): Promise<void> => {
    while (next < files.length) {
      options.signal?.throwIfAborted();
      const at = next++;
      results[at] = await scanFile(files[at], options);
      options.onProgress?.({ loadedBytes: ++done, totalBytes: files.length });
    }
  };
  await Promise.all(Array.from({ length: readers }, read));
  const flaws = (wanted: Verdict["is"]): Flaw[] =>
    results.flatMap((one) => {
      if (!("is" in one) || one.is !== wanted) return [];
      const { name, reason } = one;
      return [{ name, reason }];
    });
  return {
    pictures: results.flatMap((one) => "is" in one ? [] : [one]),
    ignored: flaws("ignored"),
    damaged: flaws("damaged"),
  };
}

interface Verdict extends Flaw {
  readonly is: "ignored" | "damaged";
}

async function scanFile(
  found: FoundFile,
  options: ScanOptions,
): Promise<PictureFile | Verdict> {
  const name = found.line === undefined ? found.name : `${found.name} (line ${found.line})`;
  let isMeant = options.isList || claimsPicture(found.name);
  const refuse = (reason: string): Verdict => ({
    is: isMeant ? "damaged" : "ignored",
    name,
    reason,
  });
  try {
    using file = await Deno.open(found.path);
    const start = await headOf(file);
    isMeant ||= marks.test(start);
    if (!isMeant && !start.startsWith("BM")) return refuse("no picture");
    const { size } = await file.stat();
    if (size > maxBytes) return refuse(`it has ${size} bytes, at most ${maxBytes} are wanted`);
    const bytes = await Deno.readFile(found.path), info = infoOf(bytes, options);
    if (typeof info === "string") return refuse(isMeant ? info : "no picture");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { ...found, info, sizeBytes: bytes.length, hash };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return refuse(fileFlaw(asError(error)));
  }
}

/** What the header says, or what is wrong with it. */
function infoOf(bytes: Uint8Array, options: ScanOptions): ImageInfo | string {
  const most = pixelLimit("scan the pictures", options);
  try {
    const info = imageInfo(bytes), { width, height } = info;
    if (width * height <= most) return info;
    return `it has ${width}×${height} pixels, at most ${most} are wanted`;
  } catch (error) {
    if (error instanceof DataError) return error.message.replace(/^Cannot read the image: /, "");
    throw error;
  }
}
