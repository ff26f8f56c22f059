/** Commands as processes of their own, with the permissions of their tasks and nobody to ask. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** What a process left. */
export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How to start a process. */
export interface StartOptions {
  /** Folder to start in; the project's unless told otherwise. */
  readonly cwd?: string;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is killed after this time; two minutes unless told otherwise. */
  readonly timeoutMs?: number;
}

/** Starts a program with the given words; both outputs are piped. */
export function spawn(
  [program, ...args]: readonly string[],
  options: StartOptions = {},
): Deno.ChildProcess {
  const { cwd = root, env = {}, timeoutMs = 120_000 } = options;
  // Where `deno task test` was started is not where the users of these processes stand.
  const { INIT_CWD: _, ...own } = Deno.env.toObject();
  return new Deno.Command(program, {
    args,
    cwd,
    env: { ...own, NO_COLOR: "1", ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(timeoutMs),
  }).spawn();
}

/** Waits for a training process that gets Ctrl-C once its first reading has been printed. */
export async function interrupted(child: Deno.ChildProcess): Promise<Result> {
  const out = new Response(child.stdout).text();
  let err = "", isSent = false;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    err += text;
    if (isSent || !/train epoch 1\//.test(err)) continue;
    isSent = true;
    child.kill("SIGINT");
  }
  const { code } = await child.status;
  return { code, out: await out, err };
}

/** Runs a program with the given words to its end. */
export async function spawned(words: readonly string[], options?: StartOptions): Promise<Result> {
  const { code, stdout, stderr } = await spawn(words, options).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Runs `deno` with the given words to its end. */
export async function deno(words: readonly string[], options?: StartOptions): Promise<Result> {
  return await spawned([Deno.execPath(), ...words], options);
}

/** Runs a line as a shell does, with this Deno as `deno`. */
export async function shell(line: string, options: StartOptions = {}): Promise<Result> {
  return await spawned(["sh", "-c", line], { ...options, env: { PATH: path(), ...options.env } });
}

/** A PATH that has this Deno first. */
export function path(): string {
  return `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`;
}

/** Copies the project's files as git would check them out, with what is not committed yet. */
export async function copyProject(to: string): Promise<void> {
  const listed = await spawned(["git", "ls-files", "--cached", "--others", "--exclude-standard"]);
  if (listed.code !== 0) throw new Error(listed.err);
  for (const file of listed.out.trim().split("\n")) {
    const copy = join(to, file);
    await Deno.mkdir(dirname(copy), { recursive: true });
    await Deno.copyFile(join(root, file), copy).catch((error) => {
      // Listed by git, but deleted in the work tree.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

/** The commands, with their entry files. */
export type CommandName =
  | "train"
  | "predict"
  | "evaluate"
  | "models"
  | "inspect"
  | "export"
  | "runs"
  | "report";

/** Words that start a command as its task does: reading, and writing below `writable` alone. */
export function commandWords(
  name: CommandName,
  args: readonly string[],
  writable?: string,
): string[] {
  const write = writable === undefined ? [] : [`--allow-write=${writable}`];
  const entry = fileURLToPath(new URL(`../../cli/${name}.ts`, import.meta.url));
  return ["run", "--quiet", "--no-prompt", "--allow-read", ...write, entry, ...args];
}

/** Runs a command to its end, with the permissions of its task. */
export async function command(
  name: CommandName,
  args: readonly string[],
  options: StartOptions & { readonly writable?: string } = {},
): Promise<Result> {
  return await deno(commandWords(name, args, options.writable), options);
}

/** The object in the last line of standard output. */
export function lastObject(out: string): Record<string, unknown> {
  return JSON.parse(out.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
}

/**
 * What a script reports: the JSON it prints, once it has ended by itself. It may do nothing that
 * needs a permission.
 */
export async function reportOf(script: URL, limitMs: number, ...args: string[]): Promise<unknown> {
  const flags = ["run", "--quiet", "--no-prompt", "--no-check"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags, fileURLToPath(script), ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limitMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(!late, `it did not end by itself; it printed: ${out}${err}`);
  assert.equal(code, 0, err);
  return JSON.parse(out);
}
