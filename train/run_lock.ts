/** Keeps two processes from training in one run folder: the lock is held on a file `lock` in it. */
import { join } from "node:path";
import { UsageError } from "../core/errors.ts";
import { openLocked } from "../data/file_lock.ts";
import { fileError } from "../data/files.ts";

const lockFile = "lock";

/** The right to train in a run folder, which one process at a time has. */
export class RunLock {
  #isHeld = true;

  private constructor(readonly file: Deno.FsFile) {}

  /**
   * Takes the lock of a folder; that of an owner who has died is free.
   *
   * @throws {UsageError} when another process trains in the folder, or writing is not permitted
   */
  static async take(folder: string): Promise<RunLock> {
    const path = join(folder, lockFile);
    const file = await openLocked(path).catch((error) => {
      throw fileError(`train in ${folder}`, path, "write", error);
    });
    if (file === undefined) throw await takenError(folder, path);
    try {
      await file.truncate(0);
      await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    } catch (error) {
      file.close();
      throw error;
    }
    return new RunLock(file);
  }

  /**
   * Gives the folder back.
   *
   * @param folder its path by now
   */
  release(folder: string): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    try {
      // Before it is closed: afterwards it might be another's.
      Deno.removeSync(join(folder, lockFile));
    } catch {
      // Systems that keep open files from being removed leave an empty lock, which is free.
    }
    this.file.close();
  }
}

async function takenError(folder: string, path: string): Promise<UsageError> {
  const text = await Deno.readTextFile(path).catch(() => "");
  const owner = /^\d+\n$/.test(text) ? `process ${text.trim()}` : "another process";
  return new UsageError(
    `Cannot train in ${folder}: ${owner} is training in it, a run of its own is wanted`,
    { hint: "wait for it to end, or begin another run" },
  );
}
