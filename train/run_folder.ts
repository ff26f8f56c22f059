/**
 * The folder a run leaves behind: `config.json`, `metrics.jsonl`, `best.safetensors`,
 * `last.safetensors` and `state.safetensors`; of a fine-tuning also `first_batch.png`,
 * `report_data.json` and `report.html`, and no state. Files are written whole or not at all, and the folder
 * itself appears under its name only once there is something in it to resume.
 */
import { join } from "node:path";
import { fileError, syncFolder, writeWhole } from "../data/files.ts";
import { RunLock } from "./run_lock.ts";

/** Names of the files in a run folder. */
export const runFiles = {
  config: "config.json",
  metrics: "metrics.jsonl",
  best: "best.safetensors",
  last: "last.safetensors",
  state: "state.safetensors",
} as const;

/** Names of what a fine-tuning leaves for people to look at. */
export const shownFiles = {
  firstBatch: "first_batch.png",
  reportData: "report_data.json",
  report: "report.html",
} as const;

const allFiles = { ...runFiles, ...shownFiles };

/** End of a folder's name while the run in it is being begun. */
const unborn = ".part";

/** A run folder that this process writes; locked until disposed. */
export class RunFolder implements Disposable {
  #path: string;

  private constructor(path: string, readonly lock: RunLock) {
    this.#path = path;
  }

  /**
   * Makes `runs/<time>-<model>-<dataset>.part`, which {@link publish} renames.
   *
   * @param root the `runs` folder
   */
  static async create(root: string, model: string, dataset: string, now: Date): Promise<RunFolder> {
    const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
    const path = await makeFolder(root, join(root, `${time}-${model}-${dataset}`));
    return new RunFolder(path, await RunLock.take(path));
  }

  /**
   * A folder that exists, to go on writing it.
   *
   * @throws {UsageError} when another process trains in it
   */
  static async open(path: string): Promise<RunFolder> {
    return new RunFolder(path, await RunLock.take(path));
  }

  /** Where it is. */
  get path(): string {
    return this.#path;
  }

  /** Gives a new run its name; a number is appended where the name is taken. */
  async publish(): Promise<void> {
    if (!this.#path.endsWith(unborn)) return;
    await syncFolder(this.#path);
    const name = this.#path.slice(0, -unborn.length);
    this.#path = await untaken(name, async (path) => {
      await Deno.rename(this.#path, path);
      return path;
    });
    await syncFolder(join(this.#path, ".."));
  }

  /** Path of one of the files. */
  file(name: keyof typeof allFiles): string {
    return join(this.path, allFiles[name]);
  }

  /** Overwrites one of the files. */
  async write(name: keyof typeof allFiles, content: Uint8Array | string): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await writeWhole("save the run", this.file(name), bytes);
  }

  /** Gives the folder back to others; a run that could not be begun leaves none. */
  [Symbol.dispose](): void {
    this.lock.release(this.path);
    if (!this.path.endsWith(unborn)) return;
    try {
      Deno.removeSync(this.path, { recursive: true });
    } catch {
      // Only ever an empty shell; what kept the run from being begun is told instead.
    }
  }
}

async function makeFolder(root: string, name: string): Promise<string> {
  try {
    await Deno.mkdir(root, { recursive: true });
    return await untaken(name, async (path) => {
      await Deno.mkdir(`${path}${unborn}`);
      return `${path}${unborn}`;
    });
  } catch (error) {
    throw fileError("begin a run", root, "write", error);
  }
}

/** Does something with the first name that is free: `name`, `name-2`, `name-3`, … */
async function untaken(
  name: string,
  make: (path: string) => Promise<string>,
): Promise<string> {
  for (let k = 1;; k++) {
    const path = k > 1 ? `${name}-${k}` : name;
    try {
      if (!await exists(path)) return await make(path);
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof Deno.errors.AlreadyExists) && !await exists(path)) throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
