/** What a command is: one table that names its options, and the function that does the work. */

import type { CommandLines, Word } from "./command_lines.ts";
import type { ExitCode } from "./exit.ts";
import type { OptionTable, Values } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** A command to copy, and what it does. */
export interface Example {
  /** Another entry file beside this one; the command's own unless given. */
  readonly name?: string;
  /** The words behind the command's name, such as `--epochs` and `5`; paths are the project's. */
  readonly words: readonly Word[];
  /** Permissions it needs beside the command's, as flags; paths are the project's. */
  readonly more?: readonly string[];
  /** What it does, in a few words. */
  readonly note: string;
}

/** What a command is given: the values of its table. */
export interface Input<O extends OptionTable, P extends OptionTable> {
  /** Options by name, defaults filled in. */
  readonly options: Values<O>;
  /** Positional arguments by name. */
  readonly positionals: Values<P>;
}

/** Where a command writes. */
export interface Context {
  /** For data: results, `--json`. */
  readonly out: Terminal;
  /** For people: progress, notes, errors. */
  readonly err: Terminal;
  /** The options that were given, as words again: those whose key is kept. */
  given(keep: (key: string) => boolean): string[];
  /** Prints other commands, and paths, for where the user stands. */
  readonly lines: CommandLines;
}

/** A command of the command line. */
export interface Command<O extends OptionTable, P extends OptionTable> {
  /** A verb, such as `train`; it completes "Cannot …" in errors. */
  readonly name: string;
  /** One line that says what it does. */
  readonly summary: string;
  /** Two or three lines to copy; help begins with them. */
  readonly examples: readonly Example[];
  /** Permissions it needs, as Deno's flags: `["--allow-read", "--allow-write=runs"]`. */
  readonly permissions: readonly string[];
  /** Permissions that some of its options need beside, such as a download; its task has them. */
  readonly optionalPermissions?: readonly string[];
  /** Its options. */
  readonly options: O;
  /** Its positional arguments, in order; only the last may be a `rest`. */
  readonly positionals: P;
  /** Does the work; the code it returns ends the process, nothing returned is 0. */
  run(input: Input<O, P>, context: Context): Promise<ExitCode | void>;
}

/** Permissions that every task gives beside its command's: to know a terminal that takes no colours. */
export const commonPermissions: readonly string[] = ["--allow-env=TERM"];

/** Any command, whatever its options. */
export type AnyCommand = Command<OptionTable, OptionTable>;

/** Names a command, so that `run` knows the types its table implies. */
export function defineCommand<const O extends OptionTable, const P extends OptionTable>(
  command: Command<O, P>,
): Command<O, P> {
  return command;
}

/** `batchSize` is typed as `--batch-size`. */
export function optionName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
