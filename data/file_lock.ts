/**
 * Files that one process at a time writes. The lock is the system's own: it ends with its owner,
 * however that dies, so there is none to clear away by hand.
 */

/**
 * Opens a file, made where it is missing, and locks it until it is closed. Remove or rename it
 * before closing it: afterwards it might be another's.
 *
 * @returns `undefined` where another holds it
 * @throws what `Deno.open` throws
 */
export async function openLocked(path: string): Promise<Deno.FsFile | undefined> {
  for (;;) {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    try {
      if (!await tryLock(file)) return undefined;
      // The owner before may have removed or renamed the file after it was opened here.
      if (await isStillAt(file, path)) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
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
  const close = () => file.close();
  if (!isHeld) locking.then(close, close);
  return isHeld;
}

async function isStillAt(file: Deno.FsFile, path: string): Promise<boolean> {
  const [ours, found] = await Promise.all([file.stat(), Deno.stat(path).catch(() => undefined)]);
  return found !== undefined && (ours.ino === null || ours.ino === found.ino);
}
