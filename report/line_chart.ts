/** Lines over epochs. */
import { chart, type Place, units } from "./chart.ts";
import { type Html, markup } from "./html.ts";
import { type Extent, ticksOf } from "./ticks.ts";

/** A point: epoch, and the value there. */
export type Point = readonly [x: number, y: number];

/** A line. Kinds differ in colour and in dashes. */
export interface Series {
  /** What it is. */
  readonly name: string;
  /** How it looks. */
  readonly kind: "training" | "validation" | "test" | "rate";
  /** In the order of their epochs; values that are no numbers interrupt the line. */
  readonly points: readonly Point[];
}

/** What {@link lineChart} draws. */
export interface LineChartOptions {
  /** Unique in the page. */
  readonly id: string;
  /** Heading. */
  readonly title: string;
  /** The lines; those without a number are left out. */
  readonly series: readonly Series[];
  /** How a value is written, given decimals that tell ticks apart. */
  readonly format: (value: number, decimals: number) => string;
  /** Epochs after which something else begins: a dashed upright. */
  readonly marks?: readonly number[];
  /** Dots at points; only where there are few. */
  readonly dots: boolean;
}

/** More points than this would be a string of beads. */
const manyPoints = 40;

const isNumber = ([, y]: Point): boolean => Number.isFinite(y);

/** A chart of lines; nothing where no line has a number. */
export function lineChart(options: LineChartOptions): Html | undefined {
  const { id, title, format, marks = [] } = options;
  const series = options.series.filter(({ points }) => points.some(isNumber));
  if (series.length === 0) return undefined;
  const points = series.flatMap((one) => one.points.filter(isNumber));
  const x = ticksOf(epochsOf(points), 5, true), y = ticksOf(extentOf(points.map((p) => p[1])), 4);
  return chart({
    ...{ id, title },
    description: series.map((one) => `${one.name}: ${story(one, format)}.`).join(" "),
    x: { title: "epoch", ticks: x, format: (value) => `${value}` },
    y: { title, ticks: y, format: (value) => format(value, y.decimals) },
    legend: markup`<ul class="legend">${series.map((one) => legendOf(one, format))}</ul>`,
    draw: (place) => [
      marks.map((epoch) => markOf(place, epoch)),
      series.map((one) => lineOf(place, one, options.dots && one.points.length <= manyPoints)),
    ],
  });
}

function extentOf(values: readonly number[]): Extent {
  return values.reduce<Extent>(
    ([a, b], v) => [Math.min(a, v), Math.max(b, v)],
    [
      ...[Infinity, -Infinity],
    ] as const,
  );
}

/** A single epoch stands in the middle. */
function epochsOf(points: readonly Point[]): Extent {
  const [first, last] = extentOf(points.map(([x]) => x));
  return first === last ? [first - 0.5, last + 0.5] : [first, last];
}

function lineOf({ x, y }: Place, { kind, points }: Series, dots: boolean): Html {
  let pen = "M";
  const path = points.map((point) => {
    if (!isNumber(point)) {
      pen = "M";
      return "";
    }
    const step = `${pen}${units(x(point[0]))} ${units(y(point[1]))}`;
    pen = "L";
    return step;
  }).join("");
  const beads = dots || points.length === 1 ? points.filter(isNumber) : [];
  return markup`
    <path class="line ${kind}" d="${path}" />${
    beads.map(([a, b]) =>
      markup`
        <circle class="dot ${kind}" cx="${units(x(a))}" cy="${units(y(b))}" r="3.5" />
      `
    )
  }
  `;
}

function markOf({ x, down }: Place, epoch: number): Html {
  return markup`
    <path class="mark" d="M${units(x(epoch))} ${down[0]}V${down[1]}" />
  `;
}

type Format = LineChartOptions["format"];

function legendOf({ name, kind, points }: Series, format: Format): Html {
  const last = points.findLast(isNumber), shown = kind === "rate" ? highest(points) : last;
  return markup`<li><svg class="key" viewBox="0 0 28 12" aria-hidden="true"><path class="line ${kind}" d="M1 6H27"/></svg>${name}${
    shown && markup` <b>${format(shown[1], 3)}</b>`
  }</li>`;
}

function highest(points: readonly Point[]): Point | undefined {
  return points.filter(isNumber).reduce<Point | undefined>(
    (best, point) => best === undefined || point[1] > best[1] ? point : best,
    undefined,
  );
}

/** A line in words. */
function story({ points }: Series, format: Format): string {
  const numbers = points.filter(isNumber), first = numbers[0], last = numbers[numbers.length - 1];
  const end = `${format(last[1], 3)} at epoch ${last[0]}`;
  return numbers.length === 1 ? end : `from ${format(first[1], 3)} at epoch ${first[0]} to ${end}`;
}
