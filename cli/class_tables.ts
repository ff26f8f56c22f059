/** A report on classes as people read it. */
import type { ClassReport, ClassScores, MeanScores } from "../train/class_report.ts";
import { formatCount, formatPercent } from "./format.ts";
import { printable } from "./printable.ts";
import { tableOf } from "./table.ts";

/** The most classes in a table, and in a matrix. */
const tableRows = 30, matrixRows = 20;
/** Mistakes that are named. */
const shownMistakes = 5;
const nameWidth = 30;

/** The lines of a report: a table of classes, confusions where they are few, the surest mistakes. */
export function classTables(report: ClassReport, nameOf: (index: number) => string): string[] {
  return [
    ...scoreTable(report),
    ...matrix(report),
    ...mistakes(report, nameOf),
  ];
}

/** A share of nothing is no number. */
const share = (fraction: number): string => Number.isNaN(fraction) ? "–" : formatPercent(fraction);

function named(name: string): string {
  const shown = printable(name);
  return shown.length <= nameWidth ? shown : `${shown.slice(0, nameWidth - 1)}…`;
}

/** Places of the classes that have examples or were predicted. */
function involved({ classes }: ClassReport): number[] {
  return classes.flatMap(({ support, predicted }, k) => support + predicted > 0 ? [k] : []);
}

function scoreTable(report: ClassReport): string[] {
  const { classes, macro, weighted } = report, all = involved(report).map((k) => classes[k]);
  const worst = all.toSorted((a, b) => a.f1 - b.f1).slice(0, tableRows);
  const shown = all.length <= tableRows ? all : worst;
  const row = (name: string, { precision, recall, f1 }: MeanScores, support: string) => [
    ...[name, share(precision), share(recall), share(f1), support],
  ];
  const of = (one: ClassScores) => row(named(one.name), one, formatCount(one.support));
  const rows = [
    ...shown.map(of),
    row("mean of classes", macro, ""),
    row("mean by pictures", weighted, formatCount(report.size)),
  ];
  const left = all.length - shown.length, untouched = classes.length - all.length;
  return [
    "",
    ...tableOf(["class", "precision", "recall", "F1", "pictures"], rows, "lrrrr"),
    ...(left > 0 ? [`the ${tableRows} classes of lowest F1, of ${formatCount(all.length)}`] : []),
    ...(untouched > 0
      ? [`classes without a picture that were never predicted: ${formatCount(untouched)}`]
      : []),
  ];
}

function matrix(report: ClassReport): string[] {
  const { classes, confusion } = report, shown = involved(report);
  if (shown.length < 2 || shown.length > matrixRows) return [];
  const head = ["truth", "", ...shown.map((_, k) => `${k + 1}`)];
  const rows = shown.map((k, place) => [
    ...[named(classes[k].name), `${place + 1}`],
    ...shown.map((c) => confusion[k][c] === 0 ? "·" : formatCount(confusion[k][c])),
  ]);
  const table = tableOf(head, rows, `lr${"r".repeat(shown.length)}`);
  return ["", "confusion: a row the truth, a column the prediction", ...table];
}

function mistakes(
  { mistakes, classes }: ClassReport,
  nameOf: (index: number) => string,
): string[] {
  const rows = mistakes.slice(0, shownMistakes).map((one) => [
    printable(nameOf(one.index)),
    named(classes[one.label].name),
    named(classes[one.predicted].name),
    formatPercent(one.confidence),
  ]);
  if (rows.length === 0) return [];
  const head = ["surest mistakes", "truth", "prediction", "sure"];
  return ["", ...tableOf(head, rows, "lllr")];
}
