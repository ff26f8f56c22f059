/** A file on its way: under another name until it is whole, and kept where it is not. */
import type { Hash } from "node:crypto";
import { dirname } from "node:path";
import { UsageError } from "../core/errors.ts";
import { type Checksum, hashFor, hashRest, mismatch } from "./checksum.ts";
import { openLocked } from "./file_lock.ts";
import { fileError, removeIfThere, syncFolder } from "./files.ts";

/** As in a header: printable, and of one line. */
const legalValidator = /^[\x20-\x7e]{1,1000}$/;

/**
 * `path.part`, the first bytes of a file, which this process alone writes until it is disposed.
 * Beside it, in `path.part.etag`, lies what tells the version of the file they are from.
 */
export class Part implements Disposable {
  #file: Deno.FsFile;
  #hash: Hash;
  #size = 0;
  #validator: string | undefined;
  readonly #action: string;
  readonly #target: string;
  readonly #checksum: Checksum;

  private constructor(action: string, target: string, checksum: Checksum, file: Deno.FsFile) {
    this.#action = action;
    this.#target = target;
    this.#checksum = checksum;
    this.#hash = hashFor(checksum);
    this.#file = file;
  }

  /**
   * What there is of a file, or the empty beginning of one.
   *
   * @param action what it is for, as in `Cannot ⟨action⟩`
   * @param target path of the whole file
   * @throws {UsageError} when another process is fetching it, or reading or writing in its folder is
   *   not permitted
   * @throws {DataError} when there is no such folder
   */
  static async take(action: string, target: string, checksum: Checksum): Promise<Part> {
    hashFor(checksum);
    const path = `${target}.part`;
    const file = await openLocked(path).catch((error) => {
      throw openError(action, path, error);
    });
    if (file === undefined) {
      const hint = "wait for it to end; should it be stopped, what it has fetched is kept";
      const fact = `another process is fetching ${target}, one at a time is wanted`;
      throw new UsageError(`Cannot ${action}: ${fact}`, { hint });
    }
    const part = new Part(action, target, checksum, file);
    try {
      part.#size = await hashRest(file, part.#hash);
      const found = await Deno.readTextFile(part.#validatorPath).catch(() => "");
      if (legalValidator.test(found)) part.#validator = found;
      return part;
    } catch (error) {
      file.close();
      throw fileError(action, path, "read", error);
    }
  }

  get #path(): string {
    return `${this.#target}.part`;
  }

  get #validatorPath(): string {
    return `${this.#path}.etag`;
  }

  /** Bytes that are there. */
  get size(): number {
    return this.#size;
  }

  /** The ETag or date of the version they are from, where the server told one. */
  get validator(): string | undefined {
    return this.#validator;
  }

  /** What is wrong with the checksum of what is there, as in `its ⟨…⟩`. */
  fault(): string | undefined {
    return mismatch(this.#hash.copy().digest("hex"), this.#checksum);
  }

  /**
   * Adds bytes.
   *
   * @throws {DataError} when the disk is full
   */
  async append(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) done += await this.#file.write(bytes.subarray(done));
    } catch (error) {
      throw fileError(this.#action, this.#path, "write", error);
    }
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  /** Notes which version the bytes are from. Without it they are only checked once all are there. */
  async remember(validator: string | undefined): Promise<void> {
    if (validator === this.#validator) return;
    if (validator === undefined || !legalValidator.test(validator)) return;
    this.#validator = validator;
    await Deno.writeTextFile(this.#validatorPath, validator).catch(() => {});
  }

  /** Drops all bytes. */
  async restart(): Promise<void> {
    try {
      await this.#file.truncate(0);
      await this.#file.seek(0, Deno.SeekMode.Start);
    } catch (error) {
      throw fileError(this.#action, this.#path, "write", error);
    }
    await removeIfThere(this.#validatorPath);
    this.#validator = undefined;
    this.#hash = hashFor(this.#checksum);
    this.#size = 0;
  }

  /**
   * Gives the whole file its name, so that a crash leaves either this one or the one before.
   *
   * @throws {DataError} when the disk is full, or a folder bears the name
   */
  async publish(): Promise<void> {
    try {
      await this.#file.sync();
      await Deno.rename(this.#path, this.#target);
    } catch (error) {
      throw fileError(this.#action, this.#target, "write", error);
    }
    await removeIfThere(this.#validatorPath);
    await syncFolder(dirname(this.#target));
  }

  /** Lets others go on with it; an empty one is removed. */
  [Symbol.dispose](): void {
    if (this.#size === 0) {
      for (const path of [this.#path, this.#validatorPath]) {
        try {
          // Before it is closed: afterwards it might be another's.
          Deno.removeSync(path);
        } catch {
          // An empty part is as good as none.
        }
      }
    }
    this.#file.close();
  }
}

/** Permission is wanted for the folder: with the part's alone it could not be given its name. */
function openError(action: string, path: string, error: unknown): Error {
  const isOfDeno = error instanceof Deno.errors.NotCapable;
  const access = isOfDeno && /^Requires read/.test(error.message) ? "read" : "write";
  return fileError(action, isOfDeno ? dirname(path) : path, access, error);
}
