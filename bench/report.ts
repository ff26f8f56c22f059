/** Tables for people: one per row while the bench runs, then what it comes to. */
import { best, comparisons, familiesOf, isTimedEntry, ownRatios, speedup } from "./compare.ts";
import { own, settingOf } from "./engines.ts";
import type { Entry, RowResult } from "./measure.ts";
import type { Facts } from "./protocol.ts";
import { spread, unsteady } from "./statistics.ts";
import { amountOf, type Workload } from "./workload.ts";

/** Three significant digits, no exponent. */
export function digits(value: number): string {
  const whole = Math.max(1, Math.ceil(Math.log10(Math.abs(value) + 1e-9)));
  return value.toFixed(Math.max(0, 3 - whole));
}

/** Columns of equal width; the first flush left, the others right. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [k, cell] of row.entries()) widths[k] = Math.max(widths[k] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row.map((cell, k) => k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k])).join("  ")
      .trimEnd()
  );
}

const rateUnits = { GFLOP: "GFLOP/s", image: "images/s", call: "calls/s" } as const;

/** The table of a row. */
export function rowTable(result: RowResult): string[] {
  const { row, entries } = result, { unit, count } = amountOf(row.workload);
  const amount = unit === "GFLOP" ? `: ${digits(count)} GFLOP a call` : "";
  const head = ["", "min ms", "median", "max", "CPU ms", rateUnits[unit], "ours is"];
  const lines = entries.filter(isTimedEntry).map((entry) => {
    const { summary, workload } = entry, faster = speedup(result, entry);
    const rate = amountOf(workload).count / summary.medianMs * 1000;
    return [
      `${entryName(entry)}${sizeMark(workload, row.workload)}`,
      digits(summary.minMs),
      digits(summary.medianMs),
      digits(summary.maxMs) + (spread(summary) > unsteady ? " ~" : ""),
      digits(summary.cpuMs),
      digits(rate),
      faster === undefined ? "" : `${digits(faster)}×`,
    ];
  });
  const table = lines.length > 0 ? aligned([head, ...lines]) : [];
  return [
    `${row.title}${amount}`,
    ...table.map((line) => `  ${line}`),
    ...entries.flatMap(({ facts, ...entry }) =>
      facts && isDescribed(row.workload) ? [`  ${entryName(entry)}: ${factsText(facts)}`] : []
    ),
    ...missingLines(entries),
  ];
}

/** Who has no timing and why; settings of a library that share a reason share a line. */
function missingLines(entries: readonly Entry[]): string[] {
  const settings = new Map<string, string[]>();
  for (const { spec, missing } of entries) {
    if (!missing) continue;
    const key = JSON.stringify([spec.family, missing.reason]);
    settings.set(key, [...settings.get(key) ?? [], settingOf(spec)]);
  }
  return [...settings].map(([key, names]) => {
    const [family, reason] = JSON.parse(key) as [string, string];
    return `  ${family} (${names.join("; ")}): ${reason}`;
  });
}

/** Rows of which the plan is the point. */
const isDescribed = (w: Workload): boolean => w.op === "plan" || w.op === "replay";

const entryName = ({ spec }: Pick<Entry, "spec">): string => `${spec.family}, ${settingOf(spec)}`;

/** Tells of another number of images. */
function sizeMark(workload: Workload, usual: Workload): string {
  if (workload.op === "matmul" || usual.op === "matmul") return "";
  return workload.batch === usual.batch ? "" : ` (batch ${workload.batch})`;
}

function factsText(facts: Facts): string {
  return Object.entries(facts).map(([name, value]) =>
    name.endsWith("Bytes")
      ? `${name.replace("Bytes", "")} ${digits(value / 1e6)} MB`
      : `${name} ${digits(value)}`
  ).join(", ");
}

/** Who was timed, in which version. */
export function versionLines(results: readonly RowResult[]): string[] {
  const versions = new Map(
    results.flatMap(({ entries }) =>
      entries.flatMap(({ spec, version }) =>
        version ? [[`${spec.family}, ${settingOf(spec)}`, version] as const] : []
      )
    ),
  );
  return [...versions].map(([name, version]) => `${name}: ${version}`);
}

/** Ratios of best settings, what is behind, and ratios of ours to ours. */
export function summaryLines(results: readonly RowResult[]): string[] {
  const all = comparisons(results), lines: string[] = [];
  for (const backend of ["cpu", "webgpu"] as const) {
    const table = ratioTable(results, backend);
    if (table.length < 2) continue;
    const where = backend === "cpu" ? "CPU" : "WebGPU";
    lines.push("", `${where}: how many times faster ours is, best settings, medians`);
    lines.push(...aligned(table).map((line) => `  ${line}`));
  }
  const behind = all.filter(({ median }) => median < 1).toSorted((a, b) => a.median - b.median);
  if (behind.length > 0) {
    lines.push("", "Where ours is slower");
    lines.push(
      ...behind.map(({ row, family, median, backend }) =>
        `  ${row} on ${backend}: ${digits(median)}× of ${family}`
      ),
    );
  }
  const ratios = ownRatios(results);
  if (ratios.length > 0) {
    lines.push("", "Ours against ours, by speed");
    lines.push(...ratios.map(({ what, ratio }) => `  ${what}: ${digits(ratio)}×`));
  }
  return lines;
}

/** A line per row, a column per peer. */
function ratioTable(results: readonly RowResult[], backend: "cpu" | "webgpu"): string[][] {
  const families = [...new Set(results.flatMap(familiesOf))];
  const found = comparisons(results).filter((c) => c.backend === backend);
  const shown = families.filter((family) => found.some((c) => c.family === family));
  const lines = results.flatMap((result) => {
    const ours = best(result, own, backend);
    if (!ours) return [];
    const cells = shown.map((family) => {
      const one = found.find((c) => c.row === result.row.id && c.family === family);
      return one ? `${digits(one.median)}×` : "–";
    });
    const title = `${result.row.title}${sizeMark(ours.workload, result.row.workload)}`;
    return [[title, digits(ours.summary.medianMs), ...cells]];
  });
  return [["", "ours, ms", ...shown], ...lines];
}

/** The same tables for a README: what ours wins in bold. */
export function markdown(results: readonly RowResult[]): string[] {
  return (["cpu", "webgpu"] as const).flatMap((backend) => {
    const [head, ...lines] = ratioTable(results, backend);
    if (lines.length === 0) return [];
    const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
    const isWin = (cell: string): boolean => cell.endsWith("×") && parseFloat(cell) >= 1;
    return [
      "",
      line([backend === "cpu" ? "CPU" : "WebGPU", ...head.slice(1)]),
      line(head.map((_, k) => k === 0 ? "---" : "---:")),
      ...lines.map((cells) => line(cells.map((c) => isWin(c) ? `**${c}**` : c))),
    ];
  });
}
