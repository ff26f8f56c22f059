/**
 * The folder a run leaves behind: `config.json`, `metrics.jsonl`, `best.safetensors`,
 * `last.safetensors` and `state.safetensors`. Files are written whole or not at all.
 */
import { join } from "node:path";
import { withPlace } from "../data/files.ts";

/** Names of the files in a run folder. */
export const runFiles = {
  config: "config.json",
  metrics: "metrics.jsonl",
  best: "best.safetensors",
  last: "last.safetensors",
  state: "state.safetensors",
} as const;

/** Writes a file under a temporary name, syncs and renames it: a crash leaves the old one. */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  const part = `${path}.part`;
  try {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    using file = await Deno.open(part, { write: true, create: true, truncate: true });
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw withPlace(error, "write", path);
  }
  await Deno.rename(part, path);
}

/** A run folder that is being written. */
export class RunFolder {
  private constructor(readonly path: string) {}

  /**
   * Makes `runs/<time>-<model>-<dataset>`; a number is appended where the name is taken.
   *
   * @param root the `runs` folder
   */
  static async create(root: string, model: string, dataset: string, now: Date): Promise<RunFolder> {
    const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
    await Deno.mkdir(root, { recursive: true });
    for (let k = 1;; k++) {
      const path = join(root, `${time}-${model}-${dataset}${k > 1 ? `-${k}` : ""}`);
      try {
        await Deno.mkdir(path);
        return new RunFolder(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  }

  /** A folder that exists, to go on writing it. */
  static open(path: string): RunFolder {
    return new RunFolder(path);
  }

  /** Path of one of the files. */
  file(name: keyof typeof runFiles): string {
    return join(this.path, runFiles[name]);
  }

  /** Overwrites one of the files. */
  async write(name: keyof typeof runFiles, content: Uint8Array | string): Promise<void> {
    await writeWhole(this.file(name), content);
  }

  /** Appends a line of metrics; numbers that are no numbers are written as texts. */
  async log(row: Readonly<Record<string, unknown>>): Promise<void> {
    const text = JSON.stringify(
      row,
      (_, v) => typeof v === "number" && !Number.isFinite(v) ? `${v}` : v,
    );
    await Deno.writeTextFile(this.file("metrics"), `${text}\n`, { append: true });
  }
}

/** The newest run's best weights below `root`, or undefined where there are none. */
export async function newestBest(root: string): Promise<string | undefined> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(root)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  for (const name of names.sort().reverse()) {
    const path = join(root, name, runFiles.best);
    const isFile = await Deno.stat(path).then((s) => s.isFile, () => false);
    if (isFile) return path;
  }
  return undefined;
}
