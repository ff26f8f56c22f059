/**
 * `metrics.jsonl`, a row for each epoch and log line. Rows are appended as they come; a run's state
 * says how many bytes of them belong to its moment, and resuming cuts off what was written since.
 */
import { fileError } from "../data/files.ts";

/** Appends a row; numbers that are no numbers are written as texts. */
export async function appendRow(
  path: string,
  row: Readonly<Record<string, unknown>>,
): Promise<void> {
  const text = JSON.stringify(
    row,
    (_, v) => typeof v === "number" && !Number.isFinite(v) ? `${v}` : v,
  );
  try {
    await Deno.writeTextFile(path, `${text}\n`, { append: true });
  } catch (error) {
    throw fileError("save the run", path, "write", error);
  }
}

/** Makes all rows outlast a power cut; returns their bytes. The file is made where it is missing. */
export async function syncRows(path: string): Promise<number> {
  try {
    using file = await Deno.open(path, { append: true, create: true });
    await file.sync();
    return (await file.stat()).size;
  } catch (error) {
    throw fileError("save the run", path, "write", error);
  }
}

/**
 * Cuts the file to the rows of a moment: those written later, and damaged ones at the end, go.
 *
 * @param bytes of the rows that belong to the moment
 * @returns what was cut or is missing, in words for people; undefined where all is well
 */
export async function cutRows(path: string, bytes: number): Promise<string | undefined> {
  const found = await Deno.readFile(path).catch(() => new Uint8Array());
  const kept = wholeRows(found.subarray(0, bytes));
  try {
    using file = await Deno.open(path, { write: true, create: true });
    await file.truncate(kept);
    await file.sync();
  } catch (error) {
    throw fileError("resume the run", path, "write", error);
  }
  const notes: string[] = [];
  if (kept < Math.min(bytes, found.length)) notes.push("damaged rows at its end were dropped");
  else if (kept < found.length) notes.push("rows written after the last save were dropped");
  if (found.length < bytes) notes.push(`${bytes - found.length} bytes of it are missing`);
  return notes.length > 0 ? `${path}: ${notes.join(", ")}` : undefined;
}

/** Bytes up to the end of the last row that is whole and JSON. */
function wholeRows(bytes: Uint8Array): number {
  const newline = 10, decoder = new TextDecoder();
  let end = bytes.lastIndexOf(newline) + 1;
  while (end > 0) {
    const start = end > 1 ? bytes.lastIndexOf(newline, end - 2) + 1 : 0;
    if (isJson(decoder.decode(bytes.subarray(start, end)))) break;
    end = start;
  }
  return end;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
