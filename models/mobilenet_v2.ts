/** MobileNetV2: inverted residuals with linear bottlenecks, torchvision's and TensorFlow's. */
import type { Tensor } from "../core/graph.ts";
import { add } from "../ops/pointwise.ts";
import { mean } from "../ops/reduce.ts";
import { fill, kaimingNormal, normal } from "./init.ts";
import { BatchNorm2d, Conv2d, Dropout, type Layer, Linear, ReLU6, Sequential } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";
import { parts } from "./parameter.ts";
import type { Pass } from "./pass.ts";
import { imagenetPreparation, type Preparation } from "./preparation.ts";

/** What tells one MobileNetV2 from another. */
export interface MobileNetV2Settings {
  /**
   * How pictures are padded: PyTorch's half of the filter on every side (default), or TensorFlow's
   * `"same"`, which pads after a picture of even size only.
   */
  readonly padding?: "same" | "half";
  /** Convolutions have biases into which batch norms were folded, instead of these (default false). */
  readonly folded?: boolean;
}

/** Factor of the inner channels, channels, blocks and stride of each stage; table 2 of the paper. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

interface ConvSettings extends MobileNetV2Settings {
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
}

/** A convolution, and its batch norm unless that is folded. */
function convNorm(from: number, to: number, settings: ConvSettings): Layer[] {
  const { kernel, stride = 1, groups = 1, folded = false } = settings;
  const padding = settings.padding === "same" ? "same" : kernel >> 1;
  const init = kaimingNormal(kernel * kernel * to), biasInit = fill(0);
  const conv = new Conv2d(from, to, kernel, {
    ...{ stride, groups, padding, bias: folded, init, biasInit },
  });
  return folded ? [conv] : [conv, new BatchNorm2d(to)];
}

const convNormActivation = (from: number, to: number, settings: ConvSettings): Sequential =>
  new Sequential(...convNorm(from, to, settings), new ReLU6());

/**
 * Widens by a 1×1 convolution, filters each channel by a 3×3 one, narrows by a 1×1 one without
 * activation, and adds x where the shape allows it: `[n,h,w,from]` →
 * `[n,⌈h/stride⌉,⌈w/stride⌉,to]`.
 *
 * @source Sandler et al. 2018, arXiv:1801.04381, §3.3
 */
export class InvertedResidual implements Layer {
  /** The convolutions with batch norms and activations. */
  readonly conv: Sequential;
  readonly #adds: boolean;

  /**
   * Makes the layers.
   *
   * @param from channels of the input
   * @param to channels of the result
   * @param stride of the 3×3 convolution
   * @param widening factor of the inner channels; with 1 the first convolution is left out
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor(
    from: number,
    to: number,
    stride: number,
    widening: number,
    settings: MobileNetV2Settings = {},
  ) {
    const inner = from * widening, one = { ...settings, kernel: 1 };
    this.conv = new Sequential(
      ...(widening === 1 ? [] : [convNormActivation(from, inner, one)]),
      convNormActivation(inner, inner, { ...settings, kernel: 3, stride, groups: inner }),
      ...convNorm(inner, to, one),
    );
    this.#adds = stride === 1 && from === to;
  }

  /**
   * The convolutions, plus x where sizes are the same.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const y = this.conv.forward(x, pass);
    return this.#adds ? add(x, y) : y;
  }
}

/** Stem, 17 blocks, and the convolution to 1280 channels. */
function bodyOf(channels: number, settings: MobileNetV2Settings): Sequential {
  let from = 32;
  const blocks = stages.flatMap(([widening, to, depth, stride]) =>
    Array.from({ length: depth }, (_, k) => {
      const block = new InvertedResidual(from, to, k === 0 ? stride : 1, widening, settings);
      from = to;
      return block;
    })
  );
  return new Sequential(
    convNormActivation(channels, 32, { ...settings, kernel: 3, stride: 2 }),
    ...blocks,
    convNormActivation(320, 1280, { ...settings, kernel: 1 }),
  );
}

const lastLayer = (classes: number): Linear =>
  new Linear(1280, classes, { init: normal(0.01), biasInit: fill(0) });

/**
 * MobileNetV2; parameter paths and order are torchvision's (`features.0.0.weight` …).
 *
 * @source Sandler et al. 2018, "MobileNetV2", arXiv:1801.04381
 */
export class MobileNetV2 implements Classifier {
  /** As in the table of models. */
  readonly name: string;
  /** Side of the pictures in pixels. */
  readonly inputSize = 224;
  /** Number of logits. */
  classes: number;
  /** Channels of the pictures. */
  readonly channels: number;
  /** Stem, blocks and last convolution; `features` in paths. */
  readonly body: Sequential;
  /** Dropout and the linear layer from 1280 features to the logits. */
  readonly classifier: Sequential;

  /**
   * Makes the layers.
   *
   * @param name as in the table of models
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor(name: string, settings: MobileNetV2Settings, options: ModelOptions) {
    const { classes, channels = 3 } = options;
    this.name = name;
    this.classes = classes;
    this.channels = channels;
    this.body = bodyOf(channels, settings);
    this.classifier = new Sequential(new Dropout(0.2), lastLayer(classes));
  }

  /** Paths begin with `features` and `classifier`, as torchvision's. */
  [parts](): object {
    return { features: this.body, classifier: this.classifier };
  }

  /**
   * Pictures `[n,h,w,channels]`, normalised → the mean of each of the last channels, `[n,1280]`.
   *
   * @throws {ShapeError} when the pictures have other channels
   */
  features(x: Tensor, pass: Pass): Tensor {
    return mean(this.body.forward(x, pass), { axes: [1, 2] });
  }

  /** Features `[n,1280]` → logits `[n,classes]`. */
  head(features: Tensor, pass: Pass): Tensor {
    return this.classifier.forward(features, pass);
  }

  /** A new linear layer in {@link classifier}. */
  resetHead(classes: number): void {
    this.classifier.layers[1] = lastLayer(classes);
    this.classes = classes;
  }

  /** Pictures `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.head(this.features(x, pass), pass);
  }
}

/** MobileNetV2 as torchvision's. */
export const mobilenetV2: ModelEntry = {
  summary: "MobileNetV2, 3.5 million parameters, 224×224 pictures",
  preparation: imagenetPreparation,
  classes: 1000,
  published: "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
  create: (options) => new MobileNetV2("mobilenet_v2", {}, options),
};

const tensorflow: Preparation = {
  ...imagenetPreparation,
  ...{ mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
};

/** MobileNetV2 as TensorFlow's, for files whose batch norms are folded; class 0 is the background. */
export const tfMobilenetV2: ModelEntry = {
  summary:
    "MobileNetV2 as TensorFlow's, batch norm folded, 3.5 million parameters, 224×224 pictures",
  preparation: tensorflow,
  classes: 1001,
  create: (options) =>
    new MobileNetV2("tf_mobilenet_v2", { padding: "same", folded: true }, options),
};
