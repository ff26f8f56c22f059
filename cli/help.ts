/** The help page of a command: examples first, then its options under their headings. */

import { type AnyCommand, optionName } from "./command.ts";
import type { Option, OptionTable } from "./options.ts";
import { everyCommand } from "./parse.ts";
import type { Palette } from "./terminal.ts";

/** One row: what is typed, and what it means. */
type Row = readonly [left: string, right: string];

/** Columns of the left side; a longer left side gets a line of its own. */
const leftWidth = 26;
/** A space at which no line is broken. */
const glue = "\u00a0";

/** The page, ending in a newline. `width` is in columns. */
export function helpPage(command: AnyCommand, paint: Palette, width = 80): string {
  const lines = [command.summary, "", paint.bold("Examples")];
  for (const { line, note } of command.examples) {
    lines.push(`  ${paint.cyan(line)}`, `      ${paint.dim(note)}`);
  }
  lines.push("", paint.bold("Usage"), `  ${command.usage}${usageTail(command)}`);
  const positionals = Object.entries(command.positionals)
    .map(([key, option]): Row => [positionalName(key, option), meaning(option)]);
  lines.push(...section("Arguments", positionals, paint, width));
  for (const [heading, table] of headings({ ...command.options, ...everyCommand })) {
    const rows = table.map(([key, option]): Row => [leftSide(key, option), meaning(option)]);
    lines.push(...section(heading, rows, paint, width));
  }
  return `${lines.join("\n")}\n`;
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
  const lines = ["", paint.bold(heading)];
  for (const [left, right] of rows) {
    const wrapped = wrap(right, Math.max(30, width - leftWidth - 4));
    const isLong = left.length > leftWidth;
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
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((text) => text.replaceAll(glue, " "));
}
