/** Report: the page of a run, rendered again from what its folder holds. */
import { dirname, join } from "node:path";
import { writeWhole } from "../data/files.ts";
import { readReportData, reportFiles } from "../report/read_run.ts";
import { renderReport } from "../report/render.ts";
import { defineCommand } from "./command.ts";
import { outputOptions } from "./common_options.ts";
import { findRun, runsOption, runsRoot } from "./find_run.ts";
import { formatBytes } from "./format.ts";
import { group, path } from "./options.ts";
import { askToWrite } from "./permission.ts";
import { jsonLine, printable } from "./printable.ts";

/** The command. */
export const command = defineCommand({
  name: "report",
  summary: "Write the report of a run: one HTML file, to be opened in a browser",
  examples: [
    { words: [], note: "of the newest run, into its folder" },
    { words: [{ path: "runs/my-run" }], note: "of a run, by its folder or its name" },
  ],
  permissions: ["--allow-read", "--allow-write=runs"],
  positionals: {
    run: path({ help: "folder or name of a run", unset: "the newest one", valueName: "RUN" }),
  },
  options: {
    ...group("Report", {
      out: path({ help: "file to write", unset: "report.html in the run's folder" }),
      runs: runsOption,
    }),
    ...outputOptions,
  },
  run: async ({ options, positionals }, { out, lines }): Promise<void> => {
    const run = await findRun(positionals.run, runsRoot(options.runs));
    const data = await readReportData(run), file = options.out ?? join(run, reportFiles.page);
    await askToWrite(dirname(file));
    const bytes = new TextEncoder().encode(renderReport(data));
    await writeWhole("write the report", file, bytes);
    const where = lines.path(file);
    if (options.json) {
      out.line(jsonLine({ report: where, run: lines.path(run), bytes: bytes.length }));
    } else out.line(printable(`${where} (${formatBytes(bytes.length)}): open it in a browser`));
  },
});
