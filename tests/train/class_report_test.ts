/** Reports on classes: scikit-learn's, laws of counting, and what is refused. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { ignoredLabel } from "../../data/source.ts";
import { type ClassReport, type ClassScores, ClassTally } from "../../train/class_report.ts";
import { assertClose } from "../assert.ts";

type Numbers = readonly (number | null)[];
interface Scores<T> {
  readonly precision: T;
  readonly recall: T;
  readonly f1: T;
  readonly support: T;
}
interface Expected {
  readonly classes: number;
  readonly logits: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly accuracy: number;
  readonly top5: number | null;
  readonly loss: number;
  readonly scores: Scores<Numbers>;
  readonly macro: Scores<number | null>;
  readonly weighted: Scores<number | null>;
  readonly confusion: readonly (readonly number[])[];
  readonly calibration: { readonly error: number; readonly counts: readonly number[] };
}

const fixture = new URL("../fixtures/class_report/expected.json", import.meta.url);
const expected: Record<string, Expected> = JSON.parse(await Deno.readTextFile(fixture));

const names = (n: number): string[] => Array.from({ length: n }, (_, k) => `class ${k}`);
const orNaN = (values: Numbers): number[] => values.map((value) => value ?? NaN);
const keys = ["precision", "recall", "f1", "support"] as const;

function reportOf(rows: readonly (readonly number[])[], labels: readonly number[]): ClassReport {
  const tally = new ClassTally(names(rows[0].length));
  tally.add(rows.flat(), labels, "logits");
  return tally.report();
}

for (const [name, want] of Object.entries(expected)) {
  Deno.test(`class report: ${name}, as scikit-learn has it`, () => {
    const found = reportOf(want.logits, want.labels), atol = 1e-12;
    const column = (key: keyof ClassScores): number[] =>
      found.classes.map((scores) => Number(scores[key]));
    for (const key of keys) {
      assertClose(column(key), orNaN(want.scores[key]), { atol, what: key });
      if (key === "support") continue;
      assertClose([found.macro[key]], orNaN([want.macro[key]]), { atol, what: `macro ${key}` });
      const weighted = orNaN([want.weighted[key]]);
      assertClose([found.weighted[key]], weighted, { atol, what: `weighted ${key}` });
    }
    const { accuracy, top5 = null, loss, calibration, confusion } = found;
    assertClose([accuracy, loss, calibration.error], [
      ...[want.accuracy, want.loss, want.calibration.error],
    ], { atol });
    assert.equal(top5, want.top5);
    assert.deepEqual(confusion, want.confusion);
    assert.deepEqual(calibration.bins.map(({ count }) => count), want.calibration.counts);
  });
}

/** Logits in steps of an eighth, so that equal ones come up, with labels that may be ignored. */
const examples = fc.integer({ min: 1, max: 8 }).chain((classes) =>
  fc.record({
    classes: fc.constant(classes),
    rows: fc.array(
      fc.record({
        logits: fc.array(fc.integer({ min: -24, max: 24 }).map((x) => x / 8), {
          ...{ minLength: classes, maxLength: classes },
        }),
        label: fc.oneof(
          { arbitrary: fc.integer({ min: 0, max: classes - 1 }), weight: 5 },
          { arbitrary: fc.constant(ignoredLabel), weight: 1 },
        ),
      }),
      { maxLength: 40 },
    ),
  })
);

Deno.test("class report: batches of any size give one report", () => {
  fc.assert(fc.property(examples, fc.integer({ min: 1, max: 9 }), ({ classes, rows }, size) => {
    const whole = new ClassTally(names(classes)), parts = new ClassTally(names(classes));
    const add = (tally: ClassTally, from: typeof rows): void =>
      tally.add(from.flatMap(({ logits }) => logits), from.map(({ label }) => label), "logits");
    add(whole, rows);
    for (let at = 0; at < rows.length; at += size) add(parts, rows.slice(at, at + size));
    assert.equal(parts.seen, rows.length);
    assert.deepEqual(parts.report(), whole.report());
  }));
});

Deno.test("class report: hits and misses add up, whatever the predictions", () => {
  fc.assert(fc.property(examples, ({ classes: count, rows }) => {
    const tally = new ClassTally(names(count), { mistakes: rows.length });
    tally.add(rows.flatMap(({ logits }) => logits), rows.map(({ label }) => label), "logits");
    const { size, accuracy, confusion, classes, calibration, mistakes, top5, weighted } = tally
      .report();
    const counted = rows.filter(({ label }) => label !== ignoredLabel);
    assert.equal(size, counted.length);
    for (const key of ["support", "predicted"] as const) {
      assert.equal(classes.reduce((sum, scores) => sum + scores[key], 0), size);
    }
    confusion.forEach((row, label) => {
      const own = rows.filter((one) => one.label === label);
      assert.equal(row.reduce((a, b) => a + b), own.length);
    });
    if (size === 0) return assert(Number.isNaN(accuracy) && Number.isNaN(calibration.error));
    // A weighted mean of recalls is the accuracy: hits of each class over all examples.
    assertClose([weighted.recall], [accuracy], { atol: 1e-12 });
    assert.equal(mistakes.length, Math.round(size * (1 - accuracy)));
    for (const [k, { index, label, predicted, confidence }] of mistakes.entries()) {
      const { logits, label: own } = rows[index], most = Math.max(...logits);
      assert.deepEqual([label, predicted], [own, logits.indexOf(most)]);
      assert(label !== predicted && confidence <= (mistakes[k - 1]?.confidence ?? 1));
    }
    assert(calibration.error >= 0 && calibration.error <= 1);
    assert.equal(calibration.bins.reduce((sum, { count }) => sum + count, 0), size);
    assert.equal(top5 === undefined, count <= 5);
    assert((top5 ?? 1) >= accuracy);
  }));
});

Deno.test("class report: names of classes in another order change the order alone", () => {
  fc.assert(fc.property(examples, ({ classes: count, rows }) => {
    const turned = (c: number): number => (c + 1) % count;
    const plain = new ClassTally(names(count)), other = new ClassTally(names(count));
    for (const { logits, label } of rows) {
      // Of equal ones the first counts: another order may have another first.
      if (new Set(logits).size < count) continue;
      const moved = logits.map((_, c) => logits[(c + count - 1) % count]);
      plain.add(logits, [label], "logits");
      other.add(moved, [label === ignoredLabel ? label : turned(label)], "logits");
    }
    const [a, b] = [plain, other].map((tally) => tally.report());
    for (let c = 0; c < count; c++) {
      const { name: _, ...scores } = a.classes[c], { name: __, ...same } = b.classes[turned(c)];
      assert.deepEqual(scores, same);
    }
    assertClose([a.calibration.error], [b.calibration.error], { atol: 1e-12 });
  }));
});

Deno.test("class report: logits and their softmax are one report", () => {
  const logits = [[2, 0, -1], [0.5, 0.25, 3], [-4, 1, 1]], labels = [0, 1, 2];
  const probabilities = logits.map((row) => {
    const all = row.map(Math.exp), total = all.reduce((a, b) => a + b);
    return all.map((e) => e / total);
  });
  const tally = new ClassTally(names(3));
  tally.add(Float32Array.from(probabilities.flat()), labels);
  const found = tally.report(), want = reportOf(logits, labels);
  assert.deepEqual(found.confusion, want.confusion);
  assertClose([found.loss, found.calibration.error], [want.loss, want.calibration.error], {
    atol: 1e-6,
  });
});

Deno.test("class report: a net that is sure and right is calibrated, a sure and wrong one is not", () => {
  const sure = (labels: readonly number[]): number => {
    const tally = new ClassTally(["a", "b"]);
    tally.add([1, 0, 1, 0, 1, 0, 1, 0], labels);
    return tally.report().calibration.error;
  };
  assert.equal(sure([0, 0, 0, 0]), 0);
  assert.equal(sure([1, 1, 1, 1]), 1);
  assert.equal(sure([0, 0, 0, 1]), 0.25);
});

Deno.test("class report: the surest mistakes are kept, however many come", () => {
  const tally = new ClassTally(["a", "b"], { mistakes: 3 }), n = 1000;
  for (let k = 0; k < n; k++) {
    const p = 0.5 + ((k * 617) % n) / (2 * n);
    tally.add([p, 1 - p], [1]);
  }
  const { mistakes } = tally.report();
  assertClose(mistakes.map(({ confidence }) => confidence), [0.9995, 0.999, 0.9985], {
    atol: 1e-9,
  });
  for (const { index, confidence } of mistakes) {
    assertClose([confidence], [0.5 + ((index * 617) % n) / (2 * n)], { atol: 1e-9 });
  }
});

Deno.test("class report: what is wrong with a batch is told, and nothing of it is counted", () => {
  const tally = new ClassTally(["a", "b"]);
  tally.add([0.5, 0.5], [0]);
  const refused: [number[], number[], string, RegExp][] = [
    [[1, 0, 0], [0], "ShapeError", /3 scores for 1 labels of 2 classes, 2 are wanted/],
    [[1, 0, 1, 0], [0, 2], "DataError", /the label of image 1 is 2, 0 to 1 is wanted/],
    [[1, 0, NaN, 0], [0, 1], "DataError", /a score of example 2 is NaN/],
    [[1, 0, -3, 0], [0, 1], "DataError", /is -3, probabilities .* \(or the kind "logits"\)/],
  ];
  for (const [scores, labels, name, message] of refused) {
    assert.throws(() => tally.add(scores, labels), { name, message });
  }
  assert.throws(() => tally.add([Infinity, 0], [0], "logits"), /is Infinity, numbers are wanted/);
  tally.add([NaN, NaN], [ignoredLabel]);
  assert.deepEqual([tally.seen, tally.report().size], [2, 1]);
  assert.throws(() => new ClassTally([]), { name: "UsageError" });
  assert.throws(() => new ClassTally(["a"], { mistakes: -1 }), { name: "UsageError" });
});
