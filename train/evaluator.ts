/** Accuracy and loss of a model over a split, as one replayed plan. */
import type { Device, Plan } from "../core/device.ts";
import type { Tensor } from "../core/graph.ts";
import { input } from "../core/structure.ts";
import { batches } from "../data/batches.ts";
import type { Split } from "../data/dataset.ts";
import { Trace } from "../models/layers.ts";
import type { Weights } from "../models/weights.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { topKHits } from "../ops/label_rank.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { Accumulator } from "./accumulator.ts";
import { checkLabels } from "./labels.ts";
import type { StepOptions } from "./training_step.ts";

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
    accumulator: Accumulator,
  ) {
    this.#accumulator = accumulator;
  }

  /**
   * Traces and compiles the pass. The weights must outlive it.
   *
   * @throws {ShapeError} when mean and std do not fit the model's channels
   * @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out
   */
  static async create(
    device: Device,
    weights: Weights,
    options: Pick<StepOptions, "batchSize" | "mean" | "std" | "onProgress">,
  ): Promise<Evaluator> {
    const { batchSize, mean, std } = options, { model } = weights, size = model.inputSize;
    const pixels = input([batchSize, size, size], "pixels", "u32");
    const labels = input([batchSize], "labels", "i32");
    const x = unpack(pixels, { channels: model.channels as 1 | 3, mean, std });
    const logits = model.forward(x, new Trace(false));
    using made = new DisposableStack();
    const accumulator = made.use(new Accumulator(device, 3));
    const update = accumulator.update([
      crossEntropy(logits, labels, { reduction: "sum" }),
      topKHits(logits, labels, 1),
      topKHits(logits, labels, 5),
    ]);
    const plan = await device.compile({ outputs: [], updates: [update] }, {
      stores: [...weights.stores, accumulator.store],
      onProgress: options.onProgress,
    });
    made.move();
    return new Evaluator(plan, weights, batchSize, { pixels, labels }, accumulator);
  }

  /**
   * Runs over a split; a short last batch is padded with images that do not count.
   *
   * @param onProgress told the number of images done after each batch
   * @throws {DataError} when a label is no class of the model
   * @throws {ShapeError} when the images are larger than the model's
   * @throws {UsageError} when the split is empty
   */
  async run(split: Split, onProgress?: (images: number) => void): Promise<Evaluation> {
    const { batchSize } = this, { inputSize: imageSize, name, classes } = this.weights.model;
    checkLabels(`evaluate ${name}`, split.labels, classes);
    let loss = 0, top1 = 0, top5 = 0, images = 0, pending = 0;
    const collect = async (): Promise<void> => {
      const sums = await this.#accumulator.take();
      loss += sums[0];
      top1 += sums[1];
      top5 += sums[2];
      pending = 0;
    };
    for (const batch of batches(split, { batchSize, imageSize, last: "pad" })) {
      this.plan.run([[this.inputs.pixels, batch.pixels], [this.inputs.labels, batch.labels]]);
      images += batch.valid;
      onProgress?.(images);
      // Bounds the work queued on a GPU; f32 sums of this many batches stay exact enough.
      if (++pending >= 32) await collect();
    }
    await collect();
    return { images, loss: loss / images, top1: top1 / images, top5: top5 / images };
  }

  /** Frees plan and sums. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.#accumulator[Symbol.dispose]();
  }
}
