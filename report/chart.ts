/** The frame of every chart: axes, grid, titles. Text is 16 px at the width of a phone. */
import { type Html, markup, type Part } from "./html.ts";
import { type Extent, scale, type Ticks } from "./ticks.ts";

/** Size of a chart in its own units: what a phone of 390 px leaves between the margins. */
const width = 340, height = 250;
/** Room for the axes. */
const left = 66, right = 26, top = 14, bottom = 52;

/** An axis. */
export interface Axis {
  /** What it shows. */
  readonly title: string;
  /** Where it is marked. */
  readonly ticks: Ticks;
  /** How a tick is written. */
  readonly format: (x: number) => string;
}

/** Where things stand in a chart. */
export interface Place {
  /** From a number of the lower axis to units from the left. */
  readonly x: (value: number) => number;
  /** From a number of the side axis to units from the top. */
  readonly y: (value: number) => number;
  /** Units from the left: where the axes' area begins and ends. */
  readonly across: Extent;
  /** Units from the top. */
  readonly down: Extent;
}

/** A chart. */
export interface ChartOptions {
  /** Unique in the page; letters, digits and dashes. */
  readonly id: string;
  /** Heading. */
  readonly title: string;
  /** What it shows, for those who do not see it. */
  readonly description: string;
  /** Below. */
  readonly x: Axis;
  /** At the left. */
  readonly y: Axis;
  /** What the lines and areas are. */
  readonly legend?: Part;
  /** What is drawn. */
  readonly draw: (place: Place) => Part;
}

/** A number in an SVG: a tenth of a unit is finer than a screen. */
export function units(x: number): string {
  return `${Math.round(x * 10) / 10}`;
}

/** A figure with a heading, a legend and a chart. */
export function chart(options: ChartOptions): Html {
  const { id, title, description, x, y, legend, draw } = options;
  const across: Extent = [left, width - right], down: Extent = [top, height - bottom];
  const place: Place = {
    x: scale(x.ticks.extent, across),
    y: scale(y.ticks.extent, [down[1], down[0]]),
    ...{ across, down },
  };
  return markup`
    <figure class="chart">
      <figcaption><h3>${title}</h3>${legend}</figcaption>
      <svg role="img" viewBox="0 0 ${width} ${height}"
        aria-labelledby="${id}-title ${id}-text">
    <title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>
    ${y.ticks.at.map((value) => rowOf(place, value, y.format(value)))}
    ${x.ticks.at.map((value) => columnOf(place, value, x.format(value)))}
    <text class="axis" x="${units((across[0] + across[1]) / 2)}" y="${
    height -
    8
  }" text-anchor="middle">${x.title}</text>
    ${draw(place)}
      </svg>
    </figure>
  `;
}

function rowOf({ y, across }: Place, value: number, text: string): Html {
  const at = units(y(value));
  return markup`
    <path class="grid" d="M${across[0]} ${at}H${across[1]}" />
    <text x="${across[0] - 8}" y="${at}" dy=".35em" text-anchor="end">${text}</text>
  `;
}

function columnOf({ x, down }: Place, value: number, text: string): Html {
  const at = units(x(value));
  return markup`
    <path class="grid" d="M${at} ${down[1]}v4" />
    <text x="${at}" y="${down[1] + 20}" text-anchor="middle">${text}</text>
  `;
}
