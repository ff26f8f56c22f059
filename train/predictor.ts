/** A trained net on pictures: files of any size → probabilities by class. */
import type { Device, Plan } from "../core/device.ts";
import { UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Image } from "../data/image.ts";
import { prepareImage, preparePicture } from "../data/preparation.ts";
import type { Checkpoint } from "../models/checkpoint.ts";
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
  private constructor(
    /** The model file: classes and preparation. */
    readonly checkpoint: Checkpoint,
    /** Its weights on the device. */
    readonly weights: Weights,
    /** Forward pass of one picture. */
    readonly plan: Plan,
    /** Input of the plan, u32 `[1,height,width]`. */
    readonly pixels: Tensor,
    /** Output of the plan, `[1,classes]`. */
    readonly probabilities: Tensor,
  ) {}

  /**
   * Loads a model file on a device.
   *
   * @throws {CheckpointError} when its tensors do not fit the model it names
   * @throws {UsageError} when it names fewer or more classes than the model tells apart
   * @throws {DeviceError} when memory runs out
   */
  static async create(device: Device, checkpoint: Checkpoint): Promise<Predictor> {
    const { model, preparation, classes } = checkpoint;
    if (classes.length !== model.classes) {
      throw new UsageError(
        `Cannot predict with ${checkpoint.file}: it has ${model.classes} outputs, ` +
          `${classes.length} names of classes are given`,
      );
    }
    using made = new DisposableStack();
    const weights = made.use(new Weights(device, model));
    weights.load(checkpoint.content, {}, checkpoint.file);
    const { inputs, outputs } = classification(model, preparation)(new Pass({ train: false }));
    const { probabilities } = outputs;
    const plan = await device.compile({ outputs: [probabilities] }, { stores: weights.stores });
    made.move();
    return new Predictor(checkpoint, weights, plan, inputs.pixels, probabilities);
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
    const { preparation, classes } = this.checkpoint;
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
      throw nanError("predict", this.checkpoint.file, cause);
    }
    return probabilities
      .map((probability, k) => ({ label: classes[k], probability }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, top);
  }

  /** Frees plan and weights. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.weights[Symbol.dispose]();
  }
}
