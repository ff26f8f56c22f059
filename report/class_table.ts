/** How well each class is told: precision, recall, F1. */
import type { ReportClass, ReportData } from "./data.ts";
import { formatCount, formatPercent } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { measuredOn, nameOf, scrolling, section } from "./section.ts";

const columns = ["class", "precision", "recall", "F1", "pictures"];

/** Precision is shown with one decimal; a class without a value has a dash. */
const shares = (one: Pick<ReportClass, "precision" | "recall" | "f1">): Html[] => [
  bar(one.precision),
  bar(one.recall),
  bar(one.f1),
];

/** A class without an F1 has no pictures and was never said: it comes last. */
const lowness = ({ f1 = NaN }: ReportClass): number => Number.isFinite(f1) ? f1 : 2;

/** The section, the worst class first. */
export function classTable(data: ReportData): Html | undefined {
  const { classes = [] } = data;
  if (classes.length === 0) return undefined;
  const worst = classes.toSorted((a, b) => lowness(a) - lowness(b));
  const rows = worst.map((one) =>
    markup`<tr><th scope="row">${nameOf(one.name)}</th>${shares(one)}<td>${
      formatCount(one.support)
    }</td></tr>`
  );
  const mean = {
    precision: meanOf(classes.map((one) => one.precision)),
    recall: meanOf(classes.map((one) => one.recall)),
    f1: meanOf(classes.map((one) => one.f1)),
  };
  const all = classes.reduce((n, one) => n + one.support, 0);
  const table = markup`
    <table class="numbers named">
      <caption>By class, the lowest F1 first</caption>
      <thead>
        <tr>${columns.map((name) => markup`<th scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>${rows}</tbody>
      <tfoot>
        <tr><th scope="row">mean of classes</th>${shares(mean)}<td>${formatCount(all)}</td></tr>
      </tfoot>
    </table>
  `;
  return section(
    "classes",
    "Classes",
    markup`<p><b>Precision</b>: of the pictures that are said to be of a class, how many are.
<b>Recall</b>: of the pictures of a class, how many are said to be. <b>F1</b> is their harmonic
mean. The lowest F1 comes first.${measuredOn(data)}</p>${scrolling("By class", table)}`,
  );
}

function bar(share: number | undefined): Html {
  if (share === undefined || !Number.isFinite(share)) return markup`<td>–</td>`;
  return markup`<td class="bar" style="--share:${share.toFixed(3)}">${formatPercent(share)}</td>`;
}

/** Macro average, over the classes that have a value. */
function meanOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.flatMap((one) => one !== undefined && Number.isFinite(one) ? [one] : []);
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0) / known.length;
}
