/** Runs in columns: one below the other, or side by side. */
import type { ReportScores } from "../report/data.ts";
import { differences } from "../report/compare_runs.ts";
import type { RunRecord } from "../report/read_run.ts";
import { formatDuration, formatLoss, formatPercent } from "./format.ts";
import { tableOf } from "./table.ts";

/** What a cell says where there is nothing. */
const none = "-";

/** A column of the list, or a row of the comparison. */
interface Fact {
  readonly title: string;
  readonly side: "l" | "r";
  readonly of: (run: RunRecord) => string;
}

const name: Fact = { title: "run", side: "l", of: ({ run }) => run.name ?? none };
const started: Fact = { title: "started (UTC)", side: "l", of: (run) => timeOf(run.started) };

const scores: readonly Fact[] = [
  { title: "epochs", side: "r", of: epochsOf },
  { title: "best validation", side: "r", of: ({ run }) => scoreOf(run.best?.validation) },
  { title: "at epoch", side: "r", of: ({ run }) => run.best ? `${run.best.epoch}` : none },
  { title: "test", side: "r", of: ({ run }) => scoreOf(run.test) },
  { title: "training time", side: "r", of: timeSpent },
];

/** A table of runs, each on a line. */
export function overview(runs: readonly RunRecord[]): string[] {
  const facts: readonly Fact[] = [
    ...[name, started],
    { title: "data set", side: "l", of: ({ run }) => run.dataset ?? none },
    { title: "model", side: "l", of: ({ run }) => run.model ?? none },
    ...scores,
  ];
  const rows = runs.map((run) => facts.map((fact) => fact.of(run)));
  return tableOf(facts.map(({ title }) => title), rows, facts.map(({ side }) => side).join(""));
}

/** Runs side by side: their scores, then the settings in which they differ. */
export function comparison(runs: readonly RunRecord[]): string[] {
  const rows = [started, ...scores].map((fact) => [fact.title, ...runs.map(fact.of)]);
  const settings = differences(runs).map(({ setting, values }) => [
    setting,
    ...values.map((value) => value ?? none),
  ]);
  const head = ["", ...runs.map(name.of)], gap = head.map(() => "");
  const below = settings.length > 0
    ? [gap, ["settings that differ", ...gap.slice(1)], ...settings]
    : [gap, ["all settings are equal", ...gap.slice(1)]];
  return tableOf(head, [...rows, ...below], "l".repeat(head.length));
}

/** `2026-01-31 12:00` of an ISO time. */
function timeOf(iso: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(iso) ? iso.slice(0, 16).replace("T", " ") : none;
}

function epochsOf({ run, epochs }: RunRecord): string {
  const done = epochs.length;
  return run.epochs === undefined || run.epochs === done ? `${done}` : `${done} of ${run.epochs}`;
}

function scoreOf(scores: ReportScores | undefined): string {
  if (scores?.accuracy !== undefined) return formatPercent(scores.accuracy, 2);
  return scores?.loss === undefined ? none : `loss ${formatLoss(scores.loss)}`;
}

function timeSpent({ epochs }: RunRecord): string {
  const known = epochs.filter(({ seconds }) => seconds !== undefined);
  if (known.length === 0) return none;
  return formatDuration(known.reduce((sum, { seconds = 0 }) => sum + seconds, 0));
}
