/**
 * What a run folder tells of its training, for lists and reports. Runs of older versions and runs
 * under way are read as far as they go; what is not there is missing.
 */
import { basename, join } from "node:path";
import { UsageError } from "../core/errors.ts";
import { fileError, fileSize, readFile } from "../data/files.ts";
import { runFiles, shownFiles } from "../train/run_folder.ts";
import { schedules } from "../train/schedule.ts";
import { parseReportData } from "./check.ts";
import type { Json, ReportData, ReportEpoch, ReportRate, ReportRun, ReportScores } from "./data.ts";

/** What a report leaves in a run folder. */
export const reportFiles = { data: shownFiles.reportData, page: shownFiles.report } as const;

/** A run, as its configuration and its metrics tell it. */
export interface RunRecord {
  /** Its folder. */
  readonly path: string;
  /** When it was begun, ISO 8601 in UTC; empty where its configuration does not say. */
  readonly started: string;
  /** When it was last resumed. */
  readonly resumed?: string;
  /** What was trained on what, and what came of it. */
  readonly run: ReportRun;
  /** The epochs that are done, in their order. */
  readonly epochs: readonly ReportEpoch[];
  /** The recipe, and all else that its configuration holds of the settings. */
  readonly settings: { readonly [key: string]: Json };
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a run.
 *
 * @param path its folder
 * @throws {UsageError} when it is no run folder, or its configuration is damaged
 */
export async function readRun(path: string): Promise<RunRecord> {
  const found = await runAt(path);
  if (typeof found !== "string") return found;
  throw new UsageError(`Cannot read the run ${path}: ${found}, the folder of a run is wanted`, {
    hint: "give a folder that training has made",
  });
}

/** The run in a folder, or why there is none. */
async function runAt(path: string): Promise<RunRecord | string> {
  const file = join(path, runFiles.config), metrics = join(path, runFiles.metrics);
  const action = `read the run ${path}`;
  if (await fileSize(action, file) === undefined) return `it holds no ${runFiles.config}`;
  const config = asFields(parsed(await readText(action, file)));
  if (config === undefined) return `${file} is damaged`;
  const hasRows = await fileSize(action, metrics) !== undefined;
  return recordOf(path, config, hasRows ? rowsOf(await readText(action, metrics)) : []);
}

/**
 * All runs of a folder, the newest first: by the time at which they were begun or last resumed.
 * Folders that hold no run are left out, and so are runs that are just being begun.
 *
 * @param root the `runs` folder
 * @throws {DataError} when it does not exist
 */
export async function readRuns(root: string): Promise<RunRecord[]> {
  const names: string[] = [], action = "list runs";
  try {
    for await (const { name, isDirectory } of Deno.readDir(root)) {
      if (isDirectory && !name.endsWith(".part")) names.push(name);
    }
  } catch (error) {
    throw fileError(action, root, "read", error);
  }
  const found: RunRecord[] = [];
  for (const name of names.sort()) {
    const record = await runAt(join(root, name));
    if (typeof record !== "string") found.push(record);
  }
  const timeOf = ({ started, resumed }: RunRecord) => resumed ?? started;
  return found.sort((a, b) => compare(timeOf(b), timeOf(a)) || compare(b.path, a.path));
}

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;

/**
 * Everything that a run folder tells for its report. What training left as `report_data.json` comes
 * first; configuration and metrics, which are never older, override it.
 *
 * @throws {UsageError} when it is no run folder
 * @throws {DataError} when its report data are damaged
 */
export async function readReportData(path: string): Promise<ReportData> {
  const { run, epochs, settings } = await readRun(path);
  const file = join(path, reportFiles.data), action = `read the run ${path}`;
  const isThere = await fileSize(action, file) !== undefined;
  const stored = isThere ? parseReportData(await readText(action, file), file) : {};
  // Scores are those of the metrics, where there are any: the run may have been given more epochs.
  const { best: _, test: __, ...rest } = stored.run ?? {};
  const told = epochs.length > 0 ? rest : stored.run;
  const learningRate = stored.learningRate ?? rateOf(settings);
  return {
    ...stored,
    run: { ...told, ...run },
    ...(epochs.length > 0 ? { epochs: withWaiting(epochs, stored.epochs) } : {}),
    ...(learningRate.length > 0 ? { learningRate } : {}),
    settings: { ...stored.settings, ...settings },
  };
}

/** What only the report data know of an epoch is kept. */
function withWaiting(
  epochs: readonly ReportEpoch[],
  stored: readonly ReportEpoch[] = [],
): ReportEpoch[] {
  const known = new Map(stored.map((one) => [one.epoch, one]));
  return epochs.map((one) => ({ ...known.get(one.epoch), ...one }));
}

async function readText(action: string, file: string): Promise<string> {
  return new TextDecoder().decode(await readFile(action, file));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const asFields = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : undefined;

/** Rows of JSON lines; one that is being written, or is damaged, is left out. */
function rowsOf(text: string): Fields[] {
  return text.split("\n").map((line) => asFields(parsed(line))).filter((row) => row !== undefined);
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;
const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** The fields that are there. */
function known<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined)) as T;
}

function scoresOf(value: unknown): ReportScores | undefined {
  const fields = asFields(value);
  if (fields === undefined) return undefined;
  const { loss, top1, top5 } = fields;
  return known<ReportScores>({
    loss: numberOf(loss),
    accuracy: numberOf(top1),
    top5: numberOf(top5),
  });
}

function epochsIn(rows: readonly Fields[]): ReportEpoch[] {
  const found = rows.flatMap((row) => {
    const epoch = numberOf(row.epoch);
    if (row.kind !== "epoch" || epoch === undefined) return [];
    return [known<ReportEpoch>({
      epoch,
      training: scoresOf(row),
      validation: scoresOf(row.validation),
      test: scoresOf(row.test),
      seconds: numberOf(row.seconds),
      imagesPerSecond: numberOf(row.examples_per_second),
      waiting: numberOf(row.waiting),
    })];
  });
  // A later row of an epoch is that of a resumed run.
  const last = new Map(found.map((one) => [one.epoch, one]));
  return [...last.values()].sort((a, b) => a.epoch - b.epoch);
}

/** The best epoch as training chooses it: by accuracy, else by loss; the first of equals. */
function bestOf(epochs: readonly ReportEpoch[]): ReportRun["best"] {
  const score = ({ accuracy, loss }: ReportScores) =>
    accuracy ?? (loss === undefined ? NaN : -loss);
  let best: ReportRun["best"];
  for (const { epoch, validation } of epochs) {
    if (validation === undefined || Number.isNaN(score(validation))) continue;
    if (best === undefined || score(validation) > score(best.validation)) {
      best = { epoch, validation };
    }
  }
  return best;
}

/** What a fine-tuning kept: the best epoch of one of its stages, or the head that was fitted. */
function keptOf(rows: readonly Fields[], epochs: readonly ReportEpoch[]): ReportRun["best"] {
  const kept = rows.findLast(({ kind }) => kind === "kept"), stage = textOf(kept?.stage);
  if (kept === undefined || stage === undefined) return undefined;
  const own = rows.filter((row) => row.kind === "epoch" && row.stage === stage)
    .map(({ epoch }) => epoch);
  const best = bestOf(epochs.filter(({ epoch }) => own.includes(epoch)));
  const validation = known<ReportScores>({
    loss: numberOf(kept.loss),
    accuracy: numberOf(kept.accuracy),
  });
  return best ? { ...best, stage } : { stage, validation };
}

/** The test of the weights that are kept; one before the last epoch was of others. */
function testIn(rows: readonly Fields[]): Fields | undefined {
  const last = rows.findLastIndex(({ kind }) => kind === "epoch");
  return rows.slice(last + 1).findLast(({ kind }) => kind === "test");
}

function recordOf(path: string, config: Fields, rows: readonly Fields[]): RunRecord {
  const { recipe, classes, ...rest } = config, epochs = epochsIn(rows);
  const { started, resumed, model, dataset, device, version, parameters, ...more } = rest;
  const fields = asFields(recipe) ?? {}, resumedAt = textOf(resumed);
  const run = known<ReportRun>({
    name: basename(path),
    model: textOf(model),
    dataset: textOf(dataset),
    device: textOf(device),
    version: textOf(version),
    started: textOf(started),
    parameters: numberOf(parameters),
    classes: Array.isArray(classes) ? classes.length : undefined,
    epochs: numberOf(fields.epochs),
    best: keptOf(rows, epochs) ?? bestOf(epochs),
    test: scoresOf(testIn(rows)),
  });
  const settings = { ...fields, ...more } as { readonly [key: string]: Json };
  const common = { path, started: run.started ?? "", run, epochs, settings };
  return resumedAt === undefined ? common : { ...common, resumed: resumedAt };
}

/** Points of a curve: more than a screen shows. */
const ratePoints = 200;

/** The learning rate as recipes of one schedule have it. */
function rateOf(settings: Fields): ReportRate[] {
  const epochs = numberOf(settings.epochs), lr = numberOf(settings.lr);
  const schedule = Object.entries(schedules).find(([name]) => name === settings.schedule)?.[1];
  if (epochs === undefined || lr === undefined || schedule === undefined) return [];
  return Array.from({ length: ratePoints }, (_, k) => ({
    epoch: epochs * k / (ratePoints - 1),
    rate: lr * schedule(k, ratePoints),
  }));
}
