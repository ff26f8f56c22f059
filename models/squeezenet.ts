/** SqueezeNet: ResNet-18's accuracy of its day with fifty times fewer parameters than AlexNet. */
import { ShapeError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { show } from "../core/shape.ts";
import { reshape } from "../core/structure.ts";
import { concat } from "../ops/layout.ts";
import { relu } from "../ops/pointwise.ts";
import { mean } from "../ops/reduce.ts";
import { fill, kaimingUniform, normal } from "./init.ts";
import { Conv2d, Dropout, flatten, type Layer, MaxPool2d, ReLU, Sequential } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";
import { parts } from "./parameter.ts";
import type { Pass } from "./pass.ts";
import { imagenetPreparation } from "./preparation.ts";

const conv = (from: number, to: number, kernel: number, padding = 0, stride = 1): Conv2d => {
  const init = kaimingUniform(kernel * kernel * from);
  return new Conv2d(from, to, kernel, { stride, padding, init, biasInit: fill(0) });
};

/**
 * Few channels by a 1×1 convolution, many again by 1×1 and 3×3 ones side by side: `[n,h,w,from]` →
 * `[n,h,w,2·expanded]`.
 *
 * @source Iandola et al. 2016, arXiv:1602.07360, figure 1
 */
export class Fire implements Layer {
  /** 1×1, from → squeezed. */
  readonly squeeze: Conv2d;
  /** 1×1, squeezed → expanded. */
  readonly expand1x1: Conv2d;
  /** 3×3, squeezed → expanded. */
  readonly expand3x3: Conv2d;

  /**
   * Makes the layers.
   *
   * @param from channels of the input
   * @param squeezed channels between
   * @param expanded channels of each half of the result
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor(from: number, squeezed: number, expanded: number) {
    this.squeeze = conv(from, squeezed, 1);
    this.expand1x1 = conv(squeezed, expanded, 1);
    this.expand3x3 = conv(squeezed, expanded, 3, 1);
  }

  /**
   * Both halves, side by side in the channels.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor): Tensor {
    const h = relu(this.squeeze.forward(x));
    return concat([relu(this.expand1x1.forward(h)), relu(this.expand3x3.forward(h))], 3);
  }
}

/** What tells one SqueezeNet from another. */
export interface SqueezeNetSettings {
  /** 1.1 computes 2.4 times less than 1.0. */
  readonly version: "1.0" | "1.1";
  /** Side of the pictures in pixels (default 224). */
  readonly inputSize?: number;
  /**
   * A pixel of zeros around the last 1×1 convolution, as in the first Caffe model: its border, where
   * the result is the bias alone, counts in the mean of each class (default false).
   */
  readonly paddedHead?: boolean;
}

/** As torchvision's, whose numbers are paths; pools round up. */
function bodyOf(version: "1.0" | "1.1", channels: number): Sequential {
  const pool = () => new MaxPool2d({ size: 3, stride: 2, ceilMode: true });
  const two = [new Fire(128, 32, 128), new Fire(256, 32, 128)] as const;
  const four = [
    ...[new Fire(256, 48, 192), new Fire(384, 48, 192)],
    ...[new Fire(384, 64, 256), new Fire(512, 64, 256)],
  ] as const;
  if (version === "1.1") {
    const stem = [conv(channels, 64, 3, 0, 2), new ReLU(), pool()];
    const first = [new Fire(64, 16, 64), new Fire(128, 16, 64)];
    return new Sequential(...stem, ...first, pool(), ...two, pool(), ...four);
  }
  const stem = [conv(channels, 96, 7, 0, 2), new ReLU(), pool()];
  const first = [new Fire(96, 16, 64), new Fire(128, 16, 64)];
  return new Sequential(
    ...stem,
    ...first,
    ...[two[0], pool(), two[1]],
    ...[...four.slice(0, 3), pool(), four[3]],
  );
}

/**
 * SqueezeNet; parameter paths and order are torchvision's (`features.0.weight`,
 * `features.3.squeeze.weight` …). Its classes are convolved, so that its features are a map.
 *
 * @source Iandola et al. 2016, "SqueezeNet", arXiv:1602.07360
 */
export class SqueezeNet implements Classifier {
  /** As in the table of models. */
  readonly name: string;
  /** Side of the pictures in pixels. */
  readonly inputSize: number;
  /** Number of logits. */
  classes: number;
  /** Channels of the pictures. */
  readonly channels: number;
  /** Stem, pools and blocks; `features` in paths. */
  readonly body: Sequential;
  /** Dropout, the 1×1 convolution from 512 channels to the classes, and ReLU. */
  readonly classifier: Sequential;
  readonly #padding: 0 | 1;

  /**
   * Makes the layers.
   *
   * @param name as in the table of models
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor(name: string, settings: SqueezeNetSettings, options: ModelOptions) {
    const { classes, channels = 3 } = options;
    this.name = name;
    this.classes = classes;
    this.channels = channels;
    this.inputSize = settings.inputSize ?? 224;
    this.#padding = settings.paddedHead ? 1 : 0;
    this.body = bodyOf(settings.version, channels);
    this.classifier = new Sequential(new Dropout(0.5), this.#lastLayer(classes), new ReLU());
  }

  #lastLayer(classes: number): Conv2d {
    const options = { padding: this.#padding, init: normal(0.01), biasInit: fill(0) };
    return new Conv2d(512, classes, 1, options);
  }

  /** Paths begin with `features` and `classifier`, as torchvision's. */
  [parts](): object {
    return { features: this.body, classifier: this.classifier };
  }

  /**
   * Pictures `[n,h,w,channels]`, normalised → the last map `[n,h',w',512]`, flattened: `[n,86528]`
   * for pictures of 224 pixels.
   *
   * @throws {ShapeError} when the pictures have other channels, or are too small
   */
  features(x: Tensor, pass: Pass): Tensor {
    return flatten(this.body.forward(x, pass));
  }

  /**
   * Features `[n,h'·w'·512]` of square pictures → logits `[n,classes]`. Where the head is not padded,
   * of pictures of any shape.
   *
   * @throws {ShapeError} when they are no map of 512 channels, or the head is padded and the map is
   *   no square
   */
  head(features: Tensor, pass: Pass): Tensor {
    const [n, size = 0] = features.shape, places = size / 512, side = Math.sqrt(places);
    if (!Number.isInteger(places) || (this.#padding > 0 && !Number.isInteger(side))) {
      throw new ShapeError(
        `Cannot classify by ${this.name}: its features are ${show(features.shape)}, ` +
          "a square map of 512 channels is wanted",
      );
    }
    const [h, w] = Number.isInteger(side) ? [side, side] : [1, places];
    return this.#classify(reshape(features, [n, h, w, 512]), pass);
  }

  #classify(map: Tensor, pass: Pass): Tensor {
    return mean(this.classifier.forward(map, pass), { axes: [1, 2] });
  }

  /** A new convolution in {@link classifier}. */
  resetHead(classes: number): void {
    this.classifier.layers[1] = this.#lastLayer(classes);
    this.classes = classes;
  }

  /** Pictures `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.#classify(this.body.forward(x, pass), pass);
  }
}

/** SqueezeNet 1.0 as torchvision's. */
export const squeezenet10: ModelEntry = {
  summary: "SqueezeNet 1.0, 1.25 million parameters, 224×224 pictures",
  preparation: imagenetPreparation,
  classes: 1000,
  published: "https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
  create: (options) => new SqueezeNet("squeezenet1_0", { version: "1.0" }, options),
};

/** SqueezeNet 1.1 as torchvision's. */
export const squeezenet11: ModelEntry = {
  summary: "SqueezeNet 1.1, 1.24 million parameters, 224×224 pictures",
  preparation: imagenetPreparation,
  classes: 1000,
  published: "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
  create: (options) => new SqueezeNet("squeezenet1_1", { version: "1.1" }, options),
};

/** SqueezeNet 1.0 as first published, for weights that were trained in Caffe. */
export const squeezenet10Caffe: ModelEntry = {
  summary:
    "SqueezeNet 1.0 with the padded head of Caffe, 1.25 million parameters, 227×227 pictures",
  preparation: { ...imagenetPreparation, height: 227, width: 227, share: 227 / 256 },
  classes: 1000,
  create(options) {
    const settings = { version: "1.0", inputSize: 227, paddedHead: true } as const;
    return new SqueezeNet("squeezenet1_0_caffe", settings, options);
  },
};
