/** Walks through a folder: what lies in it, links followed, nothing entered in circles. */
import { fileError } from "./files.ts";
import { compareNatural } from "./natural_order.ts";

/** A file that was found. */
export interface FoundFile {
  /** Path to open it by. */
  readonly path: string;
  /** Path from the folder's root, with slashes. */
  readonly name: string;
  /** Line of the list that names it, if one does. */
  readonly line?: number;
}

/** A file or folder that is not taken, and why. */
export interface Flaw {
  /** Path from the folder's root, with slashes. */
  readonly name: string;
  /** Why. */
  readonly reason: string;
}

/** What lies in a folder. */
export interface Walk {
  /** The files, in natural order. */
  readonly files: readonly FoundFile[];
  /** The folders' names. */
  readonly folders: readonly string[];
  /** What is neither file nor folder, or was met before. */
  readonly ignored: readonly Flaw[];
  /** What cannot be read. */
  readonly damaged: readonly Flaw[];
}

/** Folders that systems put beside pictures, of files that are none of the user's. */
const hiddenFolders: readonly string[] = ["__MACOSX", "@eaDir", "lost+found"];

/**
 * Walks through a folder. Hidden files and folders are left alone. A link to a folder is followed,
 * but not one that leads to where it stands, and none twice within a folder of the second level.
 *
 * @param action what it is done for, for messages
 * @throws {DataError} when the folder is missing, or none
 * @throws {UsageError} when it may not be read
 */
export async function walkFolder(action: string, root: string): Promise<Walk> {
  const walker = new Walker();
  try {
    const above = await identitiesAbove(root);
    await walker.enter(root, "", above.add(await identity(root, await Deno.stat(root))));
  } catch (error) {
    throw fileError(action, root, "read", error);
  }
  return walker;
}

/** What stays the same of a folder, by whatever path it is reached. */
async function identity(path: string, { dev, ino }: Deno.FileInfo): Promise<string> {
  return ino ? `${dev}:${ino}` : await Deno.realPath(path);
}

/** The folders above one, as far as they may be looked at: a link to them is a circle. */
async function identitiesAbove(root: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (let path = `${root}/..`;; path += "/..") {
    try {
      const at = await identity(path, await Deno.stat(path));
      if (found.has(at)) return found; // the topmost folder lies in itself
      found.add(at);
    } catch {
      return found; // where we may not look, no link can lead us
    }
  }
}

class Walker implements Walk {
  readonly files: FoundFile[] = [];
  readonly folders: string[] = [];
  readonly ignored: Flaw[] = [];
  readonly damaged: Flaw[] = [];
  /** Folders that were entered, by the first two names of the path to them. */
  readonly #entered = new Map<string, Set<string>>();

  /** @param above identities of this folder and of those that it lies in */
  async enter(path: string, name: string, above: ReadonlySet<string>): Promise<void> {
    const entries = await Array.fromAsync(Deno.readDir(path));
    entries.sort((a, b) => compareNatural(a.name, b.name));
    for (const entry of entries) {
      if (entry.name.startsWith(".") || hiddenFolders.includes(entry.name)) continue;
      const found = { path: `${path}/${entry.name}`, name: joined(name, entry.name) };
      try {
        if (entry.isFile) this.files.push(found);
        else await this.#follow(found, above);
      } catch (error) {
        this.#refuse(found.name, error);
      }
    }
  }

  /** Takes what is no plain file: a folder, a link, or something else. */
  async #follow(found: FoundFile, above: ReadonlySet<string>): Promise<void> {
    const { path, name } = found, info = await Deno.stat(path);
    if (info.isFile) return void this.files.push(found);
    if (!info.isDirectory) {
      return void this.ignored.push({ name, reason: "neither a file nor a folder" });
    }
    const at = await identity(path, info), scope = name.split("/", 2).join("/");
    const entered = this.#entered.get(scope) ?? new Set();
    if (above.has(at)) return void this.ignored.push({ name, reason: "a link in a circle" });
    if (entered.has(at)) {
      return void this.ignored.push({ name, reason: "a folder that another link led to" });
    }
    this.#entered.set(scope, entered.add(at));
    this.folders.push(name);
    await this.enter(path, name, new Set(above).add(at));
  }

  #refuse(name: string, error: unknown): void {
    const isLost = error instanceof Deno.errors.NotFound;
    if (error instanceof Deno.errors.FilesystemLoop) {
      this.ignored.push({ name, reason: "a link in a circle" });
    } else if (isLost && !claimsPicture(name)) {
      this.ignored.push({ name, reason: "a link to nothing" });
    } else {
      this.damaged.push({ name, reason: isLost ? "a link to nothing" : fileFlaw(asError(error)) });
    }
  }
}

/** Whether a file's name claims that it holds a picture, of a kind that is decoded or not. */
export function claimsPicture(name: string): boolean {
  return /\.(png|jpe?g|jpe|jfif|webp|gif|bmp|tiff?|hei[cf]|avif)$/i.test(name);
}

const joined = (folder: string, name: string): string => folder === "" ? name : `${folder}/${name}`;

/** What an error of a file action says, also of one that was sent by a thread. */
export type FileError = Pick<Error, "name" | "message">;

/** Why a file of many cannot be read, in a few words. */
export function fileFlaw({ name, message }: FileError): string {
  if (name === "NotFound") return "it does not exist";
  if (name === "NotCapable") return "no permission to read it";
  if (name === "PermissionDenied") return "the system forbids to read it";
  if (name === "IsADirectory") return "it is a folder";
  return message;
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
