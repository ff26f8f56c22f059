/**
 * A task: one traced function for training, evaluation and prediction alike. The step, micro-batches,
 * clipping, statistics, schedules, replay and resume know no task; a task knows none of them.
 */
import type { Elements, Plan } from "../core/device.ts";
import { ShapeError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { sameShape, show, sizeOf } from "../core/shape.ts";
import type { Fields } from "../data/source.ts";
import type { Pass } from "../models/pass.ts";

/** A metric as a sum over what it counts: the mean is one over the other. */
export interface Sum {
  /** Sum over this batch, of any shape: one number a class, say. */
  readonly total: Tensor;
  /**
   * How much it is a sum of: a number that is the same for every batch of `pass.batchSize`
   * examples, or what the batch says, of the total's shape.
   */
  readonly count: number | Tensor;
}

/** What a task makes of a pass. */
export interface Traced {
  /** What it is fed, by the names of the source's fields; the first axis is the batch. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** What training makes small: a scalar, the mean over the batch. */
  readonly loss: Tensor;
  /**
   * Metrics by name. One called `loss` stands for what is reported as the loss; without it that is
   * the mean of the batches' losses, each by the number of its examples.
   */
  readonly sums?: Readonly<Record<string, Sum>>;
  /** Results by name, for prediction. */
  readonly outputs?: Readonly<Record<string, Tensor>>;
  /**
   * Asked on the host before the device is given a batch.
   *
   * @param action what cannot be done with it, such as `take step 7`
   * @throws {DataError} for what no kernel could refuse, such as a label that is no class
   */
  check?(action: string, fields: Fields): void;
}

/** Traces inputs, loss and metrics for a batch of `pass.batchSize` examples. */
export type Task = (pass: Pass) => Traced;

/** Traces results for a batch, from the inputs that they need. */
export type PredictionTask = (pass: Pass) => Required<Pick<Traced, "inputs" | "outputs">>;

/**
 * What a plan is fed of a batch: inputs that nothing depends on are left out.
 *
 * @throws {ShapeError} when a field is missing
 */
export function feedsOf(
  plan: Plan,
  inputs: Traced["inputs"],
  fields: Fields,
  action: string,
): (readonly [Tensor, Elements])[] {
  const needed = Object.entries(inputs).filter(([, t]) => plan.inputs.includes(t));
  const missing = needed.find(([name]) => !Object.hasOwn(fields, name));
  if (missing) {
    const found = Object.keys(fields).join(", ") || "nothing";
    throw new ShapeError(`Cannot ${action}: the batch has ${found}, ${missing[0]} is wanted`);
  }
  return needed.map(([name, t]) => [t, fields[name]]);
}

/** Totals of one metric, read from the device. */
export interface Totals {
  /** Sums, one number for each element of {@link Sum.total}. */
  readonly total: Float64Array;
  /** What they are sums of; as many numbers, or one for all. */
  readonly count: Float64Array;
}

/** A metric as it lies among the numbers that leave the device. */
interface Slot {
  readonly name: string;
  /** Where its totals begin, and how many there are. */
  readonly at: number;
  readonly size: number;
  /** What a total on the device is multiplied by. */
  readonly scale: number;
  /** Where its counts begin, or what the host counts for each batch. */
  readonly counts: { readonly at: number } | { readonly perBatch: number };
}

/** Which numbers a traced task adds up on the device, and what they mean. */
export class MetricLayout {
  readonly #slots: readonly Slot[];
  #length = 0;
  /** The tensors whose elements are added up, batch by batch: each once, whatever it is used for. */
  readonly tensors: readonly Tensor[];
  /**
   * True where every count is the batch's own: examples that do not count may then stand in it,
   * such as a source's padding.
   */
  readonly countsOnDevice: boolean;

  /**
   * @param batchSize examples that it was traced for
   * @throws {ShapeError} when a count has another shape than its total
   */
  constructor({ loss, sums = {} }: Traced, batchSize: number) {
    const all: readonly [string, Sum & { readonly scale?: number }][] = Object.entries({
      // The loss is a mean: what it is a mean of is counted, so that a shorter batch counts less.
      loss: { total: loss, count: batchSize, scale: batchSize },
      ...sums,
    });
    const places = new Map<Tensor, number>();
    const place = (t: Tensor): number => {
      const known = places.get(t);
      if (known !== undefined) return known;
      const at = this.#length;
      places.set(t, at);
      this.#length += sizeOf(t.shape);
      return at;
    };
    this.#slots = all.map(([name, { total, count, scale = 1 }]) => {
      checkCount(name, total, count);
      const counts = typeof count === "number" ? { perBatch: count } : { at: place(count) };
      return { name, at: place(total), size: sizeOf(total.shape), scale, counts };
    });
    this.countsOnDevice = this.#slots.every(({ counts }) => "at" in counts);
    this.tensors = [...places.keys()];
  }

  /**
   * Asks that sums of this layout can be added to those of another one.
   *
   * @throws {ShapeError} when a metric has another shape
   */
  checkLike(other: MetricLayout): void {
    const [ours, theirs] = [this, other].map(({ tensors }) => tensors.map((t) => show(t.shape)));
    const k = ours.findIndex((shape, at) => shape !== theirs[at]);
    if (k < 0) return;
    throw new ShapeError(
      `Cannot sum metrics over batches of two sizes: one is ${theirs[k]} and ${ours[k]}, ` +
        "a shape without the batch is wanted",
    );
  }

  /** How many numbers there are. */
  get length(): number {
    return this.#length;
  }

  /**
   * Totals by name.
   *
   * @param values the numbers, in the order of {@link tensors}
   * @param batches how many batches they are sums over
   */
  named(values: readonly number[], batches: number): Readonly<Record<string, Totals>> {
    const take = (at: number, size: number): Float64Array =>
      Float64Array.from({ length: size }, (_, k) => values[at + k] ?? 0);
    return Object.fromEntries(
      this.#slots.map(({ name, at, size, scale, counts }) => {
        const total = take(at, size).map((sum) => sum * scale);
        const count = "at" in counts
          ? take(counts.at, size)
          : Float64Array.of(counts.perBatch * batches);
        return [name, { total, count }];
      }),
    );
  }
}

function checkCount(name: string, total: Tensor, count: number | Tensor): void {
  if (typeof count === "number" || sameShape(count.shape, total.shape)) return;
  throw new ShapeError(
    `Cannot sum the metric ${name}: its total ${show(total.shape)} has the count ` +
      `${show(count.shape)}, the same shape is wanted`,
  );
}

/** Whether a metric is made of numbers. One that counted nothing is, though it has no mean. */
export function isFiniteTotal({ total, count }: Totals): boolean {
  return total.every(Number.isFinite) && count.every(Number.isFinite);
}

/** Totals over both of two sets of examples, by the same names. */
export function plus(
  a: Readonly<Record<string, Totals>>,
  b: Readonly<Record<string, Totals>>,
): Readonly<Record<string, Totals>> {
  const sum = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, k) => value + y[k]);
  return Object.fromEntries(
    Object.entries(a).map(([name, { total, count }]) => [name, {
      total: sum(total, b[name].total),
      count: sum(count, b[name].count),
    }]),
  );
}

/**
 * The mean of each metric: sum over count, and over its elements where it has several (those that
 * counted nothing left out).
 */
export function means(
  totals: Readonly<Record<string, Totals>>,
): Readonly<Record<string, number>> {
  const mean = ({ total, count }: Totals): number => {
    const shares = Array.from(total, (sum, k) => sum / (count[k] ?? count[0]))
      .filter((_, k) => (count[k] ?? count[0]) !== 0);
    return shares.length === 0 ? NaN : shares.reduce((a, b) => a + b) / shares.length;
  };
  return Object.fromEntries(Object.entries(totals).map(([name, t]) => [name, mean(t)]));
}
