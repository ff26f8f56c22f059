/** Reading tar archives, as they arrive. */
import { DataError } from "../core/errors.ts";

/** A regular file in an archive. */
export interface TarFile {
  /** Path inside the archive: relative, with `/`, without `..`. */
  readonly path: string;
  /** Its bytes. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Limits of {@link untar}. */
export interface TarOptions {
  /** Name of the archive for error messages. */
  readonly file: string;
  /** Largest size of a file; larger ones are refused before anything is allocated. */
  readonly maxFileBytes: number;
}

const blockBytes = 512;

/** Hands out exactly as many bytes as are asked for, from pieces of any size. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Fills as much of `target` as there is, and returns how much that was. */
  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#piece.length === 0) {
        const next = await this.#source.next();
        if (next.done) break;
        this.#piece = next.value;
        continue;
      }
      const taken = this.#piece.subarray(0, target.length - filled);
      target.set(taken, filled);
      filled += taken.length;
      this.#piece = this.#piece.subarray(taken.length);
    }
    return filled;
  }

  /** Skips bytes without keeping them. */
  async skip(bytes: number): Promise<number> {
    const waste = new Uint8Array(Math.min(bytes, 65536));
    let skipped = 0;
    while (skipped < bytes) {
      const part = await this.fill(waste.subarray(0, Math.min(waste.length, bytes - skipped)));
      if (part === 0) break;
      skipped += part;
    }
    return skipped;
  }

  /** Lets the source go, read to its end or not. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

function textAt(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length), end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** A number in octal digits, as all of tar's are; NaN for anything else. */
function octalAt(block: Uint8Array, at: number, length: number): number {
  const digits = textAt(block, at, length).trim();
  return /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
}

/** Sum of the header's bytes, its own checksum field taken as spaces. */
function headerSum(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 32 : block[i];
  return sum;
}

function isSafe(path: string): boolean {
  if (path === "" || path.startsWith("/") || /[\\:\0]/.test(path)) return false;
  return !path.split("/").includes("..");
}

/** Path, kind and size from a header, checked. */
function parseHeader(block: Uint8Array, fail: (fact: string) => Error, maxFileBytes: number) {
  if (octalAt(block, 148, 8) !== headerSum(block)) {
    throw fail("a header's checksum does not fit, a tar archive is wanted");
  }
  const size = octalAt(block, 124, 12), kind = String.fromCharCode(block[156] || 0x30);
  const prefix = textAt(block, 257, 5) === "ustar" ? textAt(block, 345, 155) : "";
  const path = (prefix ? `${prefix}/` : "") + textAt(block, 0, 100);
  if (!isSafe(path)) {
    throw fail(`it holds the path ${JSON.stringify(path)}, paths inside a folder are wanted`);
  }
  if (!(size <= maxFileBytes)) {
    throw fail(`${path} has ${size} bytes, at most ${maxFileBytes} are wanted`);
  }
  return { path, size, kind };
}

/**
 * The regular files of a tar archive (ustar, old tar and pax; pax attributes are skipped).
 * Nothing is written: what to do with a path is the caller's affair.
 *
 * @throws {DataError} on damage, an absolute path or one with `..`, a link or a device, or a file
 * above the limit
 * @source POSIX.1-2017, pax, "ustar Interchange Format"
 */
export async function* untar(
  source: AsyncIterable<Uint8Array>,
  { file, maxFileBytes }: TarOptions,
): AsyncGenerator<TarFile> {
  const fail = (fact: string) => new DataError(`Cannot unpack ${file}: ${fact}`, { file });
  const pieces = new Pieces(source), block = new Uint8Array(blockBytes);
  try {
    while (true) {
      const filled = await pieces.fill(block);
      // Two empty blocks end an archive; one, or the bare end, is met in the wild.
      if (filled === 0 || (filled === blockBytes && block.every((byte) => byte === 0))) return;
      if (filled < blockBytes) throw fail("it ends inside a header");
      const { path, size, kind } = parseHeader(block, fail, maxFileBytes);
      const padding = (blockBytes - size % blockBytes) % blockBytes;
      if (kind === "0") {
        const data = new Uint8Array(size);
        if (await pieces.fill(data) < size) throw fail(`it ends inside ${path}`);
        await pieces.skip(padding);
        yield { path, data };
      } else if ("5xg".includes(kind)) { // folder, pax attributes
        await pieces.skip(size + padding);
      } else {
        throw fail(`${path} is a link or device (type ${kind}), regular files are wanted`);
      }
    }
  } finally {
    await pieces.close();
  }
}
