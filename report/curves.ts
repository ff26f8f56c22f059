/** The course of a training: curves, and the numbers behind them. */
import type { ReportData, ReportEpoch, ReportScores } from "./data.ts";
import { formatDuration, formatLoss, formatPercent, formatRate, orDash } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { lineChart, type Series } from "./line_chart.ts";
import { scrolling, section } from "./section.ts";

const parts = ["training", "validation", "test"] as const;

/** Loss, accuracy, learning rate and throughput over the epochs. */
export function curves(data: ReportData): Html | undefined {
  const { epochs = [], learningRate = [] } = data, marks = stageEnds(data);
  const loss = (value: number, decimals: number) =>
    Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(1) : value.toFixed(decimals);
  const percent = (value: number, decimals: number) =>
    formatPercent(value, Math.max(0, decimals - 2));
  const rate: Series = {
    ...{ name: "highest", kind: "rate" },
    points: learningRate.map((one) => [one.epoch, one.rate]),
  };
  const common = { marks, dots: true };
  const charts = [
    lineChart({
      ...{ ...common, id: "loss", title: "Loss", format: loss },
      series: seriesOf(epochs, ({ loss }) => loss),
    }),
    lineChart({
      ...{ ...common, id: "accuracy", title: "Accuracy", format: percent },
      series: seriesOf(epochs, ({ accuracy }) => accuracy),
    }),
    lineChart({
      ...{ ...common, dots: false, id: "rate", title: "Learning rate", format: rateText },
      series: [rate],
    }),
  ].filter((one) => one !== undefined);
  if (charts.length === 0) return undefined;
  return section(
    "curves",
    "Curves",
    markup`${note(data)}<div class="charts">${charts}</div>${numbersOf(epochs)}`,
  );
}

function rateText(value: number, _decimals: number): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(2));
  return Math.abs(value) < 1e-3 ? rounded.toExponential() : `${rounded}`;
}

function seriesOf(
  epochs: readonly ReportEpoch[],
  pick: (scores: ReportScores) => number | undefined,
): Series[] {
  return parts.map((kind) => ({
    ...{ name: kind, kind },
    points: epochs.map((one) => {
      const scores = one[kind];
      return [one.epoch, (scores && pick(scores)) ?? NaN] as const;
    }),
  }));
}

function stageEnds({ stages = [] }: ReportData): number[] {
  const last = stages.at(-1)?.lastEpoch;
  return stages.flatMap(({ lastEpoch }) =>
    lastEpoch === undefined || lastEpoch === last ? [] : [lastEpoch]
  );
}

/** What must be known to read the curves. */
function note(data: ReportData): Html {
  const { epochs = [] } = data, best = data.run?.best?.epoch;
  const hasValidation = epochs.some((one) => one.validation !== undefined);
  const texts = [
    "Training values are means over an epoch while the weights moved; the others are measured " +
    "at its end.",
    ...(best !== undefined && hasValidation
      ? [`The weights of epoch ${best} are kept: their validation score is the best.`]
      : []),
    ...(stageEnds(data).length > 0 ? ["A dashed upright marks the end of a stage."] : []),
  ];
  return markup`<p>${texts.join(" ")}</p>`;
}

const columns = [
  ...["epoch", "training loss", "training accuracy"],
  ...["validation loss", "validation accuracy", "validation top 5"],
  ...["time", "throughput", "waiting"],
];

function numbersOf(epochs: readonly ReportEpoch[]): Html | undefined {
  if (epochs.length === 0) return undefined;
  const rows = epochs.map((one) => {
    const { epoch, training = {}, validation = {}, seconds, imagesPerSecond, waiting } = one;
    return [
      orDash(training.loss, formatLoss),
      orDash(training.accuracy, formatPercent),
      orDash(validation.loss, formatLoss),
      orDash(validation.accuracy, formatPercent),
      orDash(validation.top5, formatPercent),
      orDash(seconds, formatDuration),
      orDash(imagesPerSecond, formatRate),
      orDash(waiting, formatPercent),
    ].reduce<Html>(
      (row, cell) => markup`${row}<td>${cell}</td>`,
      markup`<th scope="row">${epoch}</th>`,
    );
  });
  const table = markup`
    <table class="numbers">
      <caption>Every epoch in numbers</caption>
      <thead>
        <tr>${columns.map((name) => markup`<th scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>${rows.map((row) => markup`<tr>${row}</tr>`)}</tbody>
    </table>
  `;
  return markup`<details><summary>Every epoch in numbers</summary>${
    scrolling("Every epoch in numbers", table)
  }</details>`;
}
