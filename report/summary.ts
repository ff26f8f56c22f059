/** The top of the page: what was trained on what, and what came of it. */
import type { ReportData, ReportRun } from "./data.ts";
import { formatCount, formatDuration, formatLoss, formatPercent, formatRate } from "./format.ts";
import { type Html, markup } from "./html.ts";

/** Title of a page that knows no model. */
export const unnamed = "Training report";

/** Title of the page. */
export function titleOf({ run = {} }: ReportData): string {
  const { model, dataset } = run;
  if (model === undefined) return unnamed;
  return dataset === undefined ? model : `${model} on ${dataset}`;
}

/** Heading, a sentence, and the numbers that matter most. */
export function summary(data: ReportData): Html {
  const { run = {} } = data, tiles = tilesOf(data);
  return markup`
    <header>
    ${run.model === undefined ? undefined : markup`<p class="kind">${unnamed}</p>`}
    <h1><bdi>${titleOf(data)}</bdi></h1>
    <p>${sentence(data)}</p>
    ${tiles.length === 0 ? undefined : markup`<dl class="tiles">${tiles}</dl>`}
    ${run.name === undefined ? undefined : markup`<p class="more file">Run ${run.name}</p>`}
    </header>
  `;
}

function sentence({ run = {}, epochs = [], skipped = [] }: ReportData): string {
  const { parameters, pictures = {}, classes, device, started, version } = run;
  const { training, validation, test } = pictures;
  const sizes = Object.entries({ training, validation, test })
    .flatMap(([name, n]) => n === undefined ? [] : [`${formatCount(n)} ${name}`]);
  const clauses = [
    ...(parameters === undefined ? [] : [`${formatCount(parameters)} trained parameters`]),
    ...(sizes.length === 0 ? [] : [`${listed(sizes)} pictures`]),
    ...(classes === undefined ? [] : [`${formatCount(classes)} classes`]),
    ...(epochs.length === 0 ? [] : [epochsText(run, epochs.length)]),
    ...(skipped.length === 0 ? [] : [`${formatCount(skipped.length)} files left out`]),
    ...(device === undefined ? [] : [`on ${device}`]),
    ...(started === undefined ? [] : [`begun on ${timeText(started)}`]),
    ...(version === undefined ? [] : [`with Fovea ${version}`]),
  ];
  const text = clauses.join("; ");
  return text === "" ? "" : `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function epochsText({ epochs }: ReportRun, done: number): string {
  const word = done === 1 && (epochs ?? 1) === 1 ? "epoch" : "epochs";
  return epochs === undefined || epochs === done
    ? `${done} ${word}`
    : `${done} of ${epochs} ${word}`;
}

/** `a, b and c`. */
function listed(texts: readonly string[]): string {
  const start = texts.slice(0, -1).join(", ");
  return [start, ...texts.slice(-1)].filter((text) => text !== "").join(" and ");
}

/** `2026-01-31 12:00 UTC` of an ISO time; any other text as it is. */
export function timeText(iso: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:[\d.]+)?Z$/.exec(iso);
  return match ? `${match[1]} ${match[2]} UTC` : iso;
}

function tilesOf(data: ReportData): Html[] {
  const { run = {}, epochs = [] } = data, { best, test } = run, validation = best?.validation;
  const tiles: (Html | undefined)[] = [
    tile("Test accuracy", test?.accuracy, (x) => formatPercent(x, 2)),
    tile("Test top 5", test?.top5, (x) => formatPercent(x, 2)),
    test?.accuracy === undefined ? tile("Test loss", test?.loss, formatLoss) : undefined,
    tile(
      `Best validation accuracy`,
      validation?.accuracy,
      (x) => formatPercent(x, 2),
      atEpoch(best),
    ),
    validation?.accuracy === undefined
      ? tile("Best validation loss", validation?.loss, formatLoss, atEpoch(best))
      : undefined,
    tile(
      "Always the commonest class",
      commonest(data),
      (x) => formatPercent(x, 2),
      "to compare with",
    ),
    run.seconds === undefined
      ? tile("Training time", sumOf(epochs.map((one) => one.seconds)), formatDuration)
      : tile("Time", run.seconds, formatDuration, "in all"),
    tile("Throughput", meanRate(data), formatRate, "in training"),
    tile("Waiting for pictures", meanWaiting(data), formatPercent, "of the training time"),
  ];
  return tiles.filter((one) => one !== undefined);
}

const atEpoch = (best: ReportRun["best"]): string | undefined =>
  best?.epoch === undefined ? best?.stage : `epoch ${best.epoch}`;

function tile(
  name: string,
  value: number | undefined,
  format: (value: number) => string,
  note?: string,
): Html | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return markup`
    <div>
      <dt>${name}</dt>
      <dd>${format(value)}${note && markup`<span class="more">${note}</span>`}</dd>
    </div>
  `;
}

/** Accuracy of who always says the class that is most frequent. */
function commonest({ classes = [] }: ReportData): number | undefined {
  const all = classes.reduce((n, { support }) => n + support, 0);
  return all === 0 ? undefined : Math.max(...classes.map(({ support }) => support)) / all;
}

function sumOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0);
}

/** All pictures over all seconds. */
function meanRate({ epochs = [] }: ReportData): number | undefined {
  const pictures = sumOf(
    epochs.map(({ seconds, imagesPerSecond }) =>
      seconds === undefined || imagesPerSecond === undefined ? undefined : seconds * imagesPerSecond
    ),
  );
  const seconds = sumOf(epochs.map((one) => one.seconds));
  return pictures === undefined || !seconds ? undefined : pictures / seconds;
}

/** All seconds waited over all seconds. */
function meanWaiting({ epochs = [] }: ReportData): number | undefined {
  const known = epochs.filter(({ seconds, waiting }) =>
    seconds !== undefined && waiting !== undefined
  );
  const waited = sumOf(known.map(({ seconds = 0, waiting = 0 }) => seconds * waiting));
  const seconds = sumOf(known.map((one) => one.seconds));
  return waited === undefined || !seconds ? undefined : waited / seconds;
}
