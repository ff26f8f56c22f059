/**
 * One training step as one plan: forward, loss, backward, update and metrics, replayed. A batch too
 * large for memory is cut: then one plan sums gradients, and another makes the update.
 */
import type { BuildProgress, Device, Elements, Plan } from "../core/device.ts";
import { ShapeError, UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/program.ts";
import { show, sizeOf } from "../core/shape.ts";
import type { Store } from "../core/store.ts";
import type { Fields } from "../data/source.ts";
import { Pass } from "../models/pass.ts";
import type { Net } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import { Accumulator } from "./accumulator.ts";
import type { Optimizer } from "./optimizer.ts";
import {
  blockGradients,
  clearSums,
  gradientSums,
  statisticUpdates,
  weightUpdates,
} from "./step_updates.ts";
import { feedsOf, means, MetricLayout, type Task, type Totals, type Traced } from "./task.ts";

/** What a step is built for. */
export interface StepOptions {
  /** Examples a step. */
  readonly batchSize: number;
  /**
   * Examples at once; gradients are summed over the batch (default: all of the batch), all
   * micro-batches counting alike: also those with examples that are ignored.
   */
  readonly microBatch?: number;
  /** Scales gradients down so that the norm over all weights stays below this (default: never). */
  readonly clipNorm?: number;
  /** Seed of what layers draw at random, such as dropout (default 0). */
  readonly seed?: number;
  /** Told before each kernel is made. */
  readonly onProgress?: BuildProgress;
  /** Plan without fusion or reuse, so that a NaN can be traced. */
  readonly debug?: boolean;
}

/** Totals over the steps since the last reading or start. */
export interface StepSums {
  /** Number of steps. */
  readonly steps: number;
  /** Sums in the order of the step's metrics; {@link TrainingStep.named} says which is which. */
  readonly values: readonly number[];
}

/** Means over the steps since the last reading. */
export interface StepMetrics {
  /** Number of steps; with 0 the means say nothing. */
  readonly steps: number;
  /** Mean of the losses, each before its update. */
  readonly loss: number;
  /** Mean of each metric of the task. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** A task as it was traced for so many examples at once. */
export interface TracedStep {
  readonly traced: Traced;
  readonly pass: Pass;
}

/** @throws {ShapeError} when an input has another batch, or the loss is no scalar */
export function traceStep(weights: Weights<Net>, task: Task, options: StepOptions): TracedStep {
  const { batchSize, microBatch = batchSize, seed } = options;
  const { frozenLayers: frozen } = weights;
  const pass = new Pass({ train: true, batchSize: microBatch, frozen, seed });
  const traced = task(pass);
  for (const [name, { shape }] of Object.entries(traced.inputs)) {
    if (shape[0] === microBatch) continue;
    throw new ShapeError(
      `Cannot train: the input ${name} has shape ${show(shape)}, ` +
        `${microBatch} examples along the first axis are wanted`,
    );
  }
  if (sizeOf(traced.loss.shape) !== 1) {
    throw new ShapeError(
      `Cannot train: the loss has shape ${show(traced.loss.shape)}, one number is wanted`,
    );
  }
  return { traced, pass };
}

/** What a step is made of. */
interface Parts {
  readonly plan: Plan;
  readonly update?: Plan;
  readonly moments: readonly Store[];
  readonly accumulator: Accumulator;
  readonly layout: MetricLayout;
  readonly step: TracedStep;
}

/**
 * Traces and compiles a training step. The weights must outlive it.
 *
 * @param task what is fed, and what becomes small; traced once, with `pass.train` true
 * @throws {ShapeError} when the task's tensors do not fit each other, or an option is out of range
 * @throws {UsageError} when the micro-batch is no divisor of the batch, or no weight is trained
 * @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out
 */
export async function compileStep(
  device: Device,
  weights: Weights<Net>,
  optimizer: Optimizer,
  task: Task,
  options: StepOptions,
): Promise<TrainingStep> {
  const { batchSize, microBatch = batchSize, clipNorm, onProgress, debug } = options;
  checkMicroBatch(batchSize, microBatch);
  checkTrained(weights);
  const step = traceStep(weights, task, options), { traced, pass } = step;
  const layout = new MetricLayout(traced, microBatch);
  // Given back if a later piece of memory is refused, so that a smaller batch can be tried.
  using made = new DisposableStack();
  const sizes = layout.tensors.map((t) => sizeOf(t.shape));
  const accumulator = made.use(new Accumulator(device, sizes));
  const { trainable } = weights;
  const sibling = (label: string): Store => made.use(trainable.sibling(label));
  const moments = Array.from({ length: optimizer.moments }, (_, k) => sibling(`moment ${k + 1}`));
  const gradients = blockGradients(traced.loss, trainable);
  const metrics = accumulator.update(layout.tensors);
  const common = [...statisticUpdates(pass, weights.statistics), metrics];
  const stores = [...weights.stores, ...moments, accumulator.store];
  const compile = async (updates: readonly Update[], more: readonly Store[]): Promise<Plan> => {
    const all = [...stores, ...more];
    return made.use(
      await device.compile({ outputs: [], updates }, { stores: all, onProgress, debug }),
    );
  };
  let plan: Plan, update: Plan | undefined;
  if (microBatch === batchSize) {
    const updates = weightUpdates(gradients, trainable, optimizer, moments, clipNorm);
    plan = await compile([...updates, ...common], []);
  } else {
    const sums = sibling("gradient"), totals = sums.blocks.map((b) => b.variables[0]);
    const share = microBatch / batchSize;
    plan = await compile([...gradientSums(gradients, sums, share), ...common], [sums]);
    const updates = weightUpdates(totals, trainable, optimizer, moments, clipNorm);
    update = await compile([...updates, ...clearSums(sums)], [sums]);
  }
  const parts = { plan, update, moments, accumulator, layout, step };
  return new TrainingStep(parts, optimizer, batchSize, microBatch, made.move());
}

/** A compiled training step; see {@link compileStep}. */
export class TrainingStep implements Disposable {
  /** Forward, backward, metrics, and the update unless the batch is cut. */
  readonly plan: Plan;
  /** One store per moment of the optimiser, with a block for each block of weights. */
  readonly moments: readonly Store[];
  /** Some layer normalises with statistics of the batch: cutting it changes them. */
  readonly hasBatchStatistics: boolean;
  /** What it is fed, by name, for a micro-batch. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  #taken = 0;
  #steps = 0;
  readonly #parts: Parts;
  readonly #owned: DisposableStack;

  /** Made by {@link compileStep}. */
  constructor(
    parts: Parts,
    /** Its rule. */
    readonly optimizer: Optimizer,
    /** Examples a step. */
    readonly batchSize: number,
    /** Examples that are on the device at once; a divisor of the batch size. */
    readonly microBatch: number,
    owned: DisposableStack,
  ) {
    this.plan = parts.plan;
    this.moments = parts.moments;
    this.hasBatchStatistics = parts.step.pass.observed.length > 0;
    this.inputs = parts.step.traced.inputs;
    this.#parts = parts;
    this.#owned = owned;
  }

  /** Steps taken, for Adam's bias correction and what is drawn at random; set on resuming. */
  get steps(): number {
    return this.#steps;
  }
  set steps(steps: number) {
    this.#steps = steps;
  }

  /**
   * Takes one step; returns before the device has finished.
   *
   * @param fields elements of `batchSize` examples for each of the {@link inputs}
   * @param learningRate of this step
   * @throws {DataError} when the task refuses the examples; nothing has changed then
   * @throws {ShapeError} when a field is missing, or has another number or type of elements
   */
  run(fields: Fields, learningRate: number): void {
    const { traced, pass } = this.#parts.step, { update } = this.#parts;
    const { microBatch, batchSize, plan } = this, action = `take step ${this.#steps + 1}`;
    const feeds = feedsOf(plan, traced.inputs, fields, action);
    traced.check?.(action, fields);
    const first = this.#steps++;
    this.#taken++;
    const values = this.optimizer.scalarsAt(this.#steps, learningRate);
    const scalars = this.optimizer.scalars.map((t, k) => [t, Float32Array.of(values[k])] as const);
    for (let from = 0; from < batchSize; from += microBatch) {
      const cut: (readonly [Tensor, Elements])[] = feeds.map(
        ([t, elements]) => [t, part(elements, from, from + microBatch, batchSize)],
      );
      if (pass.counter) cut.push([pass.counter, Uint32Array.of(first, from)]);
      plan.run(update ? cut : [...cut, ...scalars]);
    }
    update?.run(scalars);
  }

  /**
   * Means since the last reading; waits for the device.
   *
   * @throws {DeviceError} when the device was lost
   */
  async metrics(): Promise<StepMetrics> {
    const reading = this.readSums();
    this.startSums();
    return this.meansOf(await reading);
  }

  /** Means of totals that {@link readSums} gave, or of differences between two. */
  meansOf(sums: StepSums): StepMetrics {
    const { loss, ...metrics } = means(this.named(sums));
    return { steps: sums.steps, loss, metrics };
  }

  /** Totals by the names of the task's metrics, and `loss`. */
  named({ steps, values }: StepSums): Readonly<Record<string, Totals>> {
    return this.#parts.layout.named(values, steps * this.batchSize / this.microBatch);
  }

  /** How many numbers {@link StepSums.values} has once a step was taken. */
  get valueCount(): number {
    return this.#parts.layout.length;
  }

  /**
   * Totals since {@link metrics} or {@link startSums}; they go on growing. The device adds them in
   * f32, step by step, so reading them changes no bit of a later reading.
   *
   * @throws {DeviceError} when the device was lost
   */
  async readSums(): Promise<StepSums> {
    const steps = this.#taken, values = await this.#parts.accumulator.read();
    return { steps, values };
  }

  /** Starts the totals anew, from 0 or from where those of another session stood. */
  startSums(from: StepSums = { steps: 0, values: [] }): void {
    this.#taken = from.steps;
    this.#parts.accumulator.set(from.values);
  }

  /** Frees plans, moments and sums; the weights stay. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

const part = (elements: Elements, from: number, to: number, of: number): Elements => {
  const each = elements.length / of;
  return from === 0 && to === of ? elements : elements.subarray(from * each, to * each);
};

function checkMicroBatch(batchSize: number, microBatch: number): void {
  if (Number.isInteger(microBatch) && microBatch > 0 && batchSize % microBatch === 0) return;
  throw new UsageError(
    `Cannot cut batches of ${batchSize} examples into micro-batches of ${microBatch}, ` +
      "a divisor of the batch size is wanted",
  );
}

function checkTrained({ trainable, parameters, model: { name } }: Weights<Net>): void {
  if (trainable.blocks.length > 0) return;
  throw new UsageError(
    `Cannot train ${name}: none of its ${parameters.size} parameters is trained, ` +
      "one at least is wanted",
    { hint: "let `trains` be true for the path of one" },
  );
}
