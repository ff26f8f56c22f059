/** Runs a command from its words to its exit code. Nothing it calls ends the process itself. */

import { type AnyCommand, type Context, optionName } from "./command.ts";
import { CommandLines } from "./command_lines.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { failureOf } from "./failure.ts";
import { helpPage } from "./help.ts";
import { givenWords, optionWords, parseArguments, wantsHelp } from "./parse.ts";
import { jsonLine, printable } from "./printable.ts";
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
    const lines = new CommandLines(surroundings);
    if (wantsHelp(args)) {
      out.write(helpPage(command, lines, out.paint, out.width()));
      return exitCodes.done;
    }
    const help = lines.line({ words: ["--help"], permissions: [] });
    const { options, positionals, given } = parseArguments(command, args, help);
    const context: Context = {
      ...{ out, err, lines },
      given: (keep) => givenWords(command.options, given, keep),
    };
    return await command.run({ options, positionals }, context) ?? exitCodes.done;
  } catch (error) {
    return tell(error, command, surroundings);
  }
}

/** Tells of an error, and says which code the process ends with. */
export function tell(
  error: unknown,
  command: Pick<AnyCommand, "name" | "permissions"> & Partial<Pick<AnyCommand, "options">>,
  surroundings: Surroundings,
): ExitCode {
  const { args, out, err } = surroundings, lines = new CommandLines(surroundings);
  const { name, permissions } = command, options = Object.keys(command.options ?? {});
  const failure = failureOf(error, { name, permissions, lines, options });
  if (failure === undefined) return exitCodes.failed;
  const { message, hint, code } = failure;
  try {
    err.line(`${err.paint.red("error:")} ${message}`);
    if (hint !== undefined) err.line(`${err.paint.cyan("hint:")} ${hint}`);
    if (isOn("debug", args)) err.line(stackOf(error));
    if (isOn("json", args)) tellAsData(jsonLine({ error: message, hint, code }), out, err);
  } catch {
    // Nobody is left to be told.
  }
  return code;
}

/** A program that reads the data finds the object there, or where the paragraph is. */
function tellAsData(json: string, out: Terminal, err: Terminal): void {
  try {
    out.line(json);
  } catch {
    err.line(json);
  }
}

/** Read from the words themselves: parsing may be what failed. */
function isOn(key: string, args: readonly string[]): boolean {
  const name = optionName(key), off = name.replace("--", "--no-");
  const last = optionWords(args).findLast((word) => [name, `${name}=true`, off].includes(word));
  return last !== undefined && last !== off;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  const stack = error.stack ?? error.message;
  return `${stack.split("\n").map(printable).join("\n")}${cause}`;
}
