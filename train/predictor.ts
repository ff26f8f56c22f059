/** A trained model on pictures: bytes of any size → probabilities by class. */
import type { Device, Plan } from "../core/device.ts";
import type { Tensor } from "../core/graph.ts";
import { input } from "../core/structure.ts";
import type { Checkpoint } from "../models/checkpoint.ts";
import { Pass } from "../models/pass.ts";
import { Weights } from "../models/weights.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { softmax } from "../ops/softmax.ts";
import { firstNaN, nanError } from "./first_nan.ts";
import { type Image, resizeImage } from "../data/image.ts";

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
    /** The model file: classes and preprocessing. */
    readonly checkpoint: Checkpoint,
    /** Its weights on the device. */
    readonly weights: Weights,
    /** Forward pass of one picture. */
    readonly plan: Plan,
    /** Input of the plan, u32 `[1,size,size]`. */
    readonly pixels: Tensor,
    /** Output of the plan, `[1,classes]`. */
    readonly probabilities: Tensor,
  ) {}

  /**
   * Loads a model file on a device.
   *
   * @throws {CheckpointError} when its tensors do not fit the model it names
   * @throws {DeviceError} when memory runs out
   */
  static async create(device: Device, checkpoint: Checkpoint): Promise<Predictor> {
    const { model, preparation } = checkpoint, size = model.inputSize;
    const weights = new Weights(device, model);
    try {
      weights.load(checkpoint.content, {}, checkpoint.file);
      const pixels = input([1, size, size], "pixels", "u32");
      const x = unpack(pixels, preparation);
      const probabilities = softmax(model.forward(x, new Pass({ train: false })));
      const plan = await device.compile({ outputs: [probabilities] }, { stores: weights.stores });
      return new Predictor(checkpoint, weights, plan, pixels, probabilities);
    } catch (error) {
      weights[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The `top` likeliest classes of a picture, likeliest first. The picture is resized as a whole,
   * whatever its proportions.
   *
   * @throws {CheckpointError} when the probabilities are no numbers, naming what is to blame
   * @throws {ShapeError} when the picture has not four bytes for each of its pixels
   * @throws {DeviceError} when the device was lost
   */
  async predict(image: Image, top = 5): Promise<Guess[]> {
    const { model: { inputSize }, preparation: { share } } = this.checkpoint;
    const contentSize = Math.round(share * inputSize);
    const square = padImage(resizeImage(image, contentSize, contentSize), inputSize);
    const feed = [[this.pixels, square] as const];
    this.plan.run(feed);
    const probabilities = [...await this.plan.read(this.probabilities)];
    if (!probabilities.every(Number.isFinite)) {
      const cause = await firstNaN(this.weights, this.probabilities, [feed]);
      throw nanError("predict", this.checkpoint.file, cause);
    }
    return probabilities
      .map((probability, k) => ({ label: this.checkpoint.classes[k], probability }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, top);
  }

  /** Frees plan and weights. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.weights[Symbol.dispose]();
  }
}

/** A square picture centred on black, as `u32` pixels. */
function padImage({ width, data }: Image, size: number): Uint32Array<ArrayBuffer> {
  // A copy: the pixels of a picture may start at any byte.
  const pixels = new Uint32Array(new Uint8Array(data).buffer);
  if (width === size) return pixels;
  const padded = new Uint32Array(size * size).fill(black), before = (size - width) >> 1;
  for (let y = 0; y < width; y++) {
    padded.set(pixels.subarray(y * width, (y + 1) * width), (before + y) * size + before);
  }
  return padded;
}

/** An opaque black pixel. */
const black = 0xff000000;
