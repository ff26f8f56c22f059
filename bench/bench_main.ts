/** Bench: kernels and steps, ours beside other libraries, on this machine. */
import { defineCommand } from "../cli/command.ts";
import { flag, group, integer, text } from "../cli/options.ts";
import type { Terminal } from "../cli/terminal.ts";
import { UsageError } from "../core/errors.ts";
import { comparisons, ownRatios } from "./compare.ts";
import { engines, type EngineSpec, own } from "./engines.ts";
import { describeMachine, load, loadLimit, type Machine, machineLines } from "./machine.ts";
import { type Effort, measureRow, type RowResult, type Sizing, Stable } from "./measure.ts";
import { markdown, rowTable, summaryLines, versionLines } from "./report.ts";
import { type Row, rowsLike } from "./rows.ts";

const thorough: Effort = {
  rounds: 5,
  warmSeconds: 1,
  roundSeconds: 0.25,
  roundSamples: 8,
  patience: 120,
  budget: 12,
};

/** Enough to see that everything runs; no timings to quote. */
const hasty: Effort = {
  rounds: 1,
  warmSeconds: 0,
  roundSeconds: 0.02,
  roundSamples: 2,
  patience: 60,
  budget: 2,
};

/** The command. */
export const command = defineCommand({
  name: "bench",
  summary: "Time kernels and steps of ours and of other libraries",
  examples: [
    { name: "setup", words: [], note: "once: a BLAS, and PyTorch in a folder of its own" },
    { words: [], note: "everything, in about an hour" },
    { words: ["--only", "conv", "--against", "torch"], note: "some rows, some peers" },
  ],
  permissions: ["--allow-all"],
  positionals: {},
  options: group("Bench", {
    list: flag({ help: "name the rows and engines, and end" }),
    only: text({ help: "rows whose name holds this text", valueName: "TEXT" }),
    against: text({ help: "peers whose name holds this text, or none", valueName: "TEXT" }),
    repeats: integer({
      help: "rounds over all engines of a row",
      default: thorough.rounds,
      min: 1,
    }),
    quick: flag({ help: "one hasty round: to see that it runs" }),
    json: flag({ help: "print one object with every timing" }),
    markdown: flag({ help: "print the table of ratios for a README" }),
  }),
  run: async ({ options }, { out, err }): Promise<void> => {
    const rows = chosenRows(options.only), specs = chosenEngines(options.against);
    if (options.list) return list(out, rows, specs);
    const webgpu = engines(navigator.hardwareConcurrency).find((s) => s.id === "fovea-webgpu")!;
    const machine = await describeMachine(webgpu);
    // Data goes to stdout: with --json and --markdown the tables are for whoever waits.
    const tables = options.json || options.markdown ? err : out;
    for (const line of machineLines(machine)) tables.line(line);
    const effort = options.quick ? hasty : { ...thorough, rounds: options.repeats };
    const results = await measureRows(rows, specs, machine, effort, tables);
    machine.loadAfter = load();
    finish(results, machine, tables);
    if (options.json) out.line(JSON.stringify(report(results, machine, effort)));
    if (options.markdown) { for (const line of markdown(results)) out.line(line); }
  },
});

function chosenRows(only = ""): readonly Row[] {
  const found = rowsLike(only);
  if (found.length > 0) return found;
  throw new UsageError(`Cannot bench: no row is like ${only}`, {
    hint: "deno task bench --list names them",
  });
}

function chosenEngines(against = ""): readonly EngineSpec[] {
  const wanted = against.toLowerCase();
  return engines(navigator.hardwareConcurrency).filter(({ id, family }) =>
    family === own || `${id}\n${family}`.toLowerCase().includes(wanted)
  );
}

function list(out: Terminal, rows: readonly Row[], specs: readonly EngineSpec[]): void {
  for (const { id, title } of rows) out.line(`${id.padEnd(26)} ${title}`);
  out.line();
  for (const { id, family } of specs) out.line(`${id.padEnd(26)} ${family}`);
}

/** All rows, with tables as they come. */
async function measureRows(
  rows: readonly Row[],
  specs: readonly EngineSpec[],
  machine: Machine,
  effort: Effort,
  tables: Terminal,
): Promise<RowResult[]> {
  const stable = new Stable(effort), results: RowResult[] = [];
  const sizing: Sizing = (spec, row) => {
    const isSlow = spec.slowRows?.test(row.id) || spec.backend === "webgpu" && machine.isSoftware;
    return isSlow ? row.onSoftware : row.workload;
  };
  try {
    for (const row of rows) {
      const result = await measureRow(row, rowEngines(row, specs), sizing, stable);
      results.push(result);
      tables.line();
      for (const line of rowTable(result)) tables.line(line);
    }
  } finally {
    await stable.close();
  }
  return results;
}

/** Plans are ours alone, and so is a replay, which needs a queue. */
function rowEngines({ workload: { op } }: Row, specs: readonly EngineSpec[]): EngineSpec[] {
  const isOurs = op === "plan" || op === "replay";
  return specs.filter(({ family, backend }) =>
    !isOurs || family === own && (op === "plan" || backend === "webgpu")
  );
}

function finish(results: readonly RowResult[], machine: Machine, tables: Terminal): void {
  for (const line of summaryLines(results)) tables.line(line);
  tables.line();
  for (const line of versionLines(results)) tables.line(line);
  tables.line("~: timings lie more than half a median apart; CPU: user and system, all threads");
  const { loadBefore } = machine;
  if (loadBefore > loadLimit) tables.line(`the load average was ${loadBefore.toFixed(2)} before`);
}

/** Everything, as one object. */
function report(results: readonly RowResult[], machine: Machine, effort: Effort): unknown {
  return {
    machine,
    effort,
    rows: results.map(({ row, entries }) => ({
      id: row.id,
      title: row.title,
      entries: entries.map(({ spec, ...entry }) => ({
        ...entry,
        family: spec.family,
        backend: spec.backend,
        threads: spec.threads,
      })),
    })),
    comparisons: comparisons(results),
    own: ownRatios(results),
  };
}
