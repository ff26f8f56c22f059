/**
 * Optimisers: how weights follow their gradients. Each is a rule over flat blocks, written as nodes
 * of the graph, so that the planner makes one kernel per block of it.
 */
import { UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/program.ts";
import { input } from "../core/structure.ts";
import { add, div, mul, sqrt, square, sub } from "../ops/pointwise.ts";

/** A block of weights with what an optimiser needs to move it; all are vectors of one size. */
export interface WeightBlock {
  /** The variable to move. */
  readonly weights: Tensor;
  /** Gradient of the loss for the weights. */
  readonly gradient: Tensor;
  /** One vector per moment, zero at the start. */
  readonly moments: readonly Tensor[];
}

/** An update rule. */
export interface Optimizer {
  /** As in a recipe and in the state of a run. */
  readonly name: string;
  /** Vectors of state per weight. */
  readonly moments: number;
  /** Scalars that change from step to step, given anew for each. */
  readonly scalars: readonly Tensor[];
  /** Values of the scalars at a step (from 1) with a learning rate. */
  scalarsAt(step: number, learningRate: number): readonly number[];
  /** New weights and moments of one block. */
  update(block: WeightBlock): readonly Update[];
}

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** μ: share of the velocity that is kept (default 0). */
  readonly momentum?: number;
  /** Step along the velocity that the next gradient will meet (default false). */
  readonly nesterov?: boolean;
  /** λ: added to the gradient as `λ · w` (default 0). */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent: `g ← g + λw`, `v ← μv + g`, `w ← w − η·v`, or `w − η·(g + μv)` with
 * Nesterov's momentum; PyTorch's form, in which the learning rate multiplies the velocity.
 *
 * @source Sutskever et al. 2013, "On the importance of initialization and momentum in deep
 *   learning", in the form of PyTorch's `SGD`
 * @throws {UsageError} for Nesterov's momentum without momentum
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  if (nesterov && momentum === 0) {
    throw new UsageError("Cannot make sgd: nesterov needs momentum, which is 0", {
      hint: "give a momentum such as 0.9",
    });
  }
  const rate = input([], "learning rate");
  return {
    name: "sgd",
    moments: momentum > 0 ? 1 : 0,
    scalars: [rate],
    scalarsAt: (_, learningRate) => [learningRate],
    update({ weights, gradient, moments: [velocity] }) {
      const g = decayed(gradient, weights, weightDecay);
      if (!velocity) return [[weights, sub(weights, mul(g, rate))]];
      const v = add(mul(velocity, momentum), g);
      const direction = nesterov ? add(g, mul(v, momentum)) : v;
      return [[velocity, v], [weights, sub(weights, mul(direction, rate))]];
    },
  };
}

/** Options of {@link adam} and {@link adamw}. */
export interface AdamOptions {
  /** β₁ and β₂: shares of the two moments that are kept (default 0.9, 0.999). */
  readonly betas?: readonly [number, number];
  /** ε: added to the root of the second moment (default 1e-8). */
  readonly eps?: number;
  /** λ: decay of the weights (default 0 for {@link adam}, 0.01 for {@link adamw}). */
  readonly weightDecay?: number;
}

/**
 * Adam with its weight decay added to the gradient, in PyTorch's form:
 * `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
 * `w ← w − η/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)`.
 *
 * @source Kingma & Ba 2015, arXiv:1412.6980, algorithm 1
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamRule("adam", options, false);
}

/**
 * Adam with decoupled weight decay: `w ← w − η·λ·w` before Adam's step.
 *
 * @source Loshchilov & Hutter 2019, arXiv:1711.05101
 */
export function adamw(options: AdamOptions = {}): Optimizer {
  return adamRule("adamw", { ...options, weightDecay: options.weightDecay ?? 0.01 }, true);
}

function adamRule(name: string, options: AdamOptions, decoupled: boolean): Optimizer {
  const { betas: [beta1, beta2] = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = options;
  const stepSize = input([], "step size");
  const correction = input([], "second moment correction");
  const keep = input([], "kept by decay");
  const decays = decoupled && weightDecay > 0;
  return {
    name,
    moments: 2,
    scalars: decays ? [stepSize, correction, keep] : [stepSize, correction],
    scalarsAt(step, learningRate) {
      const size = learningRate / (1 - beta1 ** step), scale = 1 / Math.sqrt(1 - beta2 ** step);
      return decays ? [size, scale, 1 - learningRate * weightDecay] : [size, scale];
    },
    update({ weights, gradient, moments: [first, second] }) {
      const g = decoupled ? gradient : decayed(gradient, weights, weightDecay);
      const m = add(mul(first, beta1), mul(g, 1 - beta1));
      const v = add(mul(second, beta2), mul(square(g), 1 - beta2));
      const step = div(mul(m, stepSize), add(mul(sqrt(v), correction), eps));
      const kept = decays ? mul(weights, keep) : weights;
      return [[first, m], [second, v], [weights, sub(kept, step)]];
    },
  };
}

const decayed = (gradient: Tensor, weights: Tensor, decay: number): Tensor =>
  decay === 0 ? gradient : add(gradient, mul(weights, decay));
