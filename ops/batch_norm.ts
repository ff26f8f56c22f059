/** Batch normalisation over all axes but the last: training, its gradient, and inference. */
import { ShapeError } from "../core/errors.ts";
import { apply, arg, type Expr, primitives } from "../core/expr.ts";
import {
  applyOne,
  applyOp,
  atLayer,
  type MacroOp,
  type MapOp,
  type Tensor,
} from "../core/graph.ts";
import { inputRef, outputRef } from "../core/kernel.ts";
import { f32, show, type Type } from "../core/shape.ts";
import { gradSumsProgram, statisticsProgram } from "./batch_norm_kernel.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";
import { add, mul, rsqrt, sub } from "./pointwise.ts";
import { rowsOf } from "./softmax.ts";

/** Options of {@link batchNorm} and {@link batchNormInference}. */
export interface BatchNormOptions {
  /** Added to the variance (default 1e-5). */
  readonly eps?: number;
}

/** Results of {@link batchNorm}. */
export interface BatchNormResult {
  /** Normalised x, of its shape. */
  readonly y: Tensor;
  /** Mean of each channel, `[c]`. It has no gradient: it feeds running statistics. */
  readonly mean: Tensor;
  /** Unbiased variance of each channel, `[c]`. It has no gradient either. */
  readonly variance: Tensor;
}

interface BatchNormAttrs {
  readonly eps: number;
}

/**
 * Outputs: mean, `inner`, unbiased variance, and the scale and shift with which {@link normalizeOp}
 * gets y from x. `inner` `[2,c]` is for the gradient: 1/√(variance + eps) of the biased variance,
 * and what f32 leaves of the mean.
 */
const statisticsOp: MacroOp<BatchNormAttrs> = {
  kind: "macro",
  name: "batchStatistics",
  infer([x, gamma, beta], _, where) {
    checkChannels("batchNorm", where, x, { gamma, beta });
    const [rows, c] = rowsOf(x);
    if (rows < 2) {
      throw new ShapeError(
        `Cannot batchNorm${where}: x ${show(x.shape)} has ${rows} value per channel, ` +
          "at least 2 are wanted for a variance; is this evaluation?",
      );
    }
    return [[c], [2, c], [c], [c], [c]].map((shape) => f32(shape));
  },
  grad(node, [mean, , variance, dgamma, dbeta]) {
    if (mean ?? variance) {
      throw new ShapeError(
        `Cannot differentiate ${node.label}: the loss reads its mean or variance, ` +
          "which have no gradient; a loss of y alone is wanted",
      );
    }
    // What normalizeOp hands to scale and shift are the gradients of gamma and beta already.
    return [null, dgamma ?? null, dbeta ?? null];
  },
  wasm({ inputs, attrs: { eps } }) {
    const [rows, c] = rowsOf(inputs[0]);
    const [x, gamma, beta] = [0, 1, 2].map(inputRef);
    const [mean, inner, variance, scale, shift] = [0, 1, 2, 3, 4].map(outputRef);
    return {
      calls: [
        call(
          "batch_statistics",
          x,
          gamma,
          beta,
          mean,
          inner,
          variance,
          scale,
          shift,
          rows,
          c,
          eps,
        ),
      ],
    };
  },
  wgsl: ({ inputs, attrs: { eps } }) => statisticsProgram(...rowsOf(inputs[0]), eps),
};

interface NormalizeAttrs {
  readonly inner: Tensor;
}

/**
 * `y = (x − mean)·scale + shift`, a map, so that it melts with the activation and the shortcut that
 * follow. With the mean subtracted first a large one costs no digits; `shift` is beta but for what
 * rounding the mean has left. Its gradient knows that all three are functions of x: with x̂ the
 * normalised x, `dx = scale·(dy − Σdy/rows − x̂·Σ(dy·x̂)/rows)`, which is a map again, as
 * `scale·(dy + slope·(x − mean) + offset)`.
 */
const normalizeOp: MapOp<NormalizeAttrs> = {
  kind: "map",
  name: "batchNorm",
  infer: ([x]) => [f32(x.shape)],
  expr: () => apply(primitives.fma, apply(primitives.sub, arg(0), arg(1)), arg(2), arg(3)),
  grad({ inputs: [x, mean, scale], attrs: { inner } }, [dy]) {
    if (!dy) return [null, null, null, null];
    const [dgamma, dbeta, slope, offset] = applyOp(gradSumsOp, [x, dy, mean, inner], undefined);
    const dx = applyOne(normalizeGradOp, [dy, x, mean, slope, offset, scale], undefined);
    return [dx, null, dgamma, dbeta];
  },
};

/** Inputs dy, x, mean, slope, offset, scale; no gradient. */
const normalizeGradOp: MapOp<void> = {
  kind: "map",
  name: "batchNormGrad",
  infer: ([x]) => [f32(x.shape)],
  expr() {
    const { sub, fma, add, mul } = primitives, [dy, x, mean, slope, offset, scale] = argsTo(6);
    const moved = apply(fma, apply(sub, x, mean), slope, offset);
    return apply(mul, apply(add, dy, moved), scale);
  },
};

const argsTo = (count: number): Expr[] => Array.from({ length: count }, (_, k) => arg(k));

/** Inputs: x, dy, mean, inner. Outputs: dgamma, dbeta, and slope and offset of x − mean in dx. */
const gradSumsOp: MacroOp<void> = {
  kind: "macro",
  name: "batchNormSums",
  infer: ([, , mean]) => Array.from({ length: 4 }, () => f32(mean.shape)),
  wasm({ inputs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const [x, dy, mean, inner] = [0, 1, 2, 3].map(inputRef);
    const [dgamma, dbeta, slope, offset] = [0, 1, 2, 3].map(outputRef);
    return {
      calls: [
        call("batch_norm_sums", x, dy, mean, inner, dgamma, dbeta, slope, offset, rows, c),
      ],
    };
  },
  wgsl: ({ inputs }) => gradSumsProgram(...rowsOf(inputs[0])),
};

/** x has channels in its last axis, and every vector one element per channel. */
function checkChannels(
  action: string,
  where: string,
  x: Type,
  vectors: Readonly<Record<string, Type>>,
): void {
  checkDType(action, where, "x", x);
  if (x.shape.length < 2) {
    throw new ShapeError(
      `Cannot ${action}${where}: x ${show(x.shape)} has ${x.shape.length} axes, ` +
        "at least 2 are wanted (rows and channels)",
    );
  }
  const c = x.shape.at(-1);
  for (const [name, v] of Object.entries(vectors)) {
    checkDType(action, where, name, v);
    if (v.shape.length === 1 && v.shape[0] === c) continue;
    throw new ShapeError(
      `Cannot ${action}${where}: x ${show(x.shape)} has ${c} channels but ${name} is ${
        show(v.shape)
      }, [${c}] is wanted`,
    );
  }
}

/**
 * Batch normalisation with the statistics of the batch, for training.
 *
 * `y = (x − mean) / √(var + eps) · gamma + beta`, with mean and biased variance of each channel
 * over all axes but the last.
 *
 * Shapes: x `[…,c]`, gamma and beta `[c]` → y `[…,c]`, mean and variance `[c]`. Gradients flow
 * through y alone, where the statistics count as functions of x; mean and variance are for running
 * averages. Accuracy: a few roundings of f32, also where the mean is thousands of deviations.
 *
 * @throws {ShapeError} when channels differ, a tensor is no f32, or a channel has less than 2 values
 * @source Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 1
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  options: BatchNormOptions = {},
): BatchNormResult {
  const { eps = 1e-5 } = options;
  const statistics = applyOp(statisticsOp, [x, gamma, beta], { eps });
  const [mean, inner, variance, scale, shift] = statistics, { path } = mean.node;
  const [y] = atLayer(path, () => applyOp(normalizeOp, [x, mean, scale, shift], { inner }));
  return { y, mean, variance };
}

/**
 * Batch normalisation with given statistics, for evaluation:
 * `y = (x − mean) · (gamma / √(variance + eps)) + beta`.
 *
 * Shapes: x `[…,c]`, the others `[c]` → `[…,c]`. It is pointwise, so it melts into its neighbours,
 * and differentiable in everything.
 *
 * @throws {ShapeError} when channels differ, or a tensor is no f32
 * @source Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 2
 */
export function batchNormInference(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  mean: Tensor,
  variance: Tensor,
  options: BatchNormOptions = {},
): Tensor {
  checkChannels("batchNormInference", "", x, { gamma, beta, mean, variance });
  const scale = mul(gamma, rsqrt(add(variance, options.eps ?? 1e-5)));
  return add(mul(sub(x, mean), scale), beta);
}
