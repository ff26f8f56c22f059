/**
 * Keeps two processes from training in one run folder. The lock is the system's own, held on a file
 * `lock`: it ends with its owner, however that dies, so there is none to clear away by hand.
 */
import { join } from "node:path";
import { UsageError } from "../core/errors.ts";
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
    for (;;) {
      const file = await open(path, folder);
      if (!await tryLock(file)) throw await takenError(folder, path);
      try {
        // The owner before may have removed the file after it was opened here.
        if (await isStillAt(file, path)) {
          await file.truncate(0);
          await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
          return new RunLock(file);
        }
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
    }
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

async function open(path: string, folder: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true });
  } catch (error) {
    throw fileError(`train in ${folder}`, path, "write", error);
  }
}

/** Time after which a lock counts as taken where the system can only be made to wait for it. */
const patienceMs = 300;

/** Locks a file, or closes it. */
async function tryLock(file: Deno.FsFile): Promise<boolean> {
  // Deno 2.6 has no `tryLock`; there, giving up leaves a wait behind, which closes the file.
  const { tryLock }: Partial<Pick<Deno.FsFile, "tryLock">> = file;
  const locking = tryLock ? tryLock.call(file, true) : file.lock(true).then(() => true);
  const timer = Promise.withResolvers<boolean>();
  const timeout = setTimeout(timer.resolve, patienceMs, false);
  const isHeld = await Promise.race([locking, timer.promise]);
  clearTimeout(timeout);
  if (!isHeld) locking.finally(() => file.close());
  return isHeld;
}

async function isStillAt(file: Deno.FsFile, path: string): Promise<boolean> {
  const [ours, found] = await Promise.all([file.stat(), Deno.stat(path).catch(() => undefined)]);
  return found !== undefined && (ours.ino === null || ours.ino === found.ino);
}

async function takenError(folder: string, path: string): Promise<UsageError> {
  const text = await Deno.readTextFile(path).catch(() => "");
  const owner = /^\d+\n$/.test(text) ? `process ${text.trim()}` : "another process";
  return new UsageError(
    `Cannot train in ${folder}: ${owner} is training in it, a run of its own is wanted`,
    { hint: "wait for it to end, or begin another run" },
  );
}
