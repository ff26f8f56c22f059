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
import type { Pass } from "./pass.ts";

/** Anything with a forward pass. */
export interface Layer {
  /**
   * The layer applied to `x`.
   *
   * @throws {ShapeError} when `x` does not fit the layer
   */
  forward(x: Tensor, pass: Pass): Tensor;
}

/** Options of {@link Conv2d}. */
export interface Conv2dLayerOptions extends Conv2dOptions {
  /** Add a learned number to every output channel (default true). */
  readonly bias?: boolean;
  /** How the weights begin (default {@link torchDefault}). */
  readonly init?: Init;
}

/** Convolution with square or oblong filters, `[n,h,w,cin]` → `[n,h',w',cout]`; see `ops.conv2d`. */
export class Conv2d implements Layer {
  /** Filters, `[kh,kw,cin/groups,cout]`. */
  readonly weight: Tensor;
  /** `[cout]`, unless switched off. */
  readonly bias?: Tensor;
  readonly #options: Conv2dOptions;

  /**
   * Makes the parameters.
   *
   * @param channelsIn cin, a multiple of the groups
   * @param channelsOut cout, a multiple of the groups
   * @param kernel height and width of the filters in pixels, one number for both
   * @throws {ShapeError} when a size is no whole number from 1
   */
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

  /**
   * `x ∗ weight + bias` for x `[n,h,w,cin]`.
   *
   * @throws {ShapeError} when channels differ, or no window fits
   */
  forward(x: Tensor): Tensor {
    const y = conv2d(x, this.weight, this.#options);
    return this.bias ? add(y, this.bias) : y;
  }
}

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Add a learned vector to the outputs (default true). */
  readonly bias?: boolean;
  /** The image `[h,w,c]` that was flattened into the inputs; disk order is (c,h,w). */
  readonly flattened?: readonly [h: number, w: number, c: number];
  /** How the weights begin (default {@link torchDefault}). */
  readonly init?: Init;
}

/** `x·W + b` for x `[n,in]` → `[n,out]`. */
export class Linear implements Layer {
  /** W, `[in,out]`. */
  readonly weight: Tensor;
  /** b, `[out]`, unless switched off. */
  readonly bias?: Tensor;

  /**
   * Makes the parameters.
   *
   * @param inputs elements of each row of x
   * @param outputs elements of each row of the result
   * @throws {ShapeError} when `flattened` has another number of elements than `inputs`, or a size
   *   is no whole number from 1
   */
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

  /**
   * `x·W + b` for x `[n,in]`.
   *
   * @throws {ShapeError} when the rows of x have another number of elements
   */
  forward(x: Tensor): Tensor {
    const y = matmul(x, this.weight);
    return this.bias ? add(y, this.bias) : y;
  }
}

/**
 * Batch normalisation of `[…,c]` over all axes but the last, with PyTorch's running statistics:
 * `running ← (1 − momentum)·running + momentum·batch`, the variance unbiased.
 *
 * @source Ioffe & Szegedy 2015, arXiv:1502.03167
 */
export class BatchNorm2d implements Layer {
  /** Factor of each channel, `[c]`; the paper's γ. */
  readonly weight: Tensor;
  /** Summand of each channel, `[c]`; the paper's β. */
  readonly bias: Tensor;
  /** Mean of each channel, `[c]`, used in evaluation; 0 at the start. */
  readonly running_mean: Tensor;
  /** Variance of each channel, `[c]`, used in evaluation; 1 at the start. */
  readonly running_var: Tensor;
  readonly #eps: number;
  readonly #momentum: number;

  /**
   * Makes parameters and statistics.
   *
   * @param channels c
   * @param options `eps` is added to the variance (default 1e-5), `momentum` is the share of a
   *   batch in the running statistics (default 0.1), `scale` is what γ begins with (default 1)
   * @throws {ShapeError} when `channels` is no whole number from 1
   */
  constructor(channels: number, { eps = 1e-5, momentum = 0.1, scale = 1 } = {}) {
    this.weight = parameter([channels], { init: fill(scale) });
    this.bias = parameter([channels], { init: fill(0) });
    this.running_mean = parameter([channels], { init: fill(0), trainable: false });
    this.running_var = parameter([channels], { init: fill(1), trainable: false });
    this.#eps = eps;
    this.#momentum = momentum;
  }

  /**
   * Normalises with the statistics of the batch in training, which the pass then notes, and with
   * the running ones in evaluation.
   *
   * @throws {ShapeError} when channels differ, or a training batch has one value per channel
   */
  forward(x: Tensor, pass: Pass): Tensor {
    const eps = this.#eps;
    if (!pass.trains(this)) {
      const { weight, bias, running_mean, running_var } = this;
      return batchNormInference(x, weight, bias, running_mean, running_var, { eps });
    }
    const { y, mean, variance } = batchNorm(x, this.weight, this.bias, { eps });
    pass.observe(this.running_mean, mean, this.#momentum);
    pass.observe(this.running_var, variance, this.#momentum);
    return y;
  }
}

/**
 * `[n,h,w,c]` → `[n, h·w·c]`, in memory order; tell the {@link Linear} that follows by `flattened`.
 *
 * @throws {ShapeError} when x is a scalar
 */
export function flatten(x: Tensor): Tensor {
  return reshape(x, [x.shape[0], -1]);
}
