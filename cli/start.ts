/**
 * How every entry file starts. Only what the oldest Deno can parse is imported statically; the
 * command itself comes after the version check:
 *
 * ```ts
 * import { start } from "./start.ts";
 *
 * await start(import.meta, () => import("./train_main.ts"));
 * ```
 */

import type { AnyCommand } from "./command.ts";
import { versionComplaint } from "./version.ts";

/** What the module behind an entry file exports. */
export interface CommandModule {
  /** The command. */
  readonly command: AnyCommand;
}

/**
 * Runs the command and ends the process with its exit code. Does nothing where the entry file is
 * imported instead of run. The import must be written as a literal, so that Deno loads it without
 * a permission.
 */
export async function start(
  meta: ImportMeta,
  load: () => Promise<CommandModule>,
): Promise<void> {
  if (!meta.main) return;
  const complaint = versionComplaint(Deno.version.deno);
  if (complaint !== undefined) {
    console.error(complaint);
    Deno.exit(1);
  }
  const [{ openTerminal }, { runCommand, tell }] = await Promise.all([
    import("./terminal.ts"),
    import("./run_command.ts"),
  ]);
  const surroundings = {
    url: meta.url,
    args: withoutHabit(Deno.args),
    out: openTerminal("stdout"),
    err: openTerminal("stderr"),
  };
  const command = await load().then((module) => module.command).catch((error) => {
    Deno.exit(tell(error, { name: "start", permissions: [] }, surroundings));
  });
  const fail = (event: Event, error: unknown): never => {
    event.preventDefault();
    Deno.exit(tell(error, command, surroundings));
  };
  globalThis.addEventListener("unhandledrejection", (event) => fail(event, event.reason));
  globalThis.addEventListener("error", (event) => fail(event, event.error));
  // Ends the process even where a library has left a timer or a worker behind.
  Deno.exit(await runCommand(command, surroundings));
}

/**
 * The words without a `--` that is the first thing a person typed behind a task: npm wants it before
 * a script's options, `deno task` passes it on.
 */
function withoutHabit(args: readonly string[]): readonly string[] {
  const isHabit = args[0] === "--base" && args[2] === "--";
  return isHabit ? [...args.slice(0, 2), ...args.slice(3)] : args;
}
