/** What a command is: one table that names its options, and the function that does the work. */

import type { ExitCode } from "./exit.ts";
import type { OptionTable, Values } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** A line to copy, and what it does. */
export interface Example {
  /** The whole line as typed, such as `deno task train --epochs 5`. */
  readonly line: string;
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
  /** Folder the user stands in, where it differs from the process's own (a task's does). */
  readonly base: string | undefined;
}

/** A command of the command line. */
export interface Command<O extends OptionTable, P extends OptionTable> {
  /** A verb, such as `train`; it completes "Cannot …" in errors. */
  readonly name: string;
  /** One line that says what it does. */
  readonly summary: string;
  /** Two or three lines to copy; help begins with them. */
  readonly examples: readonly Example[];
  /** How it is started, such as `deno task train`. */
  readonly usage: string;
  /** Permissions it needs, as Deno's flags: `["--allow-read", "--allow-write=runs"]`. */
  readonly permissions: readonly string[];
  /** Its options. */
  readonly options: O;
  /** Its positional arguments, in order; only the last may be a `rest`. */
  readonly positionals: P;
  /** Does the work; the code it returns ends the process, nothing returned is 0. */
  run(input: Input<O, P>, context: Context): Promise<ExitCode | void>;
}

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
