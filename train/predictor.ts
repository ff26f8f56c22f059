/** A trained net on pictures: files of any size → probabilities by class. */
import type { Device, Plan } from "../core/device.ts";
import { UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Image } from "../data/image.ts";
import { prepareImage, preparePicture } from "../data/preparation.ts";
import type { Checkpoint, ModelUsage } from "../models/checkpoint.ts";
import type { Model } from "../models/model.ts";
import { Pass } from "../models/pass.ts";
import { Weights } from "../models/weights.ts";
import { classification } from "./classification.ts";
import { firstNaN, nanError } from "./first_nan.ts";

/** A class and how likely it is. */
export interface Guess {
  /** Name of the class. */
  readonly label: string;
  /** Softmax of the logits; a measure of the model's own certainty. */
  readonly probability: number;
}

/** A compiled classifier for single pictures. */
export class Predictor implements Disposable {
  readonly #name: string;
  readonly #owned: DisposableStack;

  private constructor(
    /** Names of the classes and what is done to a picture. */
    readonly usage: ModelUsage,
    /** Its weights on the device. */
    readonly weights: Weights,
    /** Forward pass of one picture. */
    readonly plan: Plan,
    /** Input of the plan, u32 `[1,height,width]`. */
    readonly pixels: Tensor,
    /** Output of the plan, `[1,classes]`. */
    readonly probabilities: Tensor,
    name: string,
    owned: DisposableStack,
  ) {
    this.#name = name;
    this.#owned = owned;
  }

  /**
   * Loads a model file on a device.
   *
   * @throws {CheckpointError} when its tensors do not fit the model it names
   * @throws {UsageError} when it names fewer or more classes than the model tells apart
   * @throws {ShapeError} when the model does not take pictures of the preparation's size
   * @throws {DeviceError} when memory runs out
   */
  static async create(device: Device, checkpoint: Checkpoint): Promise<Predictor> {
    const { model, content, file } = checkpoint;
    checkNames(file, model, checkpoint);
    using made = new DisposableStack();
    const weights = made.use(new Weights(device, model));
    weights.load(content, {}, file);
    return await Predictor.#compiled(weights, checkpoint, file, made);
  }

  /**
   * Predicts with weights that are on a device, as they are at each prediction: those of a training
   * that goes on, say. They must outlive it.
   *
   * @param usage names of the classes, and what is done to a picture
   * @throws {UsageError} when it names fewer or more classes than the model tells apart
   * @throws {ShapeError} when the model does not take pictures of the preparation's size
   * @throws {DeviceError} when memory runs out
   */
  static async of(weights: Weights, usage: ModelUsage): Promise<Predictor> {
    const { name } = weights.model;
    checkNames(name, weights.model, usage);
    using made = new DisposableStack();
    return await Predictor.#compiled(weights, usage, name, made);
  }

  static async #compiled(
    weights: Weights,
    usage: ModelUsage,
    name: string,
    made: DisposableStack,
  ): Promise<Predictor> {
    const { model, stores, trainable: { device } } = weights;
    const { inputs, outputs } = classification(model, usage.preparation)(
      new Pass({ train: false }),
    );
    const { probabilities } = outputs;
    const plan = made.use(await device.compile({ outputs: [probabilities] }, { stores }));
    return new Predictor(usage, weights, plan, inputs.pixels, probabilities, name, made.move());
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
    const { preparation, classes } = this.usage;
    if (!Number.isSafeInteger(top) || top < 1) {
      throw new UsageError(`Cannot predict the ${top} likeliest classes, 1 or more are wanted`);
    }
    const pixels = picture instanceof Uint8Array
      ? preparePicture(picture, preparation, { file })
      : prepareImage(picture, preparation);
    const feed = [[this.pixels, pixels] as const];
    this.plan.run(feed);
    const probabilities = [...await this.plan.read(this.probabilities)];
    if (!probabilities.every(Number.isFinite)) {
      const cause = await firstNaN(this.weights, this.probabilities, [feed]);
      throw nanError("predict", this.#name, cause);
    }
    return probabilities
      .map((probability, k) => ({ label: classes[k], probability }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, top);
  }

  /** Frees the plan, and the weights where it has loaded them. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

function checkNames(name: string, model: Model, { classes }: ModelUsage): void {
  if (classes.length === model.classes) return;
  throw new UsageError(
    `Cannot predict with ${name}: it has ${model.classes} outputs, ` +
      `${classes.length} names of classes are given`,
  );
}
