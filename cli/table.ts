/** Columns for people. */

/** The lines of a table: a head, and rows whose cells stand below each other. */
export function tableOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  /** `l` or `r` for each column: to which side its cells lean. */
  sides: string,
): string[] {
  const widths = head.map((title, k) =>
    Math.max(title.length, ...rows.map((row) => row[k].length))
  );
  const line = (cells: readonly string[]): string =>
    cells.map((cell, k) => sides[k] === "r" ? cell.padStart(widths[k]) : cell.padEnd(widths[k]))
      .join("  ").trimEnd();
  return [head, ...rows].map(line);
}
