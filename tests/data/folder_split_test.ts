/** Laws of the split by content and of the order of names; what a list in a CSV may be. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { parseCsv, readPictureList } from "../../data/csv_list.ts";
import { compareNatural } from "../../data/natural_order.ts";
import { type Hashed, splitByContent } from "../../data/split.ts";
import { checksum } from "./support.ts";

const hashOf = (text: string | number): string =>
  checksum("sha256", new TextEncoder().encode(`${text}`));

/** Pictures of few classes with some copies among them. */
const pictures = fc.array(
  fc.record({ hash: fc.nat(60).map(hashOf), label: fc.constantFrom("a", "b", "c") }),
  { maxLength: 60 },
);
const shares = fc.constantFrom(0, 0.1, 0.2, 0.5, 0.9);

/** Classes whose pictures the share alone would all keep from training. */
function unlearnt(all: readonly Hashed[], share: number): Set<string> {
  const below = (hash: string) => Number.parseInt(hash.slice(0, 12), 16) / 2 ** 48 < share;
  const byClass = Map.groupBy(all, ({ label }) => label);
  return new Set([...byClass].filter(([, own]) => own.every((p) => below(p.hash))).map(([l]) => l));
}

Deno.test("split: added pictures move none of the old ones", () => {
  fc.assert(fc.property(pictures, pictures, shares, (old, added, share) => {
    // A class that had nothing to learn from is the one exception, and says so.
    fc.pre(unlearnt(old, share).size === 0);
    const more = [...old, ...added];
    fc.pre(unlearnt(more, share).size === 0);
    assert.deepEqual(splitByContent(more, share).slice(0, old.length), splitByContent(old, share));
  }));
});

Deno.test("split: copies are never on both sides, in whatever classes", () => {
  fc.assert(fc.property(pictures, shares, (all, share) => {
    const side = new Map<string, number>(), kept = splitByContent(all, share);
    all.forEach(({ hash }, k) => {
      assert.equal(side.get(hash) ?? kept[k], kept[k]);
      side.set(hash, kept[k]);
    });
  }));
});

Deno.test("split: every class has something to learn from, in any order of the files", () => {
  fc.assert(fc.property(pictures, shares, (all, share) => {
    const kept = splitByContent(all, share);
    const learnt = new Set(all.filter((_, k) => kept[k] === 0).map(({ label }) => label));
    for (const { label } of all) assert(learnt.has(label));
    assert.deepEqual(splitByContent(all.toReversed(), share).reverse(), kept);
  }));
});

Deno.test("split: the share holds for each class within what chance allows", () => {
  const all = Array.from({ length: 4000 }, (_, k) => ({ hash: hashOf(k), label: `${k % 4}` }));
  for (const share of [0.1, 0.2, 0.5]) {
    const kept = splitByContent(all, share), sd = Math.sqrt(1000 * share * (1 - share));
    for (let c = 0; c < 4; c++) {
      const own = kept.filter((_, k) => k % 4 === c).reduce((sum, is) => sum + is, 0);
      assert(Math.abs(own - 1000 * share) < 4 * sd, `class ${c} of ${share}: ${own}`);
    }
  }
});

Deno.test("natural order: digits by value, and a total order", () => {
  const names = ["10", "9", "img2", "img10", "img02", "Z", "a", "é", "z", "😀", "\uffee"];
  assert.deepEqual(names.toSorted(compareNatural), [
    ...["9", "10", "Z", "a", "img02", "img2", "img10", "z", "é", "\uffee", "😀"],
  ]);
  const name = fc.string({
    unit: fc.constantFrom("0", "1", "9", "a", "B", "-", "é"),
    maxLength: 6,
  });
  fc.assert(fc.property(name, name, name, (a, b, c) => {
    assert.equal(Math.sign(compareNatural(a, b)) + Math.sign(compareNatural(b, a)), 0);
    assert.equal(compareNatural(a, b) === 0, a === b);
    const [x, y, z] = [a, b, c].sort(compareNatural);
    assert(compareNatural(x, y) <= 0 && compareNatural(y, z) <= 0 && compareNatural(x, z) <= 0);
  }));
});

/** A row as RFC 4180 writes it; quoted where it must be, or where `always` says. */
const written = (cells: readonly string[], always: boolean): string =>
  cells.map((cell) =>
    always || cell === "" || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
  ).join(",");

Deno.test("csv: what is written is read, whatever the cells hold and lines end with", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", " ", '"', ",", "\n", "\r", "é", "\ufeff") });
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 5 });
  const ends = fc.constantFrom("\n", "\r\n", "\r");
  fc.assert(fc.property(rows, ends, fc.boolean(), fc.boolean(), (rows, end, always, last) => {
    const text = "\ufeff" + rows.map((cells) => written(cells, always)).join(end) +
      (last ? end : "");
    assert.deepEqual(parseCsv(text, "a.csv").map(({ cells }) => cells), rows);
  }));
});

Deno.test("csv: any text is read or refused by its line, in time that its length allows", () => {
  const text = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r") });
  fc.assert(fc.property(text, (text) => {
    try {
      for (const { line } of parseCsv(text, "a.csv")) assert(line >= 1);
    } catch (error) {
      assert(error instanceof DataError);
      assert.match(error.message, /^Cannot read a\.csv: line \d+ has /);
    }
  }));
  assert.equal(parseCsv(`"${'""'.repeat(1_000_000)}",b`, "a.csv")[0].cells[0].length, 1_000_000);
  assert.throws(
    () => parseCsv(`a,"${"b\n".repeat(1_000_000)}`, "a.csv"),
    /line 1 has a quote that/,
  );
});

Deno.test("list: columns by name or by place, splits by any of their names", () => {
  const read = (text: string) => readPictureList(text, "a.csv");
  assert.deepEqual(read("a.png,cat\nb c.png,dog\n"), [
    { line: 1, path: "a.png", label: "cat" },
    { line: 2, path: "b c.png", label: "dog" },
  ]);
  assert.deepEqual(read('Label,id,Filename,Split\r\n cat ,7,"a,b.png",VAL\r\n'), [
    { line: 2, path: "a,b.png", label: "cat", split: "validation" },
  ]);
  assert.deepEqual(read("x,a,train\ny,a,valid\nz,a,test").map(({ split }) => split), [
    ...["train", "validation", "test"],
  ]);
  assert.deepEqual(read("path,label\n"), []);
  assert.deepEqual(read("a.png,e\u0301").map(({ label }) => label), ["\u00e9"]);
});

Deno.test("list: malformed rows are named by their line", () => {
  const cases: [string, string][] = [
    ["", "Cannot read a.csv: it is empty"],
    ["a.png", "line 1 has 1 cells, path,label or path,label,split is wanted"],
    ['a,b\n\n"c\nd",e\nf', "line 5 has 1 cells, 2 are wanted"],
    ["a,b\nc,", "line 2 has no label, one is wanted"],
    ["a,b\n ,c", "line 2 has no path, one is wanted"],
    ["a,b\nc,d\na,b", "line 3 lists a, as line 1 does, one of them is wanted"],
    ["a,b,train\nc,d,dev", 'line 2 has the split "dev", train, val or test is wanted'],
    ['a,b\nc,d"e', "line 2 has a quote inside a cell, the whole cell in quotes is wanted"],
    ['a,b\n"c"d,e', 'line 2 has "d" behind a quote, a comma is wanted'],
    ['a,b\n"c,d\ne,f', "line 2 has a quote that is not closed, another one is wanted"],
  ];
  for (const [text, message] of cases) {
    const isIt = (error: Error) => error instanceof DataError && error.message.endsWith(message);
    assert.throws(() => readPictureList(text, "a.csv"), isIt, text);
  }
});
