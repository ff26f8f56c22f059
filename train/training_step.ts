/**
 * One training step as one plan: forward, loss, backward, update and metrics, replayed. A batch too
 * large for memory is cut: then one plan sums gradients, and another makes the update.
 */
import type { BuildProgress, Device, Elements, Plan } from "../core/device.ts";
import { DeviceError, UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/schedule.ts";
import type { Store } from "../core/store.ts";
import { input } from "../core/structure.ts";
import { Pass } from "../models/pass.ts";
import type { Weights } from "../models/weights.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { topKHits } from "../ops/label_rank.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { mul } from "../ops/pointwise.ts";
import { Accumulator } from "./accumulator.ts";
import { checkLabels } from "./labels.ts";
import type { Optimizer } from "./optimizer.ts";
import {
  blockGradients,
  clearSums,
  gradientSums,
  statisticUpdates,
  weightUpdates,
} from "./step_updates.ts";

/** What a step is built for. */
export interface StepOptions {
  /** Images a step. */
  readonly batchSize: number;
  /** Images at once; gradients are summed over the batch (default: all of the batch). */
  readonly microBatch?: number;
  /** Mean of each channel on the scale 0–1, subtracted first. */
  readonly mean: readonly number[];
  /** Divisor of each channel on the scale 0–1. */
  readonly std: readonly number[];
  /** Share of the target that is spread evenly over all classes (default 0). */
  readonly labelSmoothing?: number;
  /** Scales gradients down so that the norm over all weights stays below this (default: never). */
  readonly clipNorm?: number;
  /** Told before each kernel is made. */
  readonly onProgress?: BuildProgress;
  /** Plan without fusion or reuse, so that a NaN can be traced. */
  readonly debug?: boolean;
}

/** Means over the steps since the last reading. */
export interface StepMetrics {
  /** Number of steps; with 0 the means say nothing. */
  readonly steps: number;
  /** Mean of the steps' losses, each before its update. */
  readonly loss: number;
  /** Share of images whose class got the largest logit. */
  readonly accuracy: number;
}

/** Totals over the steps since the last reading or start. */
export interface StepSums {
  /** Number of steps. */
  readonly steps: number;
  /** Sum of the steps' losses, each the mean over its batch, before its update. */
  readonly loss: number;
  /** Images whose class got the largest logit. */
  readonly hits: number;
}

/** Shape of a step as it was traced: forward pass, loss and metrics. */
interface TracedStep {
  readonly pixels: Tensor;
  readonly labels: Tensor;
  readonly loss: Tensor;
  readonly hits: Tensor;
  readonly pass: Pass;
}

/** Traces the forward pass of `count` images. */
function traceStep(weights: Weights, count: number, options: StepOptions): TracedStep {
  const { model } = weights, size = model.inputSize, { mean, std, labelSmoothing } = options;
  const pixels = input([count, size, size], "pixels", "u32");
  const labels = input([count], "labels", "i32");
  const pass = new Pass({ train: true });
  const x = unpack(pixels, { channels: model.channels as 1 | 3, mean, std });
  const logits = model.forward(x, pass);
  const loss = crossEntropy(logits, labels, { labelSmoothing });
  return { pixels, labels, loss, hits: topKHits(logits, labels, 1), pass };
}

/** A compiled training step. */
export class TrainingStep implements Disposable {
  #taken = 0;
  #steps = 0;
  readonly #owned: DisposableStack;
  readonly #accumulator: Accumulator;
  readonly #update?: Plan;

  private constructor(
    /** Forward, backward, metrics, and the update unless the batch is cut. */
    readonly plan: Plan,
    /** Its rule. */
    readonly optimizer: Optimizer,
    /** One store per moment of the optimiser, with a block for each block of weights. */
    readonly moments: readonly Store[],
    /** Images a step. */
    readonly batchSize: number,
    /** Images that are on the device at once; a divisor of the batch size. */
    readonly microBatch: number,
    /** The model normalises with statistics of the batch: cutting it changes them. */
    readonly hasBatchStatistics: boolean,
    /** Classes that the model tells apart. */
    readonly classes: number,
    /** Pixels u32 `[n,size,size]` and labels i32 `[n]` of a micro-batch. */
    readonly inputs: { readonly pixels: Tensor; readonly labels: Tensor },
    accumulator: Accumulator,
    update: Plan | undefined,
    owned: DisposableStack,
  ) {
    this.#accumulator = accumulator;
    this.#update = update;
    this.#owned = owned;
  }

  /**
   * Traces and compiles a step. The weights must outlive it.
   *
   * @throws {ShapeError} when mean and std do not fit the model's channels, or an option is out of
   *   its range
   * @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out
   */
  static async create(
    device: Device,
    weights: Weights,
    optimizer: Optimizer,
    options: StepOptions,
  ): Promise<TrainingStep> {
    const { batchSize, microBatch = batchSize, clipNorm, onProgress, debug } = options;
    checkMicroBatch(batchSize, microBatch);
    const traced = traceStep(weights, microBatch, options), share = microBatch / batchSize;
    // Given back if a later piece of memory is refused, so that a smaller batch can be tried.
    using made = new DisposableStack();
    const accumulator = made.use(new Accumulator(device, 2));
    const { trainable } = weights;
    const sibling = (label: string): Store => made.use(trainable.sibling(label));
    const moments = Array.from({ length: optimizer.moments }, (_, k) => sibling(`moment ${k + 1}`));
    const gradients = blockGradients(traced.loss, trainable);
    const scaled = share === 1 ? traced.loss : mul(traced.loss, share);
    const metrics = accumulator.update([scaled, traced.hits]);
    const common = [...statisticUpdates(traced.pass, weights.statistics), metrics];
    const stores = [...weights.stores, ...moments, accumulator.store];
    const compile = async (updates: readonly Update[], more: readonly Store[]): Promise<Plan> =>
      made.use(
        await device.compile({ outputs: [], updates }, {
          stores: [...stores, ...more],
          onProgress,
          debug,
        }),
      );
    let plan: Plan, update: Plan | undefined;
    if (microBatch === batchSize) {
      const updates = weightUpdates(gradients, trainable, optimizer, moments, clipNorm);
      plan = await compile([...updates, ...common], []);
    } else {
      const sums = sibling("gradient"), totals = sums.blocks.map((b) => b.variables[0]);
      plan = await compile([...gradientSums(gradients, sums, share), ...common], [sums]);
      const updates = weightUpdates(totals, trainable, optimizer, moments, clipNorm);
      update = await compile([...updates, ...clearSums(sums)], [sums]);
    }
    const hasBatchStatistics = traced.pass.observed.length > 0;
    return new TrainingStep(
      plan,
      optimizer,
      moments,
      batchSize,
      microBatch,
      hasBatchStatistics,
      weights.model.classes,
      traced,
      accumulator,
      update,
      made.move(),
    );
  }

  /**
   * Bytes on the device of a step with such micro-batches, weights included and the kernels'
   * scratch memory left out; nothing is allocated.
   */
  static estimateBytes(
    device: Device,
    weights: Weights,
    optimizer: Optimizer,
    options: StepOptions,
  ): number {
    const { batchSize, microBatch = batchSize } = options;
    const traced = traceStep(weights, microBatch, options);
    const gradients = blockGradients(traced.loss, weights.trainable);
    const bytes = device.estimateBytes({ outputs: [...gradients, traced.hits] });
    const vectors = optimizer.moments + (microBatch < batchSize ? 1 : 0);
    const stores = weights.stores.reduce((sum, store) => sum + store.bytes, 0);
    return bytes + stores + vectors * weights.trainable.bytes;
  }

  /** Steps taken, for Adam's bias correction; set when a run is resumed. */
  get steps(): number {
    return this.#steps;
  }
  set steps(steps: number) {
    this.#steps = steps;
  }

  /**
   * Takes one step; returns before the device has finished.
   *
   * @param pixels u32 `[batchSize,size,size]`, RGBA8 with red in the low byte
   * @param labels i32 `[batchSize]`, classes or `ignoredLabel`
   * @param learningRate of this step
   * @throws {DataError} when a label is no class; nothing has changed then
   * @throws {ShapeError} when pixels or labels have another number or type of elements
   */
  run(pixels: Elements, labels: Elements, learningRate: number): void {
    checkLabels(`take step ${this.#steps + 1}`, labels, this.classes);
    this.#steps++;
    this.#taken++;
    const values = this.optimizer.scalarsAt(this.#steps, learningRate);
    const scalars = this.optimizer.scalars.map((t, k) => [t, Float32Array.of(values[k])] as const);
    const { microBatch, inputs } = this, perImage = pixels.length / this.batchSize;
    if (!this.#update) {
      this.plan.run([[inputs.pixels, pixels], [inputs.labels, labels], ...scalars]);
      return;
    }
    for (let first = 0; first < this.batchSize; first += microBatch) {
      const last = first + microBatch;
      this.plan.run([
        [inputs.pixels, pixels.subarray(first * perImage, last * perImage)],
        [inputs.labels, labels.subarray(first, last)],
      ]);
    }
    this.#update.run(scalars);
  }

  /**
   * Means since the last reading; waits for the device.
   *
   * @throws {DeviceError} when the device was lost
   */
  async metrics(): Promise<StepMetrics> {
    const reading = this.readSums();
    this.startSums();
    const { steps, loss, hits } = await reading;
    return { steps, loss: loss / steps, accuracy: hits / (steps * this.batchSize) };
  }

  /**
   * Totals since {@link metrics} or {@link startSums}; they go on growing. The device adds them in
   * f32, step by step, so reading them changes no bit of a later reading.
   *
   * @throws {DeviceError} when the device was lost
   */
  async readSums(): Promise<StepSums> {
    const steps = this.#taken, [loss, hits] = await this.#accumulator.read();
    return { steps, loss, hits };
  }

  /** Starts the totals anew, from 0 or from where those of another session stood. */
  startSums(from: StepSums = { steps: 0, loss: 0, hits: 0 }): void {
    this.#taken = from.steps;
    this.#accumulator.set([from.loss, from.hits]);
  }

  /** Frees plans, moments and sums; the weights stay. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

function checkMicroBatch(batchSize: number, microBatch: number): void {
  if (Number.isInteger(microBatch) && microBatch > 0 && batchSize % microBatch === 0) return;
  throw new UsageError(
    `Cannot cut batches of ${batchSize} images into micro-batches of ${microBatch}, ` +
      "a divisor of the batch size is wanted",
  );
}

/**
 * The largest micro-batch whose step stays below so many bytes. For nets without batch statistics
 * the step's result is that of the whole batch within rounding.
 *
 * @throws {DeviceError} when not even one image fits
 */
export function chooseMicroBatch(
  device: Device,
  weights: Weights,
  optimizer: Optimizer,
  options: StepOptions,
  maxBytes: number,
): number {
  const { batchSize } = options;
  let bytes = 0;
  for (let microBatch = batchSize; microBatch > 0; microBatch--) {
    if (batchSize % microBatch !== 0) continue;
    bytes = TrainingStep.estimateBytes(device, weights, optimizer, { ...options, microBatch });
    if (bytes <= maxBytes) return microBatch;
  }
  const mb = (n: number): string => (n / 1e6).toFixed(1);
  throw new DeviceError(
    `Cannot train ${weights.model.name} within ${mb(maxBytes)} MB: ` +
      `micro-batches of one image take ${mb(bytes)} MB, more memory is wanted`,
  );
}
