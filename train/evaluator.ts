/** The metrics of a task over a source, as one replayed plan. */
import type { BuildProgress, Device, Plan } from "../core/device.ts";
import type { Program } from "../core/plan/program.ts";
import { sizeOf } from "../core/shape.ts";
import { batches, type Fields, type Source } from "../data/source.ts";
import { Pass } from "../models/pass.ts";
import type { Net } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import { Accumulator } from "./accumulator.ts";
import { firstNaN } from "./first_nan.ts";
import { feedsOf, means, MetricLayout, type Task, type Totals, type Traced } from "./task.ts";
import { Turns, unlessAborted } from "./turns.ts";

/** Results over all examples of a source. */
export interface Evaluation {
  /** Number of examples in the source. */
  readonly size: number;
  /** Mean loss. */
  readonly loss: number;
  /** Mean of each metric of the task. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Sums and counts that the means are made of. */
  readonly totals: Readonly<Record<string, Totals>>;
}

/** Options of {@link compileEvaluation}. */
export interface EvaluationOptions {
  /**
   * The most examples a batch (default 250); a deep net gets fewer, so that a batch stays short of a
   * second on a CPU.
   */
  readonly batchSize?: number;
  /** Told before each kernel is made. */
  readonly onProgress?: BuildProgress;
}

/** What {@link Evaluator.run} can be told. */
export interface RunOptions {
  /** Told the number of examples done after each batch. */
  readonly onProgress?: (examples: number) => void;
  /** Ends the run early. The event loop gets a turn every 50 ms or batch, so it can be aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Batches between two readings. The sums of twice as many are under way at most, which bounds the
 * work queued on a GPU without a stall; f32 sums of so few stay exact enough.
 */
const batchesPerReading = 4;

/**
 * Memory of a batch's values. While a CPU computes a batch, nothing else is heard; its time goes
 * with its memory, whatever the net: 5 to 8 ms a megabyte on two cores.
 */
const batchBytes = 20e6;

const standardBatch = 250;

/** The task as a program that adds up its metrics. */
interface Measured {
  readonly traced: Traced;
  readonly layout: MetricLayout;
}

function measure(task: Task, batchSize: number): Measured {
  const traced = task(new Pass({ train: false, batchSize }));
  return { traced, layout: new MetricLayout(traced) };
}

/**
 * Traces and compiles the metrics of a task. The weights must outlive it.
 *
 * @param task traced with `pass.train` false; its sums should not count the source's padding
 * @throws {ShapeError} when the task's tensors do not fit each other
 * @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out
 */
export async function compileEvaluation(
  device: Device,
  weights: Weights<Net>,
  task: Task,
  { batchSize = standardBatch, onProgress }: EvaluationOptions = {},
): Promise<Evaluator> {
  const one = device.estimateBytes({ outputs: measure(task, 1).layout.tensors });
  // A GPU should compute while the event loop turns, and wants large batches; software ones block.
  const limit = device.kind === "wasm" ? batchBytes : Infinity;
  const atOnce = Math.min(batchSize, Math.max(1, Math.floor(limit / one)));
  const { traced, layout } = measure(task, atOnce);
  using made = new DisposableStack();
  const sizes = layout.tensors.map((t) => sizeOf(t.shape));
  const accumulator = made.use(new Accumulator(device, sizes));
  const program: Program = { outputs: [], updates: [accumulator.update(layout.tensors)] };
  const plan = await device.compile(program, {
    stores: [...weights.stores, accumulator.store],
    onProgress,
  });
  made.move();
  return new Evaluator(plan, weights, atOnce, traced, layout, accumulator);
}

/** A compiled evaluation; see {@link compileEvaluation}. */
export class Evaluator implements Disposable {
  readonly #layout: MetricLayout;
  readonly #accumulator: Accumulator;
  readonly #traced: Traced;

  /** Made by {@link compileEvaluation}. */
  constructor(
    /** Forward pass and metrics. */
    readonly plan: Plan,
    /** What is measured; read anew by each run. */
    readonly weights: Weights<Net>,
    /** Examples a batch. */
    readonly batchSize: number,
    traced: Traced,
    layout: MetricLayout,
    accumulator: Accumulator,
  ) {
    this.#traced = traced;
    this.#layout = layout;
    this.#accumulator = accumulator;
  }

  /**
   * Runs over a source; a short last batch is filled up with the source's padding.
   *
   * @throws {DataError} when the task refuses an example
   * @throws {ShapeError} when a field is missing, or has another number or type of elements
   * @throws {UsageError} when the source is empty
   * @throws the signal's reason, within a batch of its abort
   */
  async run(source: Source, options: RunOptions = {}): Promise<Evaluation> {
    const { onProgress, signal } = options, turns = new Turns(signal);
    signal?.throwIfAborted();
    const values = new Array<number>(this.#layout.length).fill(0);
    let examples = 0, count = 0, pending = 0, reading = Promise.resolve();
    const read = async (): Promise<void> => {
      await unlessAborted(reading, signal);
      pending = 0;
      reading = this.#accumulator.take().then((sums) => sums.forEach((x, k) => values[k] += x));
      // What goes wrong is raised where it is waited for, after the next batches.
      reading.catch(() => {});
    };
    // A run that was cut short has left its sums.
    this.#accumulator.set([]);
    for await (const batch of this.#batches(source)) {
      this.plan.run(this.#feeds(batch.fields));
      count++;
      examples += batch.valid;
      onProgress?.(examples);
      if (++pending >= batchesPerReading) await read();
      await turns.give();
    }
    await read();
    await unlessAborted(reading, signal);
    const totals = this.#layout.named(values, count), { loss, ...metrics } = means(totals);
    return { size: examples, loss, metrics, totals };
  }

  #batches(source: Source) {
    return batches(source, { batchSize: this.batchSize, last: "pad" });
  }

  #feeds(fields: Fields) {
    const { inputs, check } = this.#traced;
    const feeds = feedsOf(this.plan, inputs, fields, "evaluate");
    check?.("evaluate", fields);
    return feeds;
  }

  /**
   * What to blame when a run's loss is no number, such as `the result of conv2d at conv1`.
   *
   * @throws {DeviceError} when memory runs out: every step's result is kept
   */
  async findNaN(source: Source): Promise<string | undefined> {
    const { outputs = {}, loss } = this.#traced;
    const output = Object.values(outputs)[0] ?? loss;
    return await firstNaN(this.weights, output, this.#allFeeds(source));
  }

  async *#allFeeds(source: Source) {
    for await (const { fields } of this.#batches(source)) yield this.#feeds(fields);
  }

  /** Frees plan and sums. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.#accumulator[Symbol.dispose]();
  }
}
