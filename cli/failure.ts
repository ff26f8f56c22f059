/** From whatever was thrown to one paragraph, a hint and an exit code. */

import { CheckpointError, DataError, DeviceError, ShapeError, UsageError } from "../core/errors.ts";
import { optionName } from "./command.ts";
import { type ExitCode, exitCodes, ExitError } from "./exit.ts";
import type { CommandLines } from "./command_lines.ts";
import { isOfPaths, missingPermission, rerunLine } from "./permission.ts";
import { printable } from "./printable.ts";
import { isRefused, systemSentence } from "./system_error.ts";

/** What is told of an error, and the code the process ends with. */
export interface Failure {
  readonly code: ExitCode;
  /** One paragraph, in the grammar of `core/errors.ts` but for internal errors. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | undefined;
}

/** A command by its name and the way it was started. */
export interface Failing {
  /** A verb: it completes "Cannot …". */
  readonly name: string;
  /** Flags the command needs for its usual work. */
  readonly permissions: readonly string[];
  /** Prints the command to run instead. */
  readonly lines: CommandLines;
  /** Keys of its options: what the library calls `dataDir` is typed as `--data-dir`. */
  readonly options?: readonly string[];
}

/**
 * What to tell of an error. Nothing is told where the reader of our output has gone (`| head`):
 * then the result is `undefined`.
 */
export function failureOf(thrown: unknown, failing: Failing): Failure | undefined {
  const error = original(thrown);
  if (error instanceof Deno.errors.BrokenPipe) return undefined;
  const failure = permissionFailure(error, failing) ?? knownFailure(error) ??
    systemFailure(error, failing.name) ?? internalFailure(error);
  const { code, message, hint } = failure;
  const told = (text: string): string => oneParagraph(asTyped(text, failing.options ?? []));
  return { code, message: told(message), hint: hint && told(hint) };
}

/** The library names its options in backquotes; here they are named as they are typed. */
function asTyped(text: string, options: readonly string[]): string {
  return text.replace(/`(\w+)`/g, (name, key) => options.includes(key) ? optionName(key) : name);
}

/** The first error, where leaving a `using` block raised a second one. */
function original(thrown: unknown): unknown {
  return thrown instanceof SuppressedError ? original(thrown.suppressed) : thrown;
}

function permissionFailure(error: unknown, failing: Failing): Failure | undefined {
  const missing = missingPermission(error);
  if (missing === undefined) return undefined;
  const { flag, target } = missing, { name, lines, permissions } = failing;
  const action = actions[flag] ?? `use ${flag}`;
  const shown = target !== undefined && isOfPaths(flag) ? lines.path(target) : target;
  return {
    code: exitCodes.usage,
    message: `Cannot ${name}: Deno was not given the permission to ${action}` +
      (shown === undefined ? "" : ` ${shown}`),
    hint: `run ${rerunLine(missing, lines, permissions)}`,
  };
}

/** What a permission allows, by the name of its flag. */
const actions: { readonly [flag: string]: string } = {
  read: "read",
  write: "write",
  net: "reach",
  env: "read the variable",
  run: "run",
  import: "import from",
  sys: "ask the system for",
  ffi: "load",
  all: "do everything, which is wanted for",
};

function knownFailure(error: unknown): Failure | undefined {
  if (error instanceof ExitError || error instanceof UsageError) {
    const code = error instanceof ExitError ? error.code : exitCodes.usage;
    return { code, message: error.message, hint: error.hint };
  }
  if (error instanceof DeviceError) {
    return { code: exitCodes.device, message: error.message, hint: undefined };
  }
  if (error instanceof DataError) {
    const isNamed = error.file === undefined || error.message.includes(error.file);
    const message = isNamed ? error.message : `${error.message} (in ${error.file})`;
    return { code: exitCodes.failed, message, hint: undefined };
  }
  if (error instanceof ShapeError || error instanceof CheckpointError) {
    return { code: exitCodes.failed, message: error.message, hint: undefined };
  }
  return undefined;
}

function systemFailure(error: unknown, name: string): Failure | undefined {
  const message = error instanceof Error ? systemSentence(error, name) : undefined;
  if (message === undefined) return undefined;
  const code = isRefused(error) ? exitCodes.usage : exitCodes.failed;
  return { code, message, hint: undefined };
}

function internalFailure(error: unknown): Failure {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    code: exitCodes.failed,
    message: `internal error: ${said}`,
    hint: "this is a fault of Fovea's; --debug shows the stack to report",
  };
}

/** Line breaks become spaces, other control characters visible. */
function oneParagraph(message: string): string {
  return printable(message.trim().replace(/\s*\n\s*/g, " "));
}
