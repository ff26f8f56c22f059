/** What a classifier gets right and wrong, as plain data: scores by class, confusions, calibration. */
import { DataError, ShapeError, UsageError } from "../core/errors.ts";
import { ignoredLabel } from "../data/source.ts";
import { type Calibration, CalibrationBins } from "./calibration.ts";
import { checkLabels } from "./labels.ts";

/** Means over classes. One without a value is left out: see {@link ClassScores}. */
export interface MeanScores {
  /** Mean precision. */
  readonly precision: number;
  /** Mean recall. */
  readonly recall: number;
  /** Mean F1. */
  readonly f1: number;
}

/**
 * How one class fares. What is a share of nothing is NaN (`null` in JSON), and never 0: precision
 * where the class was never predicted, recall where it has no example, F1 where both hold.
 */
export interface ClassScores extends MeanScores {
  /** Name of the class. */
  readonly name: string;
  /** Hits over predictions of the class. */
  readonly precision: number;
  /** Hits over examples of the class. */
  readonly recall: number;
  /** `2 · hits / (examples + predictions)`, the harmonic mean of the two. */
  readonly f1: number;
  /** Number of its examples. */
  readonly support: number;
  /** How often it was predicted. */
  readonly predicted: number;
}

/** An example whose class was not the one predicted. */
export interface Mistake {
  /** Its place among all that was added, from 0; what is ignored has a place too. */
  readonly index: number;
  /** Its class. */
  readonly label: number;
  /** The class that was predicted. */
  readonly predicted: number;
  /** Probability of the class that was predicted. */
  readonly confidence: number;
}

/** What a classifier gets right and wrong. */
export interface ClassReport {
  /** Number of examples that count. */
  readonly size: number;
  /** Share of examples whose class got the largest probability; NaN where there is none. */
  readonly accuracy: number;
  /** Share of those whose class is among the five largest, where there are more than five. */
  readonly top5?: number;
  /** Mean of −log p of the examples' classes. */
  readonly loss: number;
  /** Scores in the order of the classes. */
  readonly classes: readonly ClassScores[];
  /** Means in which each class counts alike. */
  readonly macro: MeanScores;
  /** Means in which each class counts by its examples. */
  readonly weighted: MeanScores;
  /** Numbers of examples: a row the true class, a column the predicted one. */
  readonly confusion: readonly (readonly number[])[];
  /** Whether probabilities say how often the net is right. */
  readonly calibration: Calibration;
  /** The mistakes that the net was surest of, surest first. */
  readonly mistakes: readonly Mistake[];
}

/** Options of {@link ClassTally}. */
export interface ClassTallyOptions {
  /** The most mistakes to keep (default 20). */
  readonly mistakes?: number;
}

/** What {@link ClassTally.add} is given. */
export type ScoreKind = "probabilities" | "logits";

const action = "count predictions";

/**
 * Counts predictions, batch by batch. The predicted class is that of the largest probability, of
 * equal ones the first; labels of {@link ignoredLabel} do not count.
 *
 * @example
 * ```ts
 * import { ClassTally } from "../mod.ts";
 * const tally = new ClassTally(["cat", "dog"]);
 * tally.add([0.9, 0.1, 0.2, 0.8, 0.7, 0.3], [0, 1, 1]);
 * const { accuracy, classes, confusion } = tally.report();
 * console.log(accuracy, classes[1].recall, confusion); // 0.666… 0.5 [ [ 1, 0 ], [ 1, 1 ] ]
 * ```
 */
export class ClassTally {
  readonly #confusion: Uint32Array;
  readonly #bins = new CalibrationBins();
  readonly #most: number;
  #mistakes: Mistake[] = [];
  #seen = 0;
  #inTop5 = 0;
  #loss = 0;

  /**
   * Has counted nothing.
   *
   * @param classes names, in the order of the probabilities
   * @throws {UsageError} when there is no class, or the number of mistakes is none
   */
  constructor(readonly classes: readonly string[], { mistakes = 20 }: ClassTallyOptions = {}) {
    if (classes.length === 0 || !Number.isSafeInteger(mistakes) || mistakes < 0) {
      throw new UsageError(
        `Cannot ${action}: of ${classes.length} classes ${mistakes} mistakes are to be kept, ` +
          "1 class or more and a whole number from 0 are wanted",
      );
    }
    this.#most = mistakes;
    this.#confusion = new Uint32Array(classes.length ** 2);
  }

  /** Number of examples added so far, ignored ones too. */
  get seen(): number {
    return this.#seen;
  }

  /**
   * Counts a batch, or none of it where something is wrong with it.
   *
   * @param scores `[n,classes]`, a row an example
   * @param labels `[n]`, classes or {@link ignoredLabel}
   * @param kind what the scores are (default `probabilities`); of logits, the softmax is taken
   * @throws {ShapeError} when there are not as many scores as labels times classes
   * @throws {DataError} when a label is no class, or a score of one that counts no number, or no
   *   probability
   */
  add(
    scores: ArrayLike<number>,
    labels: ArrayLike<number>,
    kind: ScoreKind = "probabilities",
  ): void {
    const { length } = this.classes, n = labels.length;
    if (scores.length !== n * length) {
      throw new ShapeError(
        `Cannot ${action}: ${scores.length} scores for ${n} labels of ${length} classes, ` +
          `${n * length} are wanted`,
      );
    }
    const own = Int32Array.from(labels), row = new Float64Array(length);
    checkLabels(action, own, length);
    this.#checkScores(scores, own, kind);
    for (let k = 0; k < n; k++) {
      const index = this.#seen++, label = own[k];
      if (label === ignoredLabel) continue;
      for (let c = 0; c < length; c++) row[c] = scores[k * length + c];
      if (kind === "logits") softmax(row);
      this.#count(row, label, index);
    }
    this.#trim(this.#most);
  }

  #checkScores(scores: ArrayLike<number>, labels: ArrayLike<number>, kind: ScoreKind): void {
    const { length } = this.classes, isLogits = kind === "logits";
    // A softmax in f32 may exceed 1 by a rounding.
    const isGood = isLogits ? Number.isFinite : (p: number) => p >= 0 && p <= 1 + 1e-4;
    for (let at = 0; at < scores.length; at++) {
      const k = Math.floor(at / length);
      if (labels[k] === ignoredLabel || isGood(scores[at])) continue;
      throw new DataError(
        `Cannot ${action}: a score of example ${this.#seen + k} is ${scores[at]}, ` +
          `${isLogits ? "numbers" : 'probabilities from 0 to 1 (or the kind "logits")'} are wanted`,
      );
    }
  }

  #count(probabilities: Float64Array, label: number, index: number): void {
    const predicted = largest(probabilities), confidence = Math.min(1, probabilities[predicted]);
    this.#confusion[label * this.classes.length + predicted]++;
    this.#loss -= Math.log(probabilities[label]);
    if (rank(probabilities, label) < 5) this.#inTop5++;
    this.#bins.add(confidence, predicted === label);
    if (predicted === label || this.#most === 0) return;
    this.#mistakes.push({ index, label, predicted, confidence });
    if (this.#mistakes.length >= 2 * this.#most + 100) this.#trim(this.#most);
  }

  /** Keeps the surest mistakes; of equally sure ones the first. */
  #trim(most: number): void {
    this.#mistakes.sort((a, b) => b.confidence - a.confidence || a.index - b.index);
    this.#mistakes.length = Math.min(most, this.#mistakes.length);
  }

  /** What was counted so far. */
  report(): ClassReport {
    const { length } = this.classes;
    const confusion = this.classes.map((_, c) => [
      ...this.#confusion.subarray(c * length, (c + 1) * length),
    ]);
    const classes = this.classes.map((name, c) => scoresOf(name, c, confusion));
    const size = sum(classes.map(({ support }) => support));
    const hits = sum(confusion.map((row, c) => row[c]));
    return {
      size,
      accuracy: hits / size,
      ...(length > 5 ? { top5: this.#inTop5 / size } : {}),
      loss: this.#loss / size,
      classes,
      macro: meanScores(classes, () => 1),
      weighted: meanScores(classes, ({ support }) => support),
      confusion,
      calibration: this.#bins.result(),
      mistakes: [...this.#mistakes],
    };
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Logits become probabilities, in place. */
function softmax(row: Float64Array): void {
  const most = row.reduce((a, b) => Math.max(a, b));
  let total = 0;
  for (let c = 0; c < row.length; c++) total += row[c] = Math.exp(row[c] - most);
  for (let c = 0; c < row.length; c++) row[c] /= total;
}

/** Place of the largest number, of equal ones the first. */
function largest(row: Float64Array): number {
  let best = 0;
  for (let c = 1; c < row.length; c++) if (row[c] > row[best]) best = c;
  return best;
}

/** How many others are larger; of equal ones the first is taken for the larger, as by `labelRank`. */
function rank(row: Float64Array, own: number): number {
  let larger = 0;
  for (let c = 0; c < row.length; c++) {
    if (row[c] > row[own] || (row[c] === row[own] && c < own)) larger++;
  }
  return larger;
}

function scoresOf(
  name: string,
  c: number,
  confusion: readonly (readonly number[])[],
): ClassScores {
  const hits = confusion[c][c], support = sum(confusion[c]);
  const predicted = sum(confusion.map((row) => row[c]));
  return {
    name,
    precision: hits / predicted,
    recall: hits / support,
    f1: 2 * hits / (support + predicted),
    ...{ support, predicted },
  };
}

function meanScores(
  classes: readonly ClassScores[],
  weightOf: (scores: ClassScores) => number,
): MeanScores {
  const mean = (key: keyof MeanScores): number => {
    const defined = classes.filter((scores) => !Number.isNaN(scores[key]));
    const total = sum(defined.map((scores) => weightOf(scores) * scores[key]));
    return total / sum(defined.map(weightOf));
  };
  return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1") };
}
