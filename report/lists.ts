/** What was decided, what was left out, and the recipe. */
import type { Json, ReportData, ReportStage } from "./data.ts";
import { formatCount } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { fileOf, nameOf, scrolling, section } from "./section.ts";

/** Files shown of those that were left out. */
const skippedShown = 200;

/** The stages of a fine-tuning, with what was decided and why. */
export function stages({ stages: all = [] }: ReportData): Html | undefined {
  if (all.length === 0) return undefined;
  const items = all.map((stage) =>
    markup`<h3>${nameOf(stage.name)}${epochsOf(stage)}</h3>
<dl class="decisions">${
      stage.decisions.map(({ decision, reason }) =>
        markup`
          <div>
            <dt>${decision}</dt>
            <dd>${reason}</dd>
          </div>
        `
      )
    }</dl>`
  );
  return section(
    "stages",
    "What was decided, and why",
    markup`<p>What was not said was chosen by these rules; an option overrules each.</p>${items}`,
  );
}

function epochsOf({ firstEpoch, lastEpoch }: ReportStage): Html | undefined {
  if (firstEpoch === undefined) return undefined;
  const isOne = lastEpoch === undefined || lastEpoch === firstEpoch;
  return markup` <span class="more">${
    isOne ? `epoch ${firstEpoch}` : `epochs ${firstEpoch}–${lastEpoch}`
  }</span>`;
}

/** Notes on the data, and the files that were left out. */
export function skipped({ notes = [], skipped: files = [] }: ReportData): Html | undefined {
  if (notes.length === 0 && files.length === 0) return undefined;
  const count = files.length,
    rows = files.slice(0, skippedShown).map(({ name, reason }) =>
      markup`
        <tr>
          <th scope="row" class="file">${fileOf(name)}</th>
          <td>${reason}</td>
        </tr>
      `
    );
  const rest = count - rows.length;
  const table = markup`
    <table class="numbers words">
      <caption>Files that were left out</caption>
      <thead>
        <tr>
          <th scope="col">file</th>
          <th scope="col">reason</th>
        </tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>${rest > 0 ? markup`<p>… and ${formatCount(rest)} more</p>` : undefined}
  `;
  return section(
    "data",
    "Notes on the data",
    markup`${
      notes.length === 0
        ? undefined
        : markup`<ul class="notes">${notes.map((note) => markup`<li>${nameOf(note)}</li>`)}</ul>`
    }${
      count === 0
        ? undefined
        : markup`<p>${formatCount(count)} ${count === 1 ? "file was" : "files were"} left out.</p>${
          scrolling("Files that were left out", table)
        }`
    }`,
  );
}

/** The recipe, a line for each number in it. */
export function settings({ settings: all }: ReportData): Html | undefined {
  const rows = all === undefined ? [] : flat(all);
  if (rows.length === 0) return undefined;
  const table = markup`
    <table class="numbers words">
      <caption>The recipe</caption>
      <thead>
        <tr>
          <th scope="col">setting</th>
          <th scope="col">value</th>
        </tr>
      </thead>
      <tbody>${
    rows.map(([key, value]) =>
      markup`
          <tr>
            <th scope="row">${nameOf(key)}</th>
            <td class="file">${nameOf(value)}</td>
          </tr>
        `
    )
  }</tbody>
    </table>
  `;
  return section("settings", "Settings", scrolling("The recipe", table));
}

/**
 * Settings as lines: `preparation.height` and `32`. Lists of plain values stay on a line; objects
 * in lists are numbered from 1.
 */
export function flat(value: Json, path = ""): [key: string, value: string][] {
  if (typeof value !== "object" || value === null) return [[path, `${value}`]];
  const below = (key: string) => path === "" ? key : `${path}.${key}`;
  if (value instanceof Array) {
    const isPlain = value.every((one) => typeof one !== "object" || one === null);
    if (isPlain) return [[path, value.length === 0 ? "none" : value.join(", ")]];
    return value.flatMap((one: Json, k) => flat(one, below(`${k + 1}`)));
  }
  return Object.entries(value).flatMap(([key, one]) => flat(one as Json, below(key)));
}
