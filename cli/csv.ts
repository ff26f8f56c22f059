/** Rows for spreadsheets. */

/**
 * One row of a CSV: cells with a comma, a quote or a line break stand in quotes, quotes twice.
 *
 * @source RFC 4180, Common Format and MIME Type for Comma-Separated Values (CSV) Files
 */
export function csvRow(cells: readonly string[]): string {
  const row = cells.map((cell) => /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return `${row.join(",")}\r\n`;
}
