/** One training step as one plan: forward, loss, backward, update and metrics, replayed. */
import type { BuildProgress, Device, Elements, Plan } from "../core/device.ts";
import type { Block, Store } from "../core/store.ts";
import { grad } from "../core/grad.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/schedule.ts";
import { input, pack } from "../core/structure.ts";
import { Trace } from "../models/layers.ts";
import type { Weights } from "../models/weights.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { topKHits } from "../ops/label_rank.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { add, minimum, mul, rsqrt, square, sub } from "../ops/pointwise.ts";
import { sum } from "../ops/reduce.ts";
import { Accumulator } from "./accumulator.ts";
import type { Optimizer } from "./optimizer.ts";

/** What a step is built for. */
export interface StepOptions {
  /** Images a step. */
  readonly batchSize: number;
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

/** A compiled training step. */
export class TrainingStep implements Disposable {
  #taken = 0;
  #steps: number;
  readonly #accumulator: Accumulator;

  private constructor(
    /** Forward, backward, update and metrics. */
    readonly plan: Plan,
    /** Its rule. */
    readonly optimizer: Optimizer,
    /** One store per moment of the optimiser, with a block for each block of weights. */
    readonly moments: readonly Store[],
    /** Images a step. */
    readonly batchSize: number,
    /** Pixels u32 `[n,size,size]` and labels i32 `[n]`. */
    readonly inputs: { readonly pixels: Tensor; readonly labels: Tensor },
    accumulator: Accumulator,
    steps: number,
  ) {
    this.#accumulator = accumulator;
    this.#steps = steps;
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
    const { batchSize } = options, { model } = weights, size = model.inputSize;
    const pixels = input([batchSize, size, size], "pixels", "u32");
    const labels = input([batchSize], "labels", "i32");
    const trace = new Trace(true);
    const { mean, std } = options;
    const x = unpack(pixels, { channels: model.channels as 1 | 3, mean, std });
    const logits = model.forward(x, trace);
    const loss = crossEntropy(logits, labels, { labelSmoothing: options.labelSmoothing });
    // Given back if a later piece of memory is refused, so that a smaller batch can be tried.
    using made = new DisposableStack();
    const accumulator = made.use(new Accumulator(device, 2));
    const moments = Array.from(
      { length: optimizer.moments },
      (_, k) => made.use(weights.trainable.sibling(`moment ${k + 1}`)),
    );
    const updates = [
      ...weightUpdates(loss, weights, optimizer, moments, options.clipNorm),
      ...statisticUpdates(trace, weights.statistics),
      accumulator.update([loss, topKHits(logits, labels, 1)]),
    ];
    const plan = await device.compile({ outputs: [], updates }, {
      stores: [...weights.stores, ...moments, accumulator.store],
      onProgress: options.onProgress,
      debug: options.debug,
    });
    made.move();
    return new TrainingStep(
      plan,
      optimizer,
      moments,
      batchSize,
      { pixels, labels },
      accumulator,
      0,
    );
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
   * @param labels i32 `[batchSize]`
   * @param learningRate of this step
   * @throws {ShapeError} when pixels or labels have another number or type of elements
   */
  run(pixels: Elements, labels: Elements, learningRate: number): void {
    this.#steps++;
    this.#taken++;
    const scalars = this.optimizer.scalarsAt(this.#steps, learningRate);
    this.plan.run([
      [this.inputs.pixels, pixels],
      [this.inputs.labels, labels],
      ...this.optimizer.scalars.map((t, k) => [t, Float32Array.of(scalars[k])] as const),
    ]);
  }

  /**
   * Means since the last reading; waits for the device.
   *
   * @throws {DeviceError} when the device was lost
   */
  async metrics(): Promise<StepMetrics> {
    const steps = this.#taken;
    this.#taken = 0;
    const [loss, hits] = await this.#accumulator.take();
    return { steps, loss: loss / steps, accuracy: hits / (steps * this.batchSize) };
  }

  /** Frees plan, moments and sums; the weights stay. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    for (const store of this.moments) store[Symbol.dispose]();
    this.#accumulator[Symbol.dispose]();
  }
}

function weightUpdates(
  loss: Tensor,
  weights: Weights,
  optimizer: Optimizer,
  moments: readonly Store[],
  clipNorm?: number,
): Update[] {
  const { blocks } = weights.trainable;
  const grads = grad(loss, blocks.flatMap((b) => b.variables));
  let taken = 0;
  let packed = blocks.map((b) => {
    const own = grads.slice(taken, taken += b.variables.length);
    return pack(own, b.offsets, b.size);
  });
  if (clipNorm !== undefined) {
    const squares = packed.map((g) => sum(square(g))).reduce((a, b) => add(a, b));
    const scale = minimum(1, mul(clipNorm, rsqrt(add(squares, 1e-12))));
    packed = packed.map((g) => mul(g, scale));
  }
  return blocks.flatMap((block, k) =>
    optimizer.update({
      weights: block.whole,
      gradient: packed[k],
      moments: moments.map((store) => store.blocks[k].variables[0]),
    })
  );
}

/** Running statistics move towards the batch's: one kernel per block where all move alike. */
function statisticUpdates(trace: Trace, statistics: Store): Update[] {
  const observed = new Map(trace.observed.map((o) => [o.statistic, o]));
  return statistics.blocks.flatMap((block) => blockUpdates(block, observed));
}

function blockUpdates(
  block: Block,
  observed: ReadonlyMap<Tensor, { value: Tensor; momentum: number }>,
): Update[] {
  const found = block.variables.map((v) => observed.get(v));
  const all = found.filter((o) => o !== undefined);
  const momentum = all[0]?.momentum ?? 0;
  const alike = all.length === found.length && all.every((o) => o.momentum === momentum);
  const moved = (from: Tensor, to: Tensor, by: number): Tensor => add(from, mul(sub(to, from), by));
  if (alike && all.length > 0) {
    const batch = pack(all.map((o) => o.value), block.offsets, block.size);
    return [[block.whole, moved(block.whole, batch, momentum)]];
  }
  return block.variables.flatMap((v): Update[] => {
    const o = observed.get(v);
    return o ? [[v, moved(v, o.value, o.momentum)]] : [];
  });
}
