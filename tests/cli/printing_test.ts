/** Rows for spreadsheets, and pictures made of half blocks. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { csvRow } from "../../cli/csv.ts";
import { halfBlocks } from "../../cli/half_blocks.ts";
import { parseCsv } from "../../data/csv_list.ts";

Deno.test("CSV: what is written is read again, whatever the cells", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", " ", "é", "=") });
  const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1 });
  fc.assert(fc.property(rows, (rows) => {
    const read = parseCsv(rows.map(csvRow).join(""), "a.csv");
    assert.deepEqual(read.map(({ cells }) => cells), rows);
  }));
  assert.equal(csvRow(["a b", 'x,"y"']), 'a b,"x,""y"""\r\n');
});

/** The colours of each character, upper and lower. */
function coloursIn(line: string): string[][] {
  // deno-lint-ignore no-control-regex
  const cells = line.matchAll(/\x1b\[38;2;(\d+;\d+;\d+);(?:48;2;(\d+;\d+;\d+)|49)m▀/g);
  return [...cells].map(([, upper, lower = ""]) => [upper, lower]);
}

Deno.test("half blocks: a picture that fits is shown pixel by pixel", () => {
  const rgb = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 2, 3], [4, 5, 6], [7, 8, 9]];
  const data = Uint8Array.from(rgb.flatMap((colour) => [...colour, 255]));
  const lines = halfBlocks({ width: 2, height: 3, data }, { columns: 40, rows: 16 });
  assert.deepEqual(lines.map(coloursIn), [
    [["255;0;0", "0;0;255"], ["0;255;0", "1;2;3"]],
    [["4;5;6", ""], ["7;8;9", ""]],
  ]);
  for (const line of lines) assert(line.endsWith("▀\x1b[0m"));
});

Deno.test("half blocks: a larger one keeps to its room and its shape", () => {
  const side = fc.integer({ min: 1, max: 120 });
  fc.assert(fc.property(side, side, (width, height) => {
    const data = new Uint8Array(4 * width * height).fill(200);
    const room = { columns: 20, rows: 8 }, lines = halfBlocks({ width, height, data }, room);
    assert(lines.length <= 8);
    for (const line of lines) assert(coloursIn(line).length <= 20);
  }));
  const data = new Uint8Array(4 * 100 * 50).fill(255);
  const wide = halfBlocks({ width: 100, height: 50, data }, { columns: 40, rows: 16 });
  assert.deepEqual([wide.length, coloursIn(wide[0]).length], [10, 40]);
});
