/** Runs a command from its words to its exit code. Nothing it calls ends the process itself. */

import { type AnyCommand, type Context, optionName } from "./command.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { type Failing, failureOf } from "./failure.ts";
import { helpPage } from "./help.ts";
import { optionWords, parseArguments, wantsHelp } from "./parse.ts";
import type { Terminal } from "./terminal.ts";

/** Where a command was started and where it writes. */
export interface Surroundings {
  /** The entry file's `import.meta.url`. */
  readonly url: string;
  /** Words of the command line. */
  readonly args: readonly string[];
  /** For data. */
  readonly out: Terminal;
  /** For people. */
  readonly err: Terminal;
}

/**
 * Parses the words, does the work, and tells of what went wrong: one paragraph on `err`, with
 * `--json` one object on `out` too, and a stack only with `--debug`.
 */
export async function runCommand(
  command: AnyCommand,
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { args, out, err } = surroundings;
  try {
    if (wantsHelp(args)) {
      out.write(helpPage(command, out.paint, out.width()));
      return exitCodes.done;
    }
    const { every, options, positionals } = parseArguments(command, args);
    const context: Context = { out, err, base: every.base };
    return await command.run({ options, positionals }, context) ?? exitCodes.done;
  } catch (error) {
    return tell(error, command, surroundings);
  }
}

/** Tells of an error, and says which code the process ends with. */
export function tell(
  error: unknown,
  command: Pick<AnyCommand, "name" | "permissions">,
  { url, args, out, err }: Surroundings,
): ExitCode {
  const failing: Failing = { name: command.name, permissions: command.permissions, url, args };
  const failure = failureOf(error, failing);
  if (failure === undefined) return exitCodes.failed;
  const { message, hint, code } = failure;
  err.line(`${err.paint.red("error:")} ${message}`);
  if (hint !== undefined) err.line(`${err.paint.cyan("hint:")} ${hint}`);
  if (isOn("debug", args)) err.line(stackOf(error));
  if (isOn("json", args)) out.line(JSON.stringify({ error: message, hint, code }));
  return code;
}

/** Read from the words themselves: parsing may be what failed. */
function isOn(key: string, args: readonly string[]): boolean {
  return optionWords(args).includes(optionName(key));
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
