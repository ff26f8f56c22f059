/** What a net sees: one vector a picture, by its `features` in evaluation. */
import type { BuildProgress, Plan } from "../core/device.ts";
import { input } from "../core/structure.ts";
import type { Tensor } from "../core/graph.ts";
import { batches, type Source } from "../data/source.ts";
import type { Classifier } from "../models/model.ts";
import { Pass } from "../models/pass.ts";
import type { Preparation } from "../models/preparation.ts";
import type { Weights } from "../models/weights.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import type { LabelledFeatures } from "./linear_head.ts";
import { Turns } from "./turns.ts";

/** Options of {@link FeatureExtractor.create}. */
export interface FeatureOptions {
  /** What is done to a picture before the net sees it; that of the source. */
  readonly preparation: Preparation;
  /** Pictures at once (default 8). */
  readonly batchSize?: number;
  /** Told before each kernel is made. */
  readonly onProgress?: BuildProgress;
}

/** What {@link FeatureExtractor.run} can be told. */
export interface ExtractOptions {
  /** Number of the pass over the pictures: what is drawn for them depends on it (default 0). */
  readonly epoch?: number;
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

/**
 * Computes the features of pictures with the weights as they are. The weights must outlive it.
 *
 * @example
 * ```ts no-run
 * import { FeatureExtractor, initialWeights, models, openDevice, openFolder } from "../mod.ts";
 * import { openPretrained } from "../models/pretrained.ts";
 * using device = await openDevice();
 * const { content, preparation } = await openPretrained();
 * using weights = initialWeights(device, models.tf_efficientnet_lite0.create({ classes: 1000 }), 0);
 * weights.load(content);
 * using extractor = await FeatureExtractor.create(weights, { preparation });
 * const { train } = await openFolder("flowers");
 * const { features, labels } = await extractor.run(train.source(preparation));
 * console.log(features.length / labels.length); // 1280
 * ```
 */
export class FeatureExtractor implements Disposable {
  private constructor(
    /** Forward pass of a batch. */
    readonly plan: Plan,
    /** Input of the plan, u32 `[n,height,width]`. */
    readonly pixels: Tensor,
    /** Output of the plan, `[n,f]`. */
    readonly features: Tensor,
  ) {}

  /**
   * Compiles the forward pass.
   *
   * @throws {ShapeError} when the model does not take pictures of the preparation's size
   * @throws {DeviceError} when memory runs out
   */
  static async create(
    weights: Weights<Classifier>,
    { preparation, batchSize = 8, onProgress }: FeatureOptions,
  ): Promise<FeatureExtractor> {
    const { height, width, channels, mean, std } = preparation;
    const { model, stores, trainable: { device } } = weights;
    const pixels = input([batchSize, height, width], "pixels", "u32");
    const pass = new Pass({ train: false, batchSize });
    const features = model.features(unpack(pixels, { channels, mean, std }), pass);
    const plan = await device.compile({ outputs: [features] }, { stores, onProgress });
    return new FeatureExtractor(plan, pixels, features);
  }

  /** Numbers a picture. */
  get length(): number {
    return this.features.shape[1];
  }

  /**
   * Features and labels of a source's pictures, in its order. Pictures that do not count, such as
   * damaged ones that are left out, are left out here too.
   *
   * @throws whatever the source does, and the signal's reason, within a batch of its abort
   */
  async run(source: Source, options: ExtractOptions = {}): Promise<LabelledFeatures> {
    const stream = this.stream(source, options);
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return value;
    }
  }

  /** As {@link run}; yields the number of pictures done after each batch. */
  async *stream(
    source: Source,
    { epoch = 0, signal }: ExtractOptions = {},
  ): AsyncGenerator<number, LabelledFeatures, void> {
    const batchSize = this.pixels.shape[0], length = this.length, turns = new Turns(signal);
    const features = new Float32Array(source.size * length), labels = new Int32Array(source.size);
    let kept = 0, done = 0;
    for await (const { fields, valid } of batches(source, { batchSize, last: "pad", epoch })) {
      this.plan.run([[this.pixels, fields.pixels]]);
      const rows = await this.plan.read(this.features) as Float32Array;
      for (let k = 0; k < valid; k++) {
        const label = fields.labels[k];
        if (label < 0) continue;
        features.set(rows.subarray(k * length, (k + 1) * length), kept * length);
        labels[kept++] = label;
      }
      yield done += valid;
      await turns.give();
    }
    return { features: features.subarray(0, kept * length), labels: labels.subarray(0, kept) };
  }

  /** Frees the plan; the weights stay. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
  }
}

/** The examples of several sets, one set after the other. */
export function joinFeatures(sets: readonly LabelledFeatures[]): LabelledFeatures {
  const total = (count: (set: LabelledFeatures) => number): number =>
    sets.reduce((sum, set) => sum + count(set), 0);
  const features = new Float32Array(total((set) => set.features.length));
  const labels = new Int32Array(total((set) => set.labels.length));
  let row = 0, at = 0;
  for (const set of sets) {
    features.set(set.features, at);
    labels.set(set.labels, row);
    at += set.features.length;
    row += set.labels.length;
  }
  return { features, labels };
}
