/** Whether the net is right as often as it says it is: the reliability diagram. */
import { chart, type Place, units } from "./chart.ts";
import type { ReportBin, ReportCalibration, ReportData } from "./data.ts";
import { formatCount, formatPercent, orDash } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { measuredOn, scrolling, section } from "./section.ts";
import { ticksOf } from "./ticks.ts";

/**
 * The section: for each range of confidence, how often it is right, against the line on which both
 * are equal.
 *
 * @source Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599
 */
export function calibration(data: ReportData): Html | undefined {
  const { calibration: found } = data;
  if (!found || found.bins.every(({ count }) => count === 0)) return undefined;
  const shares = { ticks: ticksOf([0, 1], 5), format: (x: number) => formatPercent(x, 0) };
  const diagram = chart({
    id: "reliability",
    title: "Reliability",
    description: found.bins.filter(({ count }) => count > 0).map(inWords).join(" "),
    x: { ...shares, title: "confidence" },
    y: { ...shares, title: "right" },
    legend: markup`
      <ul class="legend">
        <li>${key("bar-area", "M1 2H27V10H1z")}right</li>
        <li>${key("confidence", "M1 6H27")}mean confidence</li>
        <li>${key("mark", "M1 11L27 1")}both equal</li>
      </ul>
    `,
    draw: (place) => [found.bins.map((bin) => binOf(place, bin)), diagonal(place)],
  });
  return section(
    "calibration",
    "Calibration",
    markup`
      <p>${verdict(found)}${measuredOn(data)}</p>
      <div class="charts two">${diagram}${numbersOf(found)}</div>
    `,
  );
}

const inWords = ({ from, to, count, accuracy }: ReportBin): string =>
  `Confidence ${range(from, to)}: ${orDash(accuracy, formatPercent)} of ${count} right.`;

const range = (from: number, to: number): string =>
  `${Math.round(100 * from)}–${formatPercent(to, 0)}`;

function key(kind: string, path: string): Html {
  return markup`
    <svg class="key" viewBox="0 0 28 12" aria-hidden="true">
      <path class="${kind}" d="${path}" />
    </svg>
  `;
}

function binOf({ x, y, down }: Place, { from, to, count, accuracy, confidence }: ReportBin): Html {
  if (count === 0 || accuracy === undefined) return markup``;
  const left = x(from) + 1, right = x(to) - 1;
  const at = confidence === undefined ? undefined : units(y(confidence));
  return markup`
    <rect class="bar-area" x="${units(left)}" y="${units(y(accuracy))}" width="${
    units(
      right - left,
    )
  }"
      height="${units(down[1] - y(accuracy))}" />${
    at && markup`
        <path class="confidence" d="M${units(left)} ${at}H${units(right)}" />
      `
  }
  `;
}

function diagonal({ across: [left, right], down: [top, bottom] }: Place): Html {
  return markup`
    <path class="mark" d="M${left} ${bottom}L${right} ${top}" />
  `;
}

/** Differences of less than a point either way are chance. */
const notable = 0.01;

function verdict({ error, bins }: ReportCalibration): string {
  const seen = bins.filter(({ count }) => count > 0);
  const total = seen.reduce((n, { count }) => n + count, 0);
  const excess = seen.reduce(
    (s, { count, confidence = 0, accuracy = 0 }) => s + count * (confidence - accuracy),
    0,
  ) / total;
  const tendency = Math.abs(excess) < notable
    ? "On the whole it is as sure as it is right."
    : excess > 0
    ? `It is overconfident: by ${pointsOf(excess)} surer than it is right.`
    : `It is underconfident: by ${pointsOf(-excess)} less sure than it is right.`;
  if (error === undefined || !Number.isFinite(error)) return tendency;
  return `The expected calibration error is ${pointsOf(error)}: that far, on average, confidence ` +
    `is from the share that is right. ${tendency}`;
}

const pointsOf = (share: number): string => `${(100 * share).toFixed(1)} points`;

function numbersOf({ bins }: ReportCalibration): Html {
  const rows = bins.filter(({ count }) => count > 0).map((bin) =>
    markup`
      <tr>
        <th scope="row">${range(bin.from, bin.to)}</th>
        <td>${orDash(bin.accuracy, formatPercent)}</td>
        <td>${orDash(bin.confidence, formatPercent)}</td>
        <td>${formatCount(bin.count)}</td>
      </tr>
    `
  );
  const table = markup`
    <table class="numbers">
      <caption>Reliability in numbers</caption>
      <thead>
        <tr>
          <th scope="col">confidence</th>
          <th scope="col">right</th>
          <th scope="col">mean</th>
          <th scope="col">pictures</th>
        </tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
  return scrolling("Reliability in numbers", table);
}
