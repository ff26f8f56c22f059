/** From the words of a command line to the typed values of a command's table. */

import { UsageError } from "../core/errors.ts";
import { type Command, type Input, optionName } from "./command.ts";
import { flag, group, type Option, type OptionTable, text, type Values } from "./options.ts";
import { closestName } from "./suggest.ts";

/** Options that every command has. */
export const everyCommand = group("Every command", {
  help: flag({ help: "print this page", short: "h" }),
  debug: flag({ help: "print the stack of an error too" }),
  base: text({ help: "folder that paths are relative to", hidden: true }),
});

/** A command line as understood. */
export interface Parsed<O extends OptionTable, P extends OptionTable> extends Input<O, P> {
  /** Texts of the options that were given, by their keys; of several the last. */
  readonly given: ReadonlyMap<string, string>;
  /** Values of the options every command has. */
  readonly every: Values<typeof everyCommand>;
}

/** The words of a command line, sorted but not yet read. */
interface Words {
  /** Texts given for each option, by its key. */
  readonly given: Map<string, string[]>;
  readonly positionals: string[];
}

/**
 * Reads the words of a command line.
 *
 * Understood are `--name value`, `--name=value`, `--flag`, `--no-flag`, `-n value`, and `--` before
 * positional arguments that begin with a dash. Of an option given twice the last counts, so that
 * one added behind a task's own overrides it.
 *
 * @param help the command that prints the help page, for the hint of an error
 * @throws {UsageError} naming the option, what was found and what it takes
 */
export function parseArguments<O extends OptionTable, P extends OptionTable>(
  command: Command<O, P>,
  args: readonly string[],
  help: string = "--help",
): Parsed<O, P> {
  const complain = complainer(command, help);
  const words = sortWords({ ...command.options, ...everyCommand }, args, complain);
  const every = readValues(everyCommand, words.given, undefined, complain);
  // A shell without $INIT_CWD passes an empty text.
  const base = every.base || undefined;
  return {
    given: new Map([...words.given].map(([key, texts]) => [key, texts[texts.length - 1]])),
    every: { ...every, base },
    options: readValues(command.options, words.given, base, complain),
    positionals: readPositionals(command.positionals, words.positionals, base, complain),
  };
}

/** Options that were given, as words again: those of the table whose key is kept. */
export function givenWords(
  table: OptionTable,
  given: ReadonlyMap<string, string>,
  keep: (key: string) => boolean,
): string[] {
  return [...given].flatMap(([key, text]) => {
    const name = optionName(key), option = table[key];
    if (option === undefined || !keep(key)) return [];
    if (option.valueName !== "") {
      return looksLikeOption(text) ? [`${name}=${text}`] : [name, text];
    }
    return [text === "true" ? name : name.replace("--", "--no-")];
  });
}

/** Whether help is asked for: looked at first, so that it comes however wrong the rest is. */
export function wantsHelp(args: readonly string[]): boolean {
  return optionWords(args).some((word) => word === "--help" || word === "-h");
}

/** Words before `--`. */
export function optionWords(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end < 0 ? args : args.slice(0, end);
}

type Complain = (message: string) => UsageError;

function complainer(command: { readonly name: string }, help: string): Complain {
  return (message) =>
    new UsageError(`Cannot ${command.name}: ${message}`, {
      hint: `${help} lists every option`,
    });
}

/** An option as the words name it. */
interface Found {
  readonly key: string;
  readonly option: Option<unknown>;
  /** Named by its `--no-` form. */
  readonly isNegated: boolean;
}

function findOption(table: OptionTable, name: string): Found | undefined {
  for (const [key, option] of Object.entries(table)) {
    const long = optionName(key);
    const isShort = option.short !== undefined && name === `-${option.short}`;
    if (name === long || isShort) return { key, option, isNegated: false };
    const isFlag = option.valueName === "";
    if (isFlag && name === long.replace("--", "--no-")) return { key, option, isNegated: true };
  }
  return undefined;
}

function unknownOption(table: OptionTable, name: string): string {
  const negated = name.startsWith("--no-") && findOption(table, name.replace("--no-", "--"));
  if (negated) return `${optionName(negated.key)} takes a value and has no --no- form`;
  const known = Object.entries(table).filter(([, option]) => !option.hidden);
  const names = known.flatMap(([key, option]) =>
    option.valueName === "" ? [optionName(key), `--no-${optionName(key).slice(2)}`] : [
      optionName(key),
    ]
  );
  const near = closestName(name, names);
  return `unknown option ${name}${near === undefined ? "" : `; did you mean ${near}?`}`;
}

/** A word that can only be an option: `-` is a file name, `-1` and `-.5` are numbers. */
function looksLikeOption(word: string): boolean {
  return /^-(?![\d.]|$)/.test(word);
}

function sortWords(table: OptionTable, args: readonly string[], complain: Complain): Words {
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === "--") {
      positionals.push(...args.slice(at + 1));
      break;
    }
    if (!looksLikeOption(word)) {
      positionals.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const found = findOption(table, name);
    if (found === undefined) throw complain(unknownOption(table, name));
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (found.option.valueName === "") {
      if (found.isNegated && value !== undefined) throw complain(`${name} takes no value`);
      value ??= String(!found.isNegated);
    } else if (value === undefined) {
      value = args[++at];
      if (value === undefined || value === "--" || looksLikeOption(value)) {
        throw complain(`${name} has no value, it takes ${found.option.wanted}`);
      }
    }
    given.set(found.key, [...(given.get(found.key) ?? []), value]);
  }
  return { given, positionals };
}

function readValues<O extends OptionTable>(
  table: O,
  given: ReadonlyMap<string, string[]>,
  base: string | undefined,
  complain: Complain,
): Values<O> {
  const entries = Object.entries(table).map(([key, option]) => {
    const texts = given.get(key);
    if (texts !== undefined) return [key, readOne(option, optionName(key), texts, base, complain)];
    if (option.required) throw complain(`${optionName(key)} is missing, it takes ${option.wanted}`);
    return [key, option.fallback];
  });
  // Each value is of its own option's type; the compiler cannot follow that through entries.
  return Object.fromEntries(entries) as Values<O>;
}

function readOne(
  option: Option<unknown>,
  name: string,
  texts: readonly string[],
  base: string | undefined,
  complain: Complain,
): unknown {
  const reading = option.read(texts, base);
  if ("value" in reading) return reading.value;
  const near = closestName(reading.found, option.choices);
  const found = /^[-+\d.e]+$/.test(reading.found) ? reading.found : JSON.stringify(reading.found);
  throw complain(
    `${name} is ${found}, it takes ${option.wanted}${near ? `; did you mean ${near}?` : ""}`,
  );
}

function readPositionals<P extends OptionTable>(
  table: P,
  words: readonly string[],
  base: string | undefined,
  complain: Complain,
): Values<P> {
  const entries = Object.entries(table);
  const takesAll = entries.some(([, option]) => option.repeats);
  if (!takesAll && words.length > entries.length) {
    const room = entries.length === 0 ? "it takes only options" : `it takes ${entries.length}`;
    throw complain(`argument ${JSON.stringify(words[entries.length])} is one too many, ${room}`);
  }
  const values = entries.map(([key, option], at) => {
    const texts = option.repeats ? words.slice(at) : words.slice(at, at + 1);
    if (texts.length > 0) return [key, readOne(option, `<${key}>`, texts, base, complain)];
    if (option.required) throw complain(`<${key}> is missing, it takes ${option.wanted}`);
    return [key, option.fallback];
  });
  return Object.fromEntries(values) as Values<P>;
}
