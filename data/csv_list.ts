/**
 * Lists of pictures: a CSV of path and label, and which part a picture belongs to where it says so.
 *
 * @source RFC 4180, Common Format and MIME Type for Comma-Separated Values (CSV) Files
 */
import { DataError } from "../core/errors.ts";
import { type Split, splitNamed } from "./split.ts";

/** One row of a CSV. */
export interface CsvRow {
  /** Line it begins on, from 1: what quotes hold may go over several. */
  readonly line: number;
  /** Its cells, without quotes. */
  readonly cells: readonly string[];
}

/** One picture of a list. */
export interface ListedPicture {
  /** Line of the list, from 1. */
  readonly line: number;
  /** Path as it is written, relative to the list. */
  readonly path: string;
  /** Name of its class. */
  readonly label: string;
  /** Which part it belongs to, where the list has a column for it. */
  readonly split?: Split;
}

/**
 * Takes a CSV apart: cells between commas, rows between line ends of any kind; a cell in quotes may
 * hold both, and quotes written twice. Empty lines are no rows; a byte order mark is no text.
 *
 * @param file its name, for messages
 * @throws {DataError} naming the line, when a quote is not closed, or stands in the middle of a cell
 */
export function parseCsv(text: string, file: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let at = text.startsWith("\ufeff") ? 1 : 0, line = 1;
  while (at < text.length) {
    const cells: string[] = [], begun = line;
    let isQuoted = false;
    for (let isOpen = true; isOpen;) {
      const cell = cellAt(text, at);
      if (typeof cell === "string") throw atLine(file, line, cell);
      cells.push(cell.value);
      isQuoted ||= text[at] === '"';
      line += linesIn(cell.value);
      isOpen = text[cell.end] === ",";
      at = isOpen ? cell.end + 1 : cell.end;
    }
    at += text.startsWith("\r\n", at) ? 2 : 1;
    line++;
    if (cells.length > 1 || cells[0] !== "" || isQuoted) rows.push({ line: begun, cells });
  }
  return rows;
}

const linesIn = (text: string): number => (text.match(/\r\n|\r|\n/g) ?? []).length;

/** The cell at a place of a text, with the place behind it; or what is wrong with it. */
function cellAt(text: string, from: number): { value: string; end: number } | string {
  if (text[from] !== '"') {
    const stop = /[",\r\n]/g;
    stop.lastIndex = from;
    const end = stop.exec(text)?.index ?? text.length;
    if (text[end] === '"') return "has a quote inside a cell, the whole cell in quotes is wanted";
    return { value: text.slice(from, end), end };
  }
  let value = "";
  for (let at = from + 1;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return "has a quote that is not closed, another one is wanted";
    value += text.slice(at, quote);
    const next = text[quote + 1] ?? "\n";
    if (/[,\r\n]/.test(next)) return { value, end: quote + 1 };
    if (next !== '"') return `has ${JSON.stringify(next)} behind a quote, a comma is wanted`;
    value += '"';
    at = quote + 2;
  }
}

/** The error about a line of a file. */
function atLine(file: string, line: number, fact: string): DataError {
  return new DataError(`Cannot read ${file}: line ${line} ${fact}`, { file });
}

/** Names of columns, as people write them. */
const columns: Readonly<Record<"path" | "label" | "split", readonly string[]>> = {
  path: ["path", "file", "filename", "file_name", "filepath", "image", "picture"],
  label: ["label", "class", "category"],
  split: ["split", "part", "set", "subset"],
};

/** Which column holds what. */
interface Columns {
  readonly path: number;
  readonly label: number;
  readonly split?: number;
  /** Number of columns. */
  readonly count: number;
}

/**
 * Reads a list of pictures: `path,label` or `path,label,split`, where split is `train`, `val` (or
 * `valid`, `validation`) or `test`. A first line that names the columns may put them in any order,
 * and have others between them, which are left alone.
 *
 * @param file its name, for messages
 * @throws {DataError} naming the line, when it is no CSV, a row has another number of cells, a path
 *   or label is empty, a split is none, or a path stands on two lines
 */
export function readPictureList(text: string, file: string): ListedPicture[] {
  const rows = parseCsv(text, file), [first] = rows;
  if (first === undefined) throw new DataError(`Cannot read ${file}: it is empty`, { file });
  const header = headerOf(first), where = header ?? bareColumns(first, file);
  const seen = new Map<string, number>();
  return rows.slice(header ? 1 : 0).map((row) => {
    const picture = pictureOf(row, where, file), { path, line } = picture;
    const before = seen.get(path);
    if (before !== undefined) {
      throw atLine(file, line, `lists ${path}, as line ${before} does, one of them is wanted`);
    }
    seen.set(path, line);
    return picture;
  });
}

/** The columns that a first row names; `undefined` where it is a picture's row. */
function headerOf({ cells }: CsvRow): Columns | undefined {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const column = (of: keyof typeof columns): number | undefined => {
    const at = names.findIndex((name) => columns[of].includes(name));
    return at < 0 ? undefined : at;
  };
  const path = column("path"), label = column("label");
  if (path === undefined || label === undefined) return undefined;
  return { path, label, split: column("split"), count: cells.length };
}

/** The columns of a list that does not name them. */
function bareColumns({ cells: { length: count }, line }: CsvRow, file: string): Columns {
  if (count === 2 || count === 3) {
    return { path: 0, label: 1, split: count === 3 ? 2 : undefined, count };
  }
  throw atLine(file, line, `has ${count} cells, path,label or path,label,split is wanted`);
}

function pictureOf({ line, cells }: CsvRow, where: Columns, file: string): ListedPicture {
  if (cells.length !== where.count) {
    throw atLine(file, line, `has ${cells.length} cells, ${where.count} are wanted`);
  }
  const path = cells[where.path], label = cells[where.label].trim().normalize();
  if (path.trim() === "") throw atLine(file, line, "has no path, one is wanted");
  if (label === "") throw atLine(file, line, "has no label, one is wanted");
  if (where.split === undefined) return { line, path, label };
  const written = cells[where.split].trim(), split = splitNamed(written);
  if (split === undefined) {
    throw atLine(file, line, `has the split "${written}", train, val or test is wanted`);
  }
  return { line, path, label, split };
}
