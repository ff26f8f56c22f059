/** The metrics of a task over a source, as one replayed plan. */
import type { BuildProgress, Device, Plan } from "../core/device.ts";
import { UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { type Batch, batches, type Source } from "../data/source.ts";
import type { Net } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import { BatchMetrics, measure, type Measured } from "./batch_metrics.ts";
import { firstNaN } from "./first_nan.ts";
import { means, plus, type Task, type Totals } from "./task.ts";
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

/**
 * Examples at once in a forward pass: as many as wanted, fewer on a CPU where a batch of a deep net
 * would take long.
 *
 * @param outputs of the pass, traced for one example
 */
export function boundedBatch(
  device: Device,
  outputs: readonly Tensor[],
  wanted: number,
): number {
  // A GPU should compute while the event loop turns, and wants large batches; software ones block.
  const limit = device.kind === "wasm" ? batchBytes : Infinity;
  const one = device.estimateBytes({ outputs });
  return Math.min(wanted, Math.max(1, Math.floor(limit / one)));
}

/**
 * Traces and compiles the metrics of a task. The weights must outlive it.
 *
 * @param task traced with `pass.train` false
 * @throws {ShapeError} when the task's tensors do not fit each other
 * @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out
 */
export async function compileEvaluation(
  device: Device,
  weights: Weights<Net>,
  task: Task,
  { batchSize = standardBatch, onProgress }: EvaluationOptions = {},
): Promise<Evaluator> {
  const atOnce = boundedBatch(device, measure(task, 1).layout.tensors, batchSize);
  const compile = (measured: Measured): Promise<BatchMetrics> =>
    BatchMetrics.compile(device, weights, measured, onProgress);
  return new Evaluator(await compile(measure(task, atOnce)), weights, task, compile);
}

/** A compiled evaluation; see {@link compileEvaluation}. */
export class Evaluator implements Disposable {
  readonly #whole: BatchMetrics;
  /** For a last batch that stays short, made when the first one comes. */
  #short?: BatchMetrics;
  readonly #task: Task;
  readonly #compile: (measured: Measured) => Promise<BatchMetrics>;
  #isRunning = false;

  /** Made by {@link compileEvaluation}. */
  constructor(
    whole: BatchMetrics,
    /** What is measured; read anew by each run. */
    readonly weights: Weights<Net>,
    task: Task,
    compile: (measured: Measured) => Promise<BatchMetrics>,
  ) {
    this.#whole = whole;
    this.#task = task;
    this.#compile = compile;
  }

  /** Forward pass and metrics of a whole batch. */
  get plan(): Plan {
    return this.#whole.plan;
  }

  /** Examples a batch. */
  get batchSize(): number {
    return this.#whole.batchSize;
  }

  /**
   * Runs over a source, every example once. A short last batch is filled up with the source's
   * padding where it has some and the task counts on the device what counts; else it gets a plan of
   * its own, which is kept for the next run.
   *
   * @throws {DataError} when the task refuses an example
   * @throws {ShapeError} when a field is missing, or has another number or type of elements
   * @throws {UsageError} when the source is empty, or another run is under way
   * @throws the signal's reason, within a batch of its abort
   */
  async run(source: Source, options: RunOptions = {}): Promise<Evaluation> {
    options.signal?.throwIfAborted();
    if (this.#isRunning) {
      throw new UsageError("Cannot evaluate: another run is under way, one at a time is wanted");
    }
    this.#isRunning = true;
    try {
      return await this.#run(source, options);
    } finally {
      this.#isRunning = false;
    }
  }

  async #run(source: Source, { onProgress, signal }: RunOptions): Promise<Evaluation> {
    const turns = new Turns(signal), whole = this.#whole;
    const values = new Array<number>(whole.layout.length).fill(0);
    let examples = 0, count = 0, pending = 0, reading = Promise.resolve();
    const read = async (): Promise<void> => {
      await unlessAborted(reading, signal);
      pending = 0;
      reading = whole.take().then((sums) => sums.forEach((x, k) => values[k] += x));
      // What goes wrong is raised where it is waited for, after the next batches.
      reading.catch(() => {});
    };
    whole.clear();
    let rest: BatchMetrics | undefined;
    for await (const batch of this.#batches(source)) {
      const metrics = await this.#metricsFor(batch, source);
      metrics.run(batch.fields);
      if (metrics === whole) count++;
      else rest = metrics;
      examples += batch.valid;
      onProgress?.(examples);
      if (++pending >= batchesPerReading) await read();
      await turns.give();
    }
    await read();
    await unlessAborted(reading, signal);
    const most = whole.layout.named(values, count);
    const totals = rest ? plus(most, rest.layout.named(await rest.take(), 1)) : most;
    const { loss, ...metrics } = means(totals);
    return { size: examples, loss, metrics, totals };
  }

  #pads({ padding }: Source): boolean {
    return padding !== undefined && this.#whole.layout.countsOnDevice;
  }

  #batches(source: Source) {
    const last = this.#pads(source) ? "pad" : "short";
    return batches(source, { batchSize: this.batchSize, last });
  }

  async #metricsFor({ valid }: Batch, source: Source): Promise<BatchMetrics> {
    if (valid === this.batchSize || this.#pads(source)) return this.#whole;
    if (this.#short?.batchSize !== valid) {
      const measured = measure(this.#task, valid);
      measured.layout.checkLike(this.#whole.layout);
      this.#short?.[Symbol.dispose]();
      this.#short = undefined;
      this.#short = await this.#compile(measured);
    }
    this.#short.clear();
    return this.#short;
  }

  /**
   * What to blame when a run's loss is no number, such as `the result of conv2d at conv1`.
   *
   * @throws {DeviceError} when memory runs out: every step's result is kept
   */
  async findNaN(source: Source): Promise<string | undefined> {
    const found = await firstNaN(this.weights, this.#whole.output, this.#feeds(source, false));
    const short = this.#short;
    if (found !== undefined || !short) return found;
    return await firstNaN(this.weights, short.output, this.#feeds(source, true));
  }

  /** What is fed of the whole batches of a source, or of the short one behind them. */
  async *#feeds(source: Source, short: boolean) {
    for await (const batch of this.#batches(source)) {
      const metrics = await this.#metricsFor(batch, source);
      if ((metrics === this.#short) === short) yield metrics.feeds(batch.fields);
    }
  }

  /** Frees plans and sums. */
  [Symbol.dispose](): void {
    this.#whole[Symbol.dispose]();
    this.#short?.[Symbol.dispose]();
  }
}
