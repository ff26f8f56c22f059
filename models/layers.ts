/** Layers: small objects whose fields are parameters, and a `forward` that reads like the paper. */
import type { Tensor } from "../core/graph.ts";
import { ShapeError } from "../core/errors.ts";
import { show, sizeOf } from "../core/shape.ts";
import { reshape } from "../core/structure.ts";
import { batchNorm, batchNormInference } from "../ops/batch_norm.ts";
import { conv2d, type Conv2dOptions } from "../ops/conv2d.ts";
import { matmul } from "../ops/matmul.ts";
import { add } from "../ops/pointwise.ts";
import { fill, type Init, torchDefault } from "./init.ts";
import { parameter } from "./parameter.ts";

/** What a forward pass is told: never a global. */
export class Trace {
  readonly #observed: { statistic: Tensor; value: Tensor; momentum: number }[] = [];

  /** @param train true in training: batch statistics, dropout */
  constructor(readonly train: boolean) {}

  /** Notes that a running statistic moves towards a value of this batch. */
  observe(statistic: Tensor, value: Tensor, momentum: number): void {
    this.#observed.push({ statistic, value, momentum });
  }

  /** What was observed, for the training step to turn into updates. */
  get observed(): readonly { statistic: Tensor; value: Tensor; momentum: number }[] {
    return this.#observed;
  }
}

/** Anything with a forward pass. */
export interface Layer {
  forward(x: Tensor, trace: Trace): Tensor;
}

/** Options of {@link Conv2d}. */
export interface Conv2dLayerOptions extends Conv2dOptions {
  readonly bias?: boolean;
  readonly init?: Init;
}

/** Convolution of `[n,h,w,cin]` with square or oblong filters, see `ops.conv2d`. */
export class Conv2d implements Layer {
  readonly weight: Tensor;
  readonly bias?: Tensor;
  readonly #options: Conv2dOptions;

  constructor(
    channelsIn: number,
    channelsOut: number,
    kernel: number | readonly [number, number],
    { bias = true, init, ...options }: Conv2dLayerOptions = {},
  ) {
    const [kh, kw] = typeof kernel === "number" ? [kernel, kernel] : kernel;
    const perGroup = channelsIn / (options.groups ?? 1), fanIn = kh * kw * perGroup;
    const layout = { kind: "conv" } as const;
    this.weight = parameter([kh, kw, perGroup, channelsOut], {
      init: init ?? torchDefault(fanIn),
      layout,
    });
    if (bias) this.bias = parameter([channelsOut], { init: torchDefault(fanIn) });
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    const y = conv2d(x, this.weight, this.#options);
    return this.bias ? add(y, this.bias) : y;
  }
}

/** Options of {@link Linear}. */
export interface LinearOptions {
  readonly bias?: boolean;
  /** The image `[h,w,c]` that was flattened into the inputs; disk order is (c,h,w). */
  readonly flattened?: readonly [h: number, w: number, c: number];
  readonly init?: Init;
}

/** `x·W + b` for x `[n,in]`. */
export class Linear implements Layer {
  readonly weight: Tensor;
  readonly bias?: Tensor;

  constructor(inputs: number, outputs: number, options: LinearOptions = {}) {
    const { bias = true, flattened, init = torchDefault(inputs) } = options;
    if (flattened && sizeOf(flattened) !== inputs) {
      throw new ShapeError(
        `Cannot make a Linear: ${show(flattened)} does not flatten to ${inputs}`,
      );
    }
    this.weight = parameter([inputs, outputs], { init, layout: { kind: "linear", flattened } });
    if (bias) this.bias = parameter([outputs], { init: torchDefault(inputs) });
  }

  forward(x: Tensor): Tensor {
    const y = matmul(x, this.weight);
    return this.bias ? add(y, this.bias) : y;
  }
}

/**
 * Batch normalisation over all axes but the last, with PyTorch's running statistics:
 * `running ← (1 − momentum)·running + momentum·batch`, the variance unbiased.
 *
 * @source Ioffe & Szegedy 2015
 */
export class BatchNorm2d implements Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
  readonly #eps: number;
  readonly #momentum: number;

  constructor(channels: number, { eps = 1e-5, momentum = 0.1, scale = 1 } = {}) {
    this.weight = parameter([channels], { init: fill(scale) });
    this.bias = parameter([channels], { init: fill(0) });
    this.running_mean = parameter([channels], { init: fill(0), trainable: false });
    this.running_var = parameter([channels], { init: fill(1), trainable: false });
    this.#eps = eps;
    this.#momentum = momentum;
  }

  forward(x: Tensor, trace: Trace): Tensor {
    const eps = this.#eps;
    if (!trace.train) {
      const { weight, bias, running_mean, running_var } = this;
      return batchNormInference(x, weight, bias, running_mean, running_var, { eps });
    }
    const { y, mean, variance } = batchNorm(x, this.weight, this.bias, { eps });
    trace.observe(this.running_mean, mean, this.#momentum);
    trace.observe(this.running_var, variance, this.#momentum);
    return y;
  }
}

/** `[n,h,w,c]` → `[n, h·w·c]`. */
export function flatten(x: Tensor): Tensor {
  return reshape(x, [x.shape[0], -1]);
}
