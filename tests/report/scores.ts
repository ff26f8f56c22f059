/** Classes, confusions and calibration by their definitions. */
import type { ReportData } from "../../report/data.ts";

const bins = 10;

/** What a report shows of predictions: probabilities by class of each picture, and its class. */
export function measured(
  probabilities: readonly (readonly number[])[],
  truths: readonly number[],
  names: readonly string[],
): Pick<ReportData, "confusion" | "classes" | "calibration"> {
  const said = probabilities.map((p) => p.indexOf(Math.max(...p)));
  const confusion = names.map(() => names.map(() => 0));
  truths.forEach((truth, k) => confusion[truth][said[k]]++);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const share = (a: number, b: number) => b > 0 ? { value: a / b } : {};
  const classes = names.map((name, k) => {
    const hits = confusion[k][k], support = sum(confusion[k]);
    const claimed = sum(confusion.map((row) => row[k]));
    return {
      ...{ name, support },
      precision: share(hits, claimed).value,
      recall: share(hits, support).value,
      f1: share(2 * hits, claimed + support).value,
    };
  });
  const confidences = probabilities.map((p) => Math.max(...p));
  const binned = Array.from({ length: bins }, (_, b) => {
    const of = [...confidences.keys()].filter((k) =>
      Math.min(bins - 1, Math.floor(confidences[k] * bins)) === b
    );
    return {
      ...{ from: b / bins, to: (b + 1) / bins, count: of.length },
      confidence: share(sum(of.map((k) => confidences[k])), of.length).value,
      accuracy: share(of.filter((k) => said[k] === truths[k]).length, of.length).value,
    };
  });
  const error = sum(
    binned.map(({ count, confidence = 0, accuracy = 0 }) =>
      count * Math.abs(confidence - accuracy)
    ),
  ) / truths.length;
  return { confusion, classes, calibration: { error, bins: binned } };
}
