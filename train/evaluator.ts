/** Accuracy and loss of a model over a split, as one replayed plan. */
import type { Device, Plan } from "../core/device.ts";
import type { Tensor } from "../core/graph.ts";
import type { Program } from "../core/plan/schedule.ts";
import { input } from "../core/structure.ts";
import { batches } from "../data/batches.ts";
import type { Split } from "../data/dataset.ts";
import { Pass } from "../models/pass.ts";
import type { Model } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { topKHits } from "../ops/label_rank.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { Accumulator } from "./accumulator.ts";
import { firstNaN } from "./first_nan.ts";
import { checkLabels } from "./labels.ts";
import type { StepOptions } from "./training_step.ts";
import { Turns, unlessAborted } from "./turns.ts";

/** Results over all images of a split. */
export interface Evaluation {
  /** Number of images in the split. */
  readonly images: number;
  /** Mean cross-entropy over the images, in nats. */
  readonly loss: number;
  /** Share of images whose class got the largest logit. */
  readonly top1: number;
  /** Share of images whose class is among the five largest logits. */
  readonly top5: number;
}

/** What {@link Evaluator.run} can be told. */
export interface RunOptions {
  /** Told the number of images done after each batch. */
  readonly onProgress?: (images: number) => void;
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

/** The forward pass with metrics as a program, and where its images go. */
interface Measured {
  readonly program: Program;
  readonly inputs: { readonly pixels: Tensor; readonly labels: Tensor };
  readonly logits: Tensor;
}

function measure(
  model: Model,
  { batchSize, mean, std }: Pick<StepOptions, "batchSize" | "mean" | "std">,
  accumulator: Accumulator,
): Measured {
  const size = model.inputSize;
  const pixels = input([batchSize, size, size], "pixels", "u32");
  const labels = input([batchSize], "labels", "i32");
  const x = unpack(pixels, { channels: model.channels as 1 | 3, mean, std });
  const logits = model.forward(x, new Pass({ train: false }));
  const update = accumulator.update([
    crossEntropy(logits, labels, { reduction: "sum" }),
    topKHits(logits, labels, 1),
    topKHits(logits, labels, 5),
  ]);
  return { program: { outputs: [], updates: [update] }, inputs: { pixels, labels }, logits };
}

/** A compiled forward pass with metrics. */
export class Evaluator implements Disposable {
  readonly #accumulator: Accumulator;

  private constructor(
    /** Forward pass and metrics. */
    readonly plan: Plan,
    /** What is measured; read anew by each run. */
    readonly weights: Weights,
    /** Images a batch. */
    readonly batchSize: number,
    /** Pixels u32 `[n,size,size]` and labels i32 `[n]`. */
    readonly inputs: { readonly pixels: Tensor; readonly labels: Tensor },
    /** Logits `[n,classes]`; no output of the plan, which keeps none. */
    readonly logits: Tensor,
    accumulator: Accumulator,
  ) {
    this.#accumulator = accumulator;
  }

  /**
   * Traces and compiles the pass. The weights must outlive it.
   *
   * @param options `batchSize` is the most images a batch; a deep net gets fewer, so that a batch
   * stays short of a second on a CPU
   * @throws {ShapeError} when mean and std do not fit the model's channels
   * @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out
   */
  static async create(
    device: Device,
    weights: Weights,
    options: Pick<StepOptions, "batchSize" | "mean" | "std" | "onProgress">,
  ): Promise<Evaluator> {
    using made = new DisposableStack();
    const accumulator = made.use(new Accumulator(device, 3));
    const measured = (batchSize: number): Measured =>
      measure(weights.model, { ...options, batchSize }, accumulator);
    const bytesPerImage = device.estimateBytes(measured(1).program);
    // A GPU should compute while the event loop turns, and wants large batches; software ones block.
    const limit = device.kind === "wasm" ? batchBytes : Infinity;
    const atOnce = Math.max(1, Math.floor(limit / bytesPerImage));
    const batchSize = Math.min(options.batchSize, atOnce);
    const { program, inputs, logits } = measured(batchSize);
    const plan = await device.compile(program, {
      stores: [...weights.stores, accumulator.store],
      onProgress: options.onProgress,
    });
    made.move();
    return new Evaluator(plan, weights, batchSize, inputs, logits, accumulator);
  }

  /**
   * Runs over a split; a short last batch is padded with images that do not count.
   *
   * @throws {DataError} when a label is no class of the model
   * @throws {ShapeError} when the images are larger than the model's
   * @throws {UsageError} when the split is empty
   * @throws the signal's reason, within a batch of its abort
   */
  async run(split: Split, options: RunOptions = {}): Promise<Evaluation> {
    const { onProgress, signal } = options, turns = new Turns(signal);
    signal?.throwIfAborted();
    const { batchSize } = this, { inputSize: imageSize, name, classes } = this.weights.model;
    checkLabels(`evaluate ${name}`, split.labels, classes);
    const total = [0, 0, 0];
    let images = 0, pending = 0, reading = Promise.resolve();
    const read = async (): Promise<void> => {
      await unlessAborted(reading, signal);
      pending = 0;
      reading = this.#accumulator.take().then((sums) => sums.forEach((x, k) => total[k] += x));
      // What goes wrong is raised where it is waited for, after the next batches.
      reading.catch(() => {});
    };
    // A run that was cut short has left its sums.
    this.#accumulator.set([]);
    for (const batch of batches(split, { batchSize, imageSize, last: "pad" })) {
      this.plan.run([[this.inputs.pixels, batch.pixels], [this.inputs.labels, batch.labels]]);
      images += batch.valid;
      onProgress?.(images);
      if (++pending >= batchesPerReading) await read();
      await turns.give();
    }
    await read();
    await unlessAborted(reading, signal);
    const [loss, top1, top5] = total.map((sum) => sum / images);
    return { images, loss, top1, top5 };
  }

  /**
   * What to blame when a run's loss is no number, such as `the result of conv2d at conv1`.
   *
   * @throws {DeviceError} when memory runs out: every step's result is kept
   */
  async findNaN(split: Split): Promise<string | undefined> {
    const { batchSize, weights, inputs } = this, imageSize = weights.model.inputSize;
    const all = batches(split, { batchSize, imageSize, last: "pad" });
    const feeds = all.map(({ pixels }) => [[inputs.pixels, pixels] as const]);
    return await firstNaN(weights, this.logits, feeds);
  }

  /** Frees plan and sums. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.#accumulator[Symbol.dispose]();
  }
}
