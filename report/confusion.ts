/** Which classes are taken for which: the confusion matrix, and its largest mistakes. */
import type { ReportData } from "./data.ts";
import { formatCount, formatPercent } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { measuredOn, nameOf, scrolling, section } from "./section.ts";

/** Up to so many classes the matrix stands open; more are folded away behind a small picture. */
const openUpTo = 24;
/** Above this a table is too large for a page: the small picture and the mistakes remain. */
const tableUpTo = 150;
/** Mistakes in the list. */
const listed = 12;

/** A number of pictures of one class that were said to be of another. */
interface Mistake {
  readonly truth: number;
  readonly said: number;
  readonly count: number;
  /** Of the pictures of the true class. */
  readonly share: number;
}

const sum = (row: readonly number[]): number => row.reduce((a, b) => a + b, 0);

/** The section; nothing without a matrix that fits its classes. */
export function confusion(data: ReportData): Html | undefined {
  const { confusion: rows, classes } = data;
  if (!rows || !classes || rows.length === 0) return undefined;
  const names = classes.map(({ name }) => name);
  if (rows.length !== names.length || rows.some((row) => row.length !== names.length)) {
    return undefined;
  }
  const mistakes = mistakesIn(rows), count = names.length;
  const table = count <= tableUpTo ? scrolling("Confusion matrix", matrix(rows, names)) : undefined;
  const isOpen = count <= openUpTo;
  return section(
    "confusion",
    "Confusion matrix",
    markup`<p>A row is what the pictures are, a column what the net says. The diagonal is right. The
darker a cell, the larger its share of the row (by the square root, so that rare mistakes show).${
      measuredOn(data)
    }</p>
<div class="beside">${isOpen ? table : overview(rows)}${mistakeList(mistakes, names)}</div>
${isOpen || !table ? undefined : folded(count, table)}`,
  );
}

function folded(count: number, table: Html): Html {
  return markup`<details><summary>All ${count} classes in numbers</summary>${table}</details>`;
}

/** The mistakes, the most frequent first. */
function mistakesIn(rows: readonly (readonly number[])[]): Mistake[] {
  return rows.flatMap((row, truth) => {
    const total = sum(row);
    return row.flatMap((count, said) =>
      count > 0 && said !== truth ? [{ truth, said, count, share: count / total }] : []
    );
  }).sort((a, b) => b.count - a.count);
}

function matrix(rows: readonly (readonly number[])[], names: readonly string[]): Html {
  const head = names.map((name) => markup`<th scope="col"><span><bdi>${name}</bdi></span></th>`);
  const body = rows.map((row, truth) => {
    const total = sum(row);
    const cells = row.map((count, said) => cell(count, count / total, truth === said));
    return markup`<tr><th scope="row">${nameOf(names[truth])}</th>${cells}</tr>`;
  });
  return markup`
    <table class="matrix">
      <caption>Pictures by what they are and what is said</caption>
      <thead>
        <tr><th scope="col"><span class="corner">is ↓ said →</span></th>${head}</tr>
      </thead>
      <tbody>${body}</tbody>
    </table>
  `;
}

function cell(count: number, share: number, isHit: boolean): Html {
  if (count === 0) return markup`<td></td>`;
  return markup`<td class="${isHit ? "hit" : "miss"}" style="--share:${
    shade(share)
  }">${count}</td>`;
}

function shade(share: number): string {
  return Math.sqrt(share).toFixed(2);
}

/** The matrix as a picture of one unit a cell. Cells of one shade are one path. */
function overview(rows: readonly (readonly number[])[]): Html {
  const size = rows.length, paths = new Map<string, string>();
  rows.forEach((row, y) => {
    const total = sum(row);
    row.forEach((count, x) => {
      if (count === 0) return;
      const key = `${x === y ? "hit" : "miss"} ${(Math.ceil(8 * Math.sqrt(count / total)) / 8)}`;
      paths.set(key, `${paths.get(key) ?? ""}M${x} ${y}h1v1h-1z`);
    });
  });
  const cells = [...paths].map(([key, path]) => {
    const [kind, opacity] = key.split(" ");
    return markup`
      <path class="${kind}" fill-opacity="${opacity}" d="${path}" />
    `;
  });
  return markup`
    <svg class="overview" role="img" viewBox="0 0 ${size} ${size}"
      aria-label="Confusion matrix of ${size} classes; its diagonal is what is right">
      ${cells}
      <path class="frame" d="M0 0H${size}V${size}H0z" />
    </svg>
  `;
}

function mistakeList(mistakes: readonly Mistake[], names: readonly string[]): Html {
  if (mistakes.length === 0) return markup`<p>No picture was taken for another class.</p>`;
  const rows = mistakes.slice(0, listed).map(({ truth, said, count, share }) =>
    markup`
      <tr>
        <th scope="row">${nameOf(names[truth])}</th>
        <td>${nameOf(names[said])}</td>
        <td>${formatCount(count)}</td>
        <td>${formatPercent(share)}</td>
      </tr>
    `
  );
  const table = markup`
    <table class="numbers words">
      <caption>The most frequent mistakes</caption>
      <thead>
        <tr>
          <th scope="col">is</th>
          <th scope="col">taken for</th>
          <th scope="col">pictures</th>
          <th scope="col">of its class</th>
        </tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
  return scrolling("The most frequent mistakes", table);
}
