/** A trained net on pictures: files of any size → probabilities by class. */
import type { BuildProgress, Device, Plan } from "../core/device.ts";
import { ShapeError, UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Image } from "../data/image.ts";
import { prepareImage, preparePicture } from "../data/preparation.ts";
import type { Checkpoint, ModelUsage } from "../models/checkpoint.ts";
import type { Model } from "../models/model.ts";
import { Pass } from "../models/pass.ts";
import { Weights } from "../models/weights.ts";
import { classification } from "./classification.ts";
import { boundedBatch } from "./evaluator.ts";
import { firstNaN, nanError } from "./first_nan.ts";

/** A class and how likely it is. */
export interface Guess {
  /** Name of the class. */
  readonly label: string;
  /** Softmax of the logits; a measure of the model's own certainty. */
  readonly probability: number;
}

/** Options of {@link Predictor.create}. */
export interface PredictorOptions {
  /**
   * The most pictures a pass (default 1). A deep net gets fewer, so that a batch stays short of a
   * second on a CPU.
   */
  readonly batchSize?: number;
  /** Told before each kernel is made. */
  readonly onProgress?: BuildProgress;
}

/** Inputs and outputs of a pass. */
interface Traced {
  readonly pixels: Tensor;
  readonly logits: Tensor;
  readonly probabilities: Tensor;
}

/** A compiled classifier. */
export class Predictor implements Disposable {
  readonly #name: string;
  readonly #owned: DisposableStack;
  readonly #logits: Tensor;
  /** Input of the plan, u32 `[batchSize,height,width]`. */
  readonly pixels: Tensor;
  /** Output of the plan, `[batchSize,classes]`. */
  readonly probabilities: Tensor;

  private constructor(
    /** Names of the classes and what is done to a picture. */
    readonly usage: ModelUsage,
    /** Its weights on the device. */
    readonly weights: Weights,
    /** Forward pass of a batch. */
    readonly plan: Plan,
    { pixels, logits, probabilities }: Traced,
    name: string,
    owned: DisposableStack,
  ) {
    this.pixels = pixels;
    this.probabilities = probabilities;
    this.#logits = logits;
    this.#name = name;
    this.#owned = owned;
  }

  /**
   * Loads a model file on a device.
   *
   * @throws {CheckpointError} when its tensors do not fit the model it names
   * @throws {UsageError} when it names fewer or more classes than the model tells apart, or a batch
   *   has no picture
   * @throws {ShapeError} when the model does not take pictures of the preparation's size
   * @throws {DeviceError} when memory runs out
   */
  static async create(
    device: Device,
    checkpoint: Checkpoint,
    options: PredictorOptions = {},
  ): Promise<Predictor> {
    const { model, content, file } = checkpoint;
    checkNames(file, model, checkpoint);
    using made = new DisposableStack();
    const weights = made.use(new Weights(device, model));
    weights.load(content, {}, file);
    return await Predictor.#compiled(weights, checkpoint, { ...options, name: file }, made);
  }

  /**
   * Predicts with weights that are on a device, as they are at each prediction: those of a training
   * that goes on, say. They must outlive it.
   *
   * @param usage names of the classes, and what is done to a picture
   * @throws {UsageError} when it names fewer or more classes than the model tells apart, or a batch
   *   has no picture
   * @throws {ShapeError} when the model does not take pictures of the preparation's size
   * @throws {DeviceError} when memory runs out
   */
  static async of(
    weights: Weights,
    usage: ModelUsage,
    options: PredictorOptions = {},
  ): Promise<Predictor> {
    const { name } = weights.model;
    checkNames(name, weights.model, usage);
    using made = new DisposableStack();
    return await Predictor.#compiled(weights, usage, { ...options, name }, made);
  }

  static async #compiled(
    weights: Weights,
    usage: ModelUsage,
    { batchSize = 1, onProgress, name }: PredictorOptions & { readonly name: string },
    made: DisposableStack,
  ): Promise<Predictor> {
    const { model, stores, trainable: { device } } = weights;
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new UsageError(`Cannot predict ${batchSize} pictures at once, 1 or more are wanted`);
    }
    const atOnce = batchSize === 1
      ? 1
      : boundedBatch(device, [trace(model, usage, 1).probabilities], batchSize);
    const traced = trace(model, usage, atOnce), { logits, probabilities } = traced;
    const program = { outputs: [logits, probabilities] };
    const plan = made.use(await device.compile(program, { stores, onProgress }));
    return new Predictor(usage, weights, plan, traced, name, made.move());
  }

  /** Pictures a pass. */
  get batchSize(): number {
    return this.pixels.shape[0];
  }

  /**
   * The `top` likeliest classes of a picture, likeliest first.
   *
   * @param picture a decoded picture, or all bytes of a file
   * @param options `top` is the number of classes (default 5), `file` a name for messages
   * @throws {UsageError} when `top` is no whole number from 1
   * @throws {DataError} when the file cannot be decoded
   * @throws {CheckpointError} when the probabilities are no numbers, naming what is to blame
   * @throws {ShapeError} when the picture has not four bytes for each of its pixels
   * @throws {DeviceError} when the device was lost
   */
  async predict(
    picture: Image | Uint8Array,
    { top = 5, file }: { readonly top?: number; readonly file?: string } = {},
  ): Promise<Guess[]> {
    const { preparation } = this.usage;
    const pixels = picture instanceof Uint8Array
      ? preparePicture(picture, preparation, { file })
      : prepareImage(picture, preparation);
    const [guesses] = await this.predictPrepared(pixels, { top });
    return guesses;
  }

  /**
   * The `top` likeliest classes of each of some prepared pictures.
   *
   * @param pixels u32 `[n,height,width]`, as `preparePicture` makes them, of any number of pictures
   * @param options `top` is the number of classes (default 5)
   * @throws {UsageError} when `top` is no whole number from 1
   * @throws {CheckpointError} when the probabilities are no numbers, naming what is to blame
   * @throws {ShapeError} when there is no whole number of pictures
   * @throws {DeviceError} when the device was lost
   */
  async predictPrepared(
    pixels: Uint32Array<ArrayBuffer>,
    { top = 5 }: { readonly top?: number } = {},
  ): Promise<Guess[][]> {
    if (!Number.isSafeInteger(top) || top < 1) {
      throw new UsageError(`Cannot predict the ${top} likeliest classes, 1 or more are wanted`);
    }
    const { classes } = this.usage, all = await this.#scores(this.probabilities, pixels);
    return Array.from({ length: all.length / classes.length }, (_, k) => {
      const row = all.subarray(k * classes.length, (k + 1) * classes.length);
      return Array.from(row, (probability, c) => ({ label: classes[c], probability }))
        .sort((a, b) => b.probability - a.probability)
        .slice(0, top);
    });
  }

  /**
   * The logits of prepared pictures, `[n,classes]`: what the probabilities are the softmax of.
   *
   * @param pixels u32 `[n,height,width]`, as `preparePicture` makes them, of any number of pictures
   * @throws {CheckpointError} when they are no numbers, naming what is to blame
   * @throws {ShapeError} when there is no whole number of pictures
   * @throws {DeviceError} when the device was lost
   */
  logits(pixels: Uint32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    return this.#scores(this.#logits, pixels);
  }

  async #scores(
    output: Tensor,
    pixels: Uint32Array<ArrayBuffer>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const [batchSize, height, width] = this.pixels.shape, [, classes] = output.shape;
    const n = pixels.length / (height * width), scores = new Float32Array(n * classes);
    if (!Number.isInteger(n)) {
      throw new ShapeError(
        `Cannot predict: ${pixels.length} pixels are no whole number of pictures, a multiple of ` +
          `${height}×${width} is wanted`,
      );
    }
    for (let from = 0; from < n; from += batchSize) {
      const count = Math.min(batchSize, n - from), area = height * width;
      const own = pixels.subarray(from * area, (from + count) * area);
      const batch = count === batchSize ? own : new Uint32Array(batchSize * area);
      if (batch !== own) batch.set(own);
      scores.set(await this.#batch(output, batch, count * classes), from * classes);
    }
    return scores;
  }

  /** The first scores of a batch; those of its empty places are not looked at. */
  async #batch(
    output: Tensor,
    pixels: Uint32Array<ArrayBuffer>,
    count: number,
  ): Promise<Float32Array> {
    const feed = [[this.pixels, pixels] as const];
    this.plan.run(feed);
    const scores = (await this.plan.read(output) as Float32Array).subarray(0, count);
    if (scores.every(Number.isFinite)) return scores;
    throw nanError("predict", this.#name, await firstNaN(this.weights, output, [feed]));
  }

  /** Frees the plan, and the weights where it has loaded them. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

function trace(model: Model, { preparation }: ModelUsage, batchSize: number): Traced {
  const pass = new Pass({ train: false, batchSize });
  const { inputs: { pixels }, outputs } = classification(model, preparation)(pass);
  const { logits, probabilities } = outputs;
  return { pixels, logits, probabilities };
}

function checkNames(name: string, model: Model, { classes }: ModelUsage): void {
  if (classes.length === model.classes) return;
  throw new UsageError(
    `Cannot predict with ${name}: it has ${model.classes} outputs, ` +
      `${classes.length} names of classes are given`,
  );
}
