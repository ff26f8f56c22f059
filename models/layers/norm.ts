/** Normalisation over the batch, over groups of channels, and over the last axis. */
import type { Tensor } from "../../core/graph.ts";
import { batchNorm, batchNormInference } from "../../ops/batch_norm.ts";
import { groupNorm, layerNorm } from "../../ops/group_norm.ts";
import { fill } from "../init.ts";
import { parameter } from "../parameter.ts";
import type { Pass } from "../pass.ts";
import type { Layer } from "./layer.ts";

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
 * Group normalisation of `[n,…,c]`: each group of channels of each example has mean 0 and variance
 * 1. The same in training and evaluation; see `ops.groupNorm`.
 *
 * @source Wu & He 2018, arXiv:1803.08494
 */
export class GroupNorm implements Layer {
  /** Factor of each channel, `[c]`. */
  readonly weight: Tensor;
  /** Summand of each channel, `[c]`. */
  readonly bias: Tensor;
  readonly #options: { readonly groups: number; readonly eps: number };

  /**
   * Makes the parameters.
   *
   * @param groups a divisor of the channels
   * @param channels c
   * @param options `eps` is added to the variance (default 1e-5)
   * @throws {ShapeError} when `channels` is no whole number from 1
   */
  constructor(groups: number, channels: number, { eps = 1e-5 } = {}) {
    this.weight = parameter([channels], { init: fill(1) });
    this.bias = parameter([channels], { init: fill(0) });
    this.#options = { groups, eps };
  }

  /**
   * `[n,…,c]` → `[n,…,c]`.
   *
   * @throws {ShapeError} when channels differ, or the groups do not divide them
   */
  forward(x: Tensor): Tensor {
    return groupNorm(x, this.weight, this.bias, this.#options);
  }
}

/**
 * Layer normalisation of `[…,c]` over the last axis, the same in training and evaluation; see
 * `ops.layerNorm`.
 *
 * @source Ba et al. 2016, arXiv:1607.06450
 */
export class LayerNorm implements Layer {
  /** Factor of each channel, `[c]`. */
  readonly weight: Tensor;
  /** Summand of each channel, `[c]`. */
  readonly bias: Tensor;
  readonly #eps: number;

  /**
   * Makes the parameters.
   *
   * @param channels c
   * @param options `eps` is added to the variance (default 1e-5)
   * @throws {ShapeError} when `channels` is no whole number from 1
   */
  constructor(channels: number, { eps = 1e-5 } = {}) {
    this.weight = parameter([channels], { init: fill(1) });
    this.bias = parameter([channels], { init: fill(0) });
    this.#eps = eps;
  }

  /**
   * `[…,c]` → `[…,c]`.
   *
   * @throws {ShapeError} when channels differ
   */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, { eps: this.#eps });
  }
}
