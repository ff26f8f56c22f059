import assert from "node:assert/strict";
import { best, comparisons, ownRatios, speedup } from "../../bench/compare.ts";
import { type EngineSpec, own } from "../../bench/engines.ts";
import type { Entry, RowResult } from "../../bench/measure.ts";
import { aligned, digits, markdown, summaryLines } from "../../bench/report.ts";
import { rows } from "../../bench/rows.ts";
import { summarise } from "../../bench/statistics.ts";
import { withBatch } from "../../bench/workload.ts";

const conv = rows.find(({ id }) => id === "conv-64")!;
const gradient = rows.find(({ id }) => id === "conv-weight-gradient-64")!;

function spec(family: string, backend: "cpu" | "webgpu", threads?: number): EngineSpec {
  const start = (): never => assert.fail("nothing is started here");
  return { id: `${family}-${threads ?? backend}`, family, backend, threads, start };
}

function entry(of: EngineSpec, ms: number, workload = conv.workload): Entry {
  const samples = [{ wallMs: ms, cpuMs: ms }];
  return { engine: of.id, spec: of, workload, samples, summary: summarise(samples) };
}

const result: RowResult = {
  row: conv,
  entries: [
    entry(spec(own, "cpu", 1), 80),
    entry(spec(own, "cpu", 2), 40),
    entry(spec(own, "webgpu"), 100),
    entry(spec("A", "cpu", 1), 120),
    entry(spec("A", "cpu", 2), 30),
    // An eighth of the images in half of the time: four times as slow.
    entry(spec("B", "webgpu"), 50, withBatch(conv.workload, 8)),
    {
      ...entry(spec("B", "cpu", 1), 1),
      summary: undefined,
      missing: { reason: "no", isRefusal: true },
    },
  ],
};

Deno.test("compare: a peer meets ours in its own setting", () => {
  const [, , , one, all, gpu] = result.entries;
  assert.equal(speedup(result, one as Parameters<typeof speedup>[1]), 120 / 80);
  assert.equal(speedup(result, all as Parameters<typeof speedup>[1]), 30 / 40);
  assert.equal(speedup(result, gpu as Parameters<typeof speedup>[1]), 4);
  assert.equal(speedup(result, result.entries[0] as Parameters<typeof speedup>[1]), undefined);
});

Deno.test("compare: the best setting stands for a family, and missing ones for nothing", () => {
  assert.equal(best(result, own, "cpu")?.spec.threads, 2);
  assert.equal(best(result, "B", "cpu"), undefined);
  assert.deepEqual(comparisons([result]).map(({ family, median }) => [family, median]), [
    ["A", 0.75],
    ["B", 4],
  ]);
});

Deno.test("compare: threads and gradients against ours", () => {
  const backward: RowResult = { row: gradient, entries: [entry(spec(own, "cpu", 2), 50)] };
  const ratios = ownRatios([result, backward]);
  assert.deepEqual(ratios.map(({ ratio }) => ratio), [2, 0.8]);
});

Deno.test("report: what loses is shown as such", () => {
  const lines = summaryLines([result]);
  assert(lines.includes("Where ours is slower"));
  assert(lines.some((line) => line.includes("0.75× of A")), lines.join("\n"));
  const table = markdown([result]).join("\n");
  assert(table.includes("| 0.75×"), table);
  assert(table.includes("**4.00×**"), table);
});

Deno.test("report: three digits, and columns that line up", () => {
  const texts = [0.0123, 0.5, 1.234, 12.34, 123.4, 1234.4].map(digits);
  assert.deepEqual(texts, ["0.01", "0.50", "1.23", "12.3", "123", "1234"]);
  assert.deepEqual(aligned([["a", "1"], ["bcd", "234"]]), ["a      1", "bcd  234"]);
});
