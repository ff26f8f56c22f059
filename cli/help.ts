/** The help page of a command: examples first, then its options under their headings. */

import { join } from "node:path";
import { type AnyCommand, optionName } from "./command.ts";
import type { CommandLines, Word } from "./command_lines.ts";
import type { Option, OptionTable } from "./options.ts";
import { everyCommand } from "./parse.ts";
import { parseFlags } from "./permission_flags.ts";
import { quote } from "./shell.ts";
import type { Palette } from "./terminal.ts";

/** One row: what is typed, and what it means. */
type Row = readonly [left: string, right: string];

/** Columns of the left side; a longer left side gets a line of its own. */
const leftWidth = 26;
/** Fewest columns for two sides; below, meanings stand under what they explain. */
const twoSides = 66;
/** Longer lines are hard to read, however wide the terminal. */
const longestLine = 100;
/** A space at which no line is broken. */
const glue = "\u00a0";

/** The page, ending in a newline. `columns` are the terminal's. */
export function helpPage(
  command: AnyCommand,
  lines: CommandLines,
  paint: Palette,
  columns = 80,
): string {
  const width = Math.min(columns, longestLine), { permissions } = command;
  const page = [...wrap(command.summary, width), "", paint.bold("Examples")];
  for (const { name, words, note, more = [] } of command.examples) {
    const needs = parseFlags(more, lines.project ?? lines.folder);
    const placed = words.map((word) => inProject(word, lines));
    const shell = shellLines(lines.words({ name, words: placed, permissions, more: needs }), width);
    page.push(...shell.map((line) => `  ${paint.cyan(line)}`));
    page.push(...wrap(note, width - 6).map((line) => `      ${paint.dim(line)}`));
  }
  const usage = `${lines.line({ permissions })}${usageTail(command)}`;
  page.push("", paint.bold("Usage"), ...indented(usage, 2, width));
  const positionals = Object.entries(command.positionals)
    .map(([key, option]): Row => [positionalName(key, option), meaning(option)]);
  page.push(...section("Arguments", positionals, paint, width));
  for (const [heading, table] of headings({ ...command.options, ...everyCommand })) {
    const rows = table.map(([key, option]): Row => [leftSide(key, option), meaning(option)]);
    page.push(...section(heading, rows, paint, width));
  }
  return `${page.join("\n")}\n`;
}

/** Paths of examples are the project's, wherever the user stands. */
function inProject(word: Word, lines: CommandLines): Word {
  if (typeof word === "string" || lines.project === undefined) return word;
  return lines.short(join(lines.project, word.path));
}

/** A command that a shell reads as one, however narrow: broken before options, by backslashes. */
function shellLines(words: readonly string[], width: number): string[] {
  const phrases: string[] = [];
  for (const [k, word] of words.entries()) {
    const isValue = k > 0 && takesNext(words[k - 1]) && !word.startsWith("-");
    // An option stays beside its value.
    if (isValue) phrases[phrases.length - 1] += ` ${quote(word)}`;
    else phrases.push(quote(word));
  }
  const lines = [phrases[0]];
  for (const [k, phrase] of phrases.entries()) {
    if (k === 0) continue;
    // Two columns before the line, two for a backslash after it.
    const room = width - 2 - (k === phrases.length - 1 ? 0 : 2);
    const longer = `${lines[lines.length - 1]} ${phrase}`;
    if (longer.length <= room) lines[lines.length - 1] = longer;
    else {
      lines[lines.length - 1] += " \\";
      lines.push(`    ${phrase}`);
    }
  }
  return lines;
}

/** Whether the next word may be the value of this one: `--allow-read` and `--a=b` have none. */
function takesNext(word: string): boolean {
  return /^-(?!-allow-)[^=]*$/.test(word);
}

function indented(text: string, indent: number, width: number): string[] {
  return wrap(text, width - indent).map((line) => " ".repeat(indent) + line);
}

function usageTail(command: AnyCommand): string {
  const names = Object.entries(command.positionals).map(([key, option]) => {
    const name = positionalName(key, option);
    return option.required ? name : `[${name}]`;
  });
  return ["", "[options]", ...names].join(" ");
}

function positionalName(key: string, option: Option<unknown>): string {
  return `<${key}>${option.repeats ? "…" : ""}`;
}

/** Visible options by heading, in the order of the table. */
function headings(table: OptionTable): Map<string, [string, Option<unknown>][]> {
  const byHeading = new Map<string, [string, Option<unknown>][]>();
  for (const [key, option] of Object.entries(table)) {
    if (option.hidden) continue;
    const heading = option.group ?? "Options";
    byHeading.set(heading, [...(byHeading.get(heading) ?? []), [key, option]]);
  }
  return byHeading;
}

/** `-k, --top-k N`; a flag that can be on by default shows the form that switches it off. */
function leftSide(key: string, option: Option<unknown>): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const long = optionName(key);
  const canBeOn = option.valueName === "" && option.fallback !== false;
  const name = canBeOn ? `--[no-]${long.slice(2)}` : long;
  return `${short}${name}${option.valueName === "" ? "" : ` ${option.valueName}`}`;
}

function meaning(option: Option<unknown>): string {
  const parts = [option.help];
  if (option.choices.length > 0) parts.push(option.choices.join(", "));
  const notes = [
    ...(option.required ? ["required"] : []),
    ...(option.shownDefault === "" ? [] : [`default: ${option.shownDefault}`]),
  ];
  const note = notes.length === 0 ? "" : ` (${notes.join(", ").replaceAll(" ", glue)})`;
  return `${parts.join(": ")}${note}`;
}

function section(heading: string, rows: readonly Row[], paint: Palette, width: number): string[] {
  if (rows.length === 0) return [];
  const lines = ["", paint.bold(heading)], isNarrow = width < twoSides;
  for (const [left, right] of rows) {
    if (isNarrow) {
      lines.push(`  ${left}`, ...indented(right, 6, width));
      continue;
    }
    const wrapped = wrap(right, width - leftWidth - 4), isLong = left.length > leftWidth;
    if (isLong) lines.push(`  ${left}`);
    wrapped.forEach((text, at) => {
      const side = at === 0 && !isLong ? left : "";
      lines.push(`  ${side.padEnd(leftWidth)}  ${text}`);
    });
  }
  return lines;
}

/** Breaks a text at spaces into lines of at most `width` columns, where its words allow. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  const words = text.split(" ").flatMap((w) => w.length > width ? w.split(glue) : [w]);
  for (const word of words) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((text) => text.replaceAll(glue, " "));
}
