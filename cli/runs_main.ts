/** Runs: what was trained, when and how well; and in what runs differ. */
import { basename } from "node:path";
import { UsageError } from "../core/errors.ts";
import { differences } from "../report/compare_runs.ts";
import { readRun, type RunRecord } from "../report/read_run.ts";
import { defineCommand } from "./command.ts";
import { outputOptions } from "./common_options.ts";
import { findRun, listRuns, runsOption, runsRoot } from "./find_run.ts";
import { comparison, overview } from "./run_tables.ts";
import { group, path, rest } from "./options.ts";
import { jsonLine, printable } from "./printable.ts";

/** The command. */
export const command = defineCommand({
  name: "runs",
  summary: "List the runs of a folder, or compare some of them",
  examples: [
    { words: [], note: "all runs, the newest first" },
    {
      words: [{ path: "runs/my-run" }, { path: "runs/other-run" }],
      note: "settings in which they differ, and their scores, side by side",
    },
    { words: ["--json"], note: "one object a line" },
  ],
  permissions: ["--allow-read"],
  positionals: {
    compared: rest(path({ help: "runs to compare, by folder or name", valueName: "RUN" })),
  },
  options: { ...group("Runs", { runs: runsOption }), ...outputOptions },
  run: async ({ options, positionals: { compared } }, { out, err, lines }): Promise<void> => {
    const root = runsRoot(options.runs);
    if (compared.length === 1) {
      const hint = `give two or more, or ${
        lines.line({
          name: "report",
          words: [{ path: compared[0] }],
          permissions: ["--allow-read"],
        })
      }`;
      throw new UsageError("Cannot compare runs: one is given, two or more are wanted", { hint });
    }
    const isList = compared.length === 0;
    const runs = isList ? await listRuns(root) : await readAll(compared, root);
    if (options.json) {
      const rows = runs.map((run) => asData(run, lines.path(run.path)));
      if (isList) { for (const row of rows) out.line(jsonLine(row)); }
      else out.line(jsonLine({ runs: rows, differences: differences(runs) }));
      return;
    }
    if (runs.length === 0) err.line(printable(`${lines.path(root)} holds no runs`));
    else for (const line of isList ? overview(runs) : comparison(runs)) out.line(printable(line));
  },
});

async function readAll(typed: readonly string[], root: string): Promise<RunRecord[]> {
  const runs: RunRecord[] = [];
  for (const one of typed) runs.push(await readRun(await findRun(one, root)));
  return runs;
}

function asData({ started, resumed, run, epochs }: RunRecord, path: string) {
  const { name, model, dataset, device, version, parameters, best, test } = run;
  return {
    ...{ name: name ?? basename(path), path, started, resumed, dataset, model, device, version },
    ...{ parameters, epochs_done: epochs.length, epochs: run.epochs, best, test },
    seconds: secondsOf(epochs),
  };
}

const secondsOf = (epochs: RunRecord["epochs"]): number =>
  epochs.reduce((sum, { seconds = 0 }) => sum + seconds, 0);
