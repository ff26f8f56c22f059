/** Where a net looks: which places of its last feature map speak for a class. */
import type { Device, Plan } from "../core/device.ts";
import { ShapeError, UsageError } from "../core/errors.ts";
import { grad } from "../core/grad.ts";
import { ancestors, type Node, type Tensor } from "../core/graph.ts";
import { input } from "../core/structure.ts";
import type { Classifier, Model } from "../models/model.ts";
import { Pass } from "../models/pass.ts";
import type { Preparation } from "../models/preparation.ts";
import type { Weights } from "../models/weights.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { mul, relu } from "../ops/pointwise.ts";
import { mean, sum } from "../ops/reduce.ts";
import type { HeatMap } from "./heat_overlay.ts";

/** A heat map, and which class it is of. */
export interface Explanation extends HeatMap {
  /** The class, an index. */
  readonly label: number;
}

/** What the plan is fed and answers. */
interface Traced {
  readonly pixels: Tensor;
  /** 1 for the class that is explained, else 0. */
  readonly chosen: Tensor;
  readonly logits: Tensor;
  readonly heat: Tensor;
}

/**
 * Grad-CAM: which places of the last feature map make a class likelier.
 *
 * `heat[i,j] = max(0, Σ_k α_k · A[i,j,k])`, where A is the last map `[h,w,k]` that the features are
 * made of, and `α_k = mean_ij ∂logit/∂A[i,j,k]`. Where the features are means over that map and the
 * head is linear, `α_k` is the head's weight over h·w, and this is Zhou's class activation map. Units
 * are those of the logit; a map of zeros says that nothing there speaks for the class.
 *
 * The map is as coarse as the net makes it: 7×7 for most nets and pictures of 224 pixels.
 *
 * @source Selvaraju et al. 2017, "Grad-CAM", arXiv:1610.02391, equations 1 and 2
 */
export class GradCam implements Disposable {
  readonly #traced: Traced;

  private constructor(
    /** Forward pass and gradients of one picture. */
    readonly plan: Plan,
    /** Number of classes. */
    readonly classes: number,
    traced: Traced,
  ) {
    this.#traced = traced;
  }

  /**
   * Compiles it for one picture at once, for weights on a device; they must outlive it.
   *
   * @throws {UsageError} when the net is not in two parts, `features` and `head`
   * @throws {ShapeError} when its features are made of no map, such as one that has a pixel only, or
   *   it does not take pictures of the preparation's size
   * @throws {DeviceError} when memory runs out
   */
  static async of(weights: Weights, preparation: Preparation): Promise<GradCam> {
    const { model, stores, trainable: { device } } = weights;
    const traced = trace(classifierOf(model), preparation);
    const plan = await compile(device, traced, stores);
    return new GradCam(plan, model.classes, traced);
  }

  /**
   * The heat map of a picture.
   *
   * @param pixels u32 `[height,width]`, as `preparePicture` makes them
   * @param label the class (default: the one with the largest logit)
   * @throws {UsageError} when the label is no class
   * @throws {ShapeError} when there are more or fewer pixels than the net sees
   * @throws {DeviceError} when the device was lost
   */
  async explain(pixels: Uint32Array<ArrayBuffer>, label?: number): Promise<Explanation> {
    const isClass = (k: number): boolean => Number.isSafeInteger(k) && k >= 0 && k < this.classes;
    if (label !== undefined && !isClass(label)) {
      throw new UsageError(
        `Cannot explain class ${label}: the net has ${this.classes}, a number from 0 to ` +
          `${this.classes - 1} is wanted`,
      );
    }
    const { heat } = this.#traced, own = label ?? await this.#likeliest(pixels);
    this.#run(pixels, own);
    const values = await this.plan.read(heat) as Float32Array<ArrayBuffer>;
    const [, height, width] = heat.shape;
    return { label: own, height, width, values };
  }

  async #likeliest(pixels: Uint32Array<ArrayBuffer>): Promise<number> {
    this.#run(pixels);
    const logits = await this.plan.read(this.#traced.logits);
    return logits.indexOf(Math.max(...logits));
  }

  #run(pixels: Uint32Array<ArrayBuffer>, label?: number): void {
    const chosen = new Float32Array(this.classes);
    if (label !== undefined) chosen[label] = 1;
    this.plan.run([[this.#traced.pixels, pixels], [this.#traced.chosen, chosen]]);
  }

  /** Frees the plan. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
  }
}

const compile = (device: Device, { logits, heat }: Traced, stores: Weights["stores"]) =>
  device.compile({ outputs: [logits, heat] }, { stores });

function classifierOf(model: Model): Classifier {
  if ("features" in model && "head" in model) return model as Classifier;
  throw new UsageError(
    `Cannot explain by ${model.name}: it is a net in one part, one with features and a head is ` +
      "wanted",
  );
}

function trace(model: Classifier, preparation: Preparation): Traced {
  const { height, width, channels, mean: means, std } = preparation;
  const pixels = input([1, height, width], "pixels", "u32"), pass = new Pass({ train: false });
  const picture = unpack(pixels, { channels, mean: means, std });
  const features = model.features(picture, pass), logits = model.head(features, pass);
  const map = lastMap(model, picture, features);
  const chosen = input([1, model.classes], "chosen");
  const [slope] = grad(sum(mul(logits, chosen)), [map]);
  const alpha = mean(slope, { axes: [1, 2], keepDims: true });
  return { pixels, chosen, logits, heat: relu(sum(mul(map, alpha), { axes: [3] })) };
}

/** The last map of more than a pixel that was made of the picture, on the way to the features. */
function lastMap(model: Model, picture: Tensor, features: Tensor): Tensor {
  const ofPicture = new Set<Node>([picture.node]), maps: Tensor[] = [];
  for (const node of ancestors([features])) {
    const inputs = node.inputs.filter((t) => ofPicture.has(t.node));
    if (inputs.length > 0) ofPicture.add(node);
    maps.push(...inputs.filter((t) => t !== picture && isMap(t)));
  }
  if (isMap(features)) maps.push(features);
  const last = maps.reduce<Tensor | undefined>(
    (a, b) => a && a.node.id > b.node.id ? a : b,
    undefined,
  );
  if (last !== undefined) return last;
  throw new ShapeError(
    `Cannot explain by ${model.name}: its features are made of no map of several pixels, ` +
      "one is wanted",
  );
}

const isMap = ({ shape }: Tensor): boolean => shape.length === 4 && shape[1] * shape[2] > 1;
