/** EfficientNet-Lite: EfficientNet for small devices, without squeeze-and-excitation. */
import type { Tensor } from "../core/graph.ts";
import { add, relu6 } from "../ops/pointwise.ts";
import { mean } from "../ops/reduce.ts";
import { fill, normal, uniform } from "./init.ts";
import { BatchNorm2d, Conv2d, Dropout, DropPath, type Layer, Linear } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";
import type { Pass } from "./pass.ts";

/** Kernel, stride, factor of the inner channels, channels and blocks of each stage of Lite0. */
const stages = [
  [3, 1, 1, 16, 1],
  [3, 2, 6, 24, 2],
  [5, 2, 6, 40, 2],
  [3, 2, 6, 80, 3],
  [5, 1, 6, 112, 3],
  [5, 2, 6, 192, 4],
  [3, 1, 6, 320, 1],
] as const;

/** As TensorFlow has it. */
const norm = (channels: number): BatchNorm2d =>
  new BatchNorm2d(channels, { eps: 1e-3, momentum: 0.01 });

function conv(from: number, to: number, kernel: number, stride = 1, groups = 1): Conv2d {
  const init = normal(Math.sqrt(2 * groups / (kernel * kernel * to)));
  return new Conv2d(from, to, kernel, { stride, groups, padding: "same", bias: false, init });
}

/** What the blocks of a stage are made with. */
interface BlockSizes {
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride: number;
  /** Share of examples whose branch is left out in training. */
  readonly dropRate: number;
}

/** `x + dropPath(y)`, or y where sizes differ. */
function joined(x: Tensor, y: Tensor, adds: boolean, dropPath: DropPath, pass: Pass): Tensor {
  return adds ? add(dropPath.forward(y, pass), x) : y;
}

/**
 * A filter for each channel, then a 1×1 convolution without activation: the first stage's block;
 * `[n,h,w,from]` → `[n,⌈h/stride⌉,⌈w/stride⌉,to]`. Fields are named as timm's.
 */
export class SeparableBlock implements Layer {
  /** k×k, each channel by itself. */
  readonly conv_dw: Conv2d;
  /** Over the `from` channels. */
  readonly bn1: BatchNorm2d;
  /** 1×1, from → to. */
  readonly conv_pw: Conv2d;
  /** Over the `to` channels. */
  readonly bn2: BatchNorm2d;
  /** Leaves out the branch for some examples in training. */
  readonly dropPath: DropPath;
  readonly #adds: boolean;

  /**
   * Makes the layers.
   *
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor({ from, to, kernel, stride, dropRate }: BlockSizes) {
    this.conv_dw = conv(from, from, kernel, stride, from);
    this.bn1 = norm(from);
    this.conv_pw = conv(from, to, 1);
    this.bn2 = norm(to);
    this.dropPath = new DropPath(dropRate);
    this.#adds = stride === 1 && from === to;
  }

  /**
   * The convolutions, plus x where sizes are the same.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const filtered = relu6(this.bn1.forward(this.conv_dw.forward(x), pass));
    const y = this.bn2.forward(this.conv_pw.forward(filtered), pass);
    return joined(x, y, this.#adds, this.dropPath, pass);
  }
}

/**
 * MobileNetV2's inverted residual with filters of 3×3 or 5×5: `[n,h,w,from]` →
 * `[n,⌈h/stride⌉,⌈w/stride⌉,to]`. Fields are named as timm's.
 */
export class LiteBlock implements Layer {
  /** 1×1, from → inner. */
  readonly conv_pw: Conv2d;
  /** Over the inner channels. */
  readonly bn1: BatchNorm2d;
  /** k×k, each channel by itself. */
  readonly conv_dw: Conv2d;
  /** Over the inner channels. */
  readonly bn2: BatchNorm2d;
  /** 1×1, inner → to. */
  readonly conv_pwl: Conv2d;
  /** Over the `to` channels. */
  readonly bn3: BatchNorm2d;
  /** Leaves out the branch for some examples in training. */
  readonly dropPath: DropPath;
  readonly #adds: boolean;

  /**
   * Makes the layers.
   *
   * @param widening factor of the inner channels
   * @throws {ShapeError} when a number of channels is no whole number from 1
   */
  constructor({ from, to, kernel, stride, dropRate }: BlockSizes, widening: number) {
    const inner = from * widening;
    this.conv_pw = conv(from, inner, 1);
    this.bn1 = norm(inner);
    this.conv_dw = conv(inner, inner, kernel, stride, inner);
    this.bn2 = norm(inner);
    this.conv_pwl = conv(inner, to, 1);
    this.bn3 = norm(to);
    this.dropPath = new DropPath(dropRate);
    this.#adds = stride === 1 && from === to;
  }

  /**
   * The convolutions, plus x where sizes are the same.
   *
   * @throws {ShapeError} when x has other channels than `from`
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const wide = relu6(this.bn1.forward(this.conv_pw.forward(x), pass));
    const filtered = relu6(this.bn2.forward(this.conv_dw.forward(wide), pass));
    const y = this.bn3.forward(this.conv_pwl.forward(filtered), pass);
    return joined(x, y, this.#adds, this.dropPath, pass);
  }
}

/** What tells one EfficientNet-Lite from another. */
export interface EfficientNetLiteSettings {
  /** Factor of the channels, rounded to eights. */
  readonly width: number;
  /** Factor of the number of blocks, rounded up; the first and the last stage keep theirs. */
  readonly depth: number;
  /** Side of the pictures in pixels. */
  readonly inputSize: number;
  /** Rate of the dropout before the last layer. */
  readonly dropout: number;
}

/** The nearest multiple of 8, but never less than 90 % of the channels. */
function scaled(channels: number, width: number): number {
  const wanted = channels * width, rounded = Math.max(8, Math.floor((wanted + 4) / 8) * 8);
  return rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

/** Rate at which the last block's branch is left out; the first one's never is. */
const dropConnect = 0.2;

function blocksOf({ width, depth }: EfficientNetLiteSettings): (SeparableBlock | LiteBlock)[][] {
  const ends = [0, stages.length - 1];
  const counts = stages.map(([, , , , n], k) => ends.includes(k) ? n : Math.ceil(n * depth));
  const total = counts.reduce((a, b) => a + b);
  let from = 32, made = 0;
  return stages.map(([kernel, stride, widening, channels], s) =>
    Array.from({ length: counts[s] }, (_, k) => {
      const to = scaled(channels, width), dropRate = dropConnect * made++ / total;
      const sizes = { from, to, kernel, stride: k === 0 ? stride : 1, dropRate };
      from = to;
      return widening === 1 ? new SeparableBlock(sizes) : new LiteBlock(sizes, widening);
    })
  );
}

const lastLayer = (classes: number): Linear =>
  new Linear(1280, classes, { init: uniform(1 / Math.sqrt(classes)), biasInit: fill(0) });

/**
 * EfficientNet-Lite; parameter paths and order are timm's (`blocks.1.0.conv_pw.weight` …). Pictures
 * are padded as TensorFlow does it.
 *
 * @source Tan & Le 2019, "EfficientNet", arXiv:1905.11946; "EfficientNet-lite" in tensorflow/tpu, 2020
 */
export class EfficientNetLite implements Classifier {
  /** As in the table of models. */
  readonly name: string;
  /** Side of the pictures in pixels. */
  readonly inputSize: number;
  /** Number of logits. */
  classes: number;
  /** Channels of the pictures. */
  readonly channels: number;
  /** 3×3 with stride 2, channels → 32. */
  readonly conv_stem: Conv2d;
  /** Over the 32 channels of the stem. */
  readonly bn1: BatchNorm2d;
  /** Seven stages of blocks. */
  readonly blocks: readonly (readonly (SeparableBlock | LiteBlock)[])[];
  /** 1×1 to 1280 channels. */
  readonly conv_head: Conv2d;
  /** Over the 1280 channels. */
  readonly bn2: BatchNorm2d;
  /** Of the features, before the last layer. */
  readonly dropout: Dropout;
  /** From 1280 features to the logits. */
  classifier: Linear;

  /**
   * Makes the layers.
   *
   * @param name as in the table of models
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor(name: string, settings: EfficientNetLiteSettings, options: ModelOptions) {
    const { classes, channels = 3 } = options;
    this.name = name;
    this.inputSize = settings.inputSize;
    this.classes = classes;
    this.channels = channels;
    this.conv_stem = conv(channels, 32, 3, 2);
    this.bn1 = norm(32);
    this.blocks = blocksOf(settings);
    this.conv_head = conv(scaled(320, settings.width), 1280, 1);
    this.bn2 = norm(1280);
    this.dropout = new Dropout(settings.dropout);
    this.classifier = lastLayer(classes);
  }

  /**
   * Pictures `[n,h,w,channels]`, normalised → the mean of each of the last channels, `[n,1280]`.
   *
   * @throws {ShapeError} when the pictures have other channels
   */
  features(x: Tensor, pass: Pass): Tensor {
    let h = relu6(this.bn1.forward(this.conv_stem.forward(x), pass));
    for (const block of this.blocks.flat()) h = block.forward(h, pass);
    const last = relu6(this.bn2.forward(this.conv_head.forward(h), pass));
    return mean(last, { axes: [1, 2] });
  }

  /** Features `[n,1280]` → logits `[n,classes]`. */
  head(features: Tensor, pass: Pass): Tensor {
    return this.classifier.forward(this.dropout.forward(features, pass));
  }

  /** A new {@link classifier}. */
  resetHead(classes: number): void {
    this.classifier = lastLayer(classes);
    this.classes = classes;
  }

  /** Pictures `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor, pass: Pass): Tensor {
    return this.head(this.features(x, pass), pass);
  }
}

/** The layers of a net and of a block by their names in the efficientnet-pytorch port. */
const netNames: Readonly<Record<string, string>> = {
  ...{ _conv_stem: "conv_stem", _bn0: "bn1", _conv_head: "conv_head", _bn1: "bn2" },
  _fc: "classifier",
};
const separableNames: Readonly<Record<string, string>> = {
  ...{ _depthwise_conv: "conv_dw", _bn1: "bn1", _project_conv: "conv_pw", _bn2: "bn2" },
};
const blockNames: Readonly<Record<string, string>> = {
  ...{ _expand_conv: "conv_pw", _bn0: "bn1", _depthwise_conv: "conv_dw", _bn1: "bn2" },
  ...{ _project_conv: "conv_pwl", _bn2: "bn3" },
};

/**
 * Translates names of the efficientnet-pytorch port (`_blocks.2._expand_conv.weight`), whose blocks
 * are numbered through, to those of this net (`blocks.1.1.conv_pw.weight`).
 *
 * @returns the name here for a name there; names of no such form are given back as they are
 */
export function renameEfficientnetPytorch(net: EfficientNetLite): (path: string) => string {
  const places = net.blocks.flatMap((stage, s) =>
    stage.map((block, b) => ({
      path: `blocks.${s}.${b}`,
      names: block instanceof SeparableBlock ? separableNames : blockNames,
    }))
  );
  const lookUp = (names: Readonly<Record<string, string>>, name: string): string | undefined =>
    Object.hasOwn(names, name) ? names[name] : undefined;
  return (path) => {
    const [first, ...rest] = path.split(".");
    if (first !== "_blocks") return [lookUp(netNames, first) ?? first, ...rest].join(".");
    const [number, layer = "", ...last] = rest, place = places[Number(number)];
    const name = place && lookUp(place.names, layer);
    return name ? [place.path, name, ...last].join(".") : path;
  };
}

/** Google's cuts 32 pixels off a picture's shorter side, as for ImageNet's usual 224 of 256. */
const entry = (number: number, size: string, settings: EfficientNetLiteSettings): ModelEntry => {
  const { inputSize } = settings, center = 127 / 255, deviation = 128 / 255;
  return {
    summary:
      `EfficientNet-Lite${number}, ${size} million parameters, ${inputSize}×${inputSize} pictures`,
    preparation: {
      ...{ height: inputSize, width: inputSize, fit: "crop", share: inputSize / (inputSize + 32) },
      ...{ filter: "bicubic", channels: 3, mean: [center, center, center] },
      std: [deviation, deviation, deviation],
    },
    classes: 1000,
    create: (options) => new EfficientNetLite(`tf_efficientnet_lite${number}`, settings, options),
    rename: (net) => net instanceof EfficientNetLite ? renameEfficientnetPytorch(net) : (n) => n,
  };
};

/** The smallest, for pictures of 224 pixels. */
export const efficientnetLite0: ModelEntry = entry(0, "4.7", {
  ...{ width: 1, depth: 1, inputSize: 224, dropout: 0.2 },
});
/** For pictures of 240 pixels. */
export const efficientnetLite1: ModelEntry = entry(1, "5.4", {
  ...{ width: 1, depth: 1.1, inputSize: 240, dropout: 0.2 },
});
/** For pictures of 260 pixels. */
export const efficientnetLite2: ModelEntry = entry(2, "6.1", {
  ...{ width: 1.1, depth: 1.2, inputSize: 260, dropout: 0.3 },
});
/** For pictures of 280 pixels. */
export const efficientnetLite3: ModelEntry = entry(3, "8.2", {
  ...{ width: 1.2, depth: 1.4, inputSize: 280, dropout: 0.3 },
});
/** The largest, for pictures of 300 pixels. */
export const efficientnetLite4: ModelEntry = entry(4, "13.0", {
  ...{ width: 1.4, depth: 1.8, inputSize: 300, dropout: 0.3 },
});
