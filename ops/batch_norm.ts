/** Batch normalisation over all axes but the last: training, its gradient, and inference. */
import { ShapeError } from "../core/errors.ts";
import { apply, arg, primitives } from "../core/expr.ts";
import { applyOne, applyOp, type MacroOp, type MapOp, type Tensor } from "../core/graph.ts";
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
 * Outputs: mean, 1/√(variance + eps) of the biased variance, unbiased variance, and the scale and
 * shift with which {@link normalizeOp} gets y from x.
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
    return Array.from({ length: 5 }, () => f32([c]));
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
    const [mean, invStd, variance, scale, shift] = [0, 1, 2, 3, 4].map(outputRef);
    return {
      calls: [
        call(
          "batch_statistics",
          x,
          gamma,
          beta,
          mean,
          invStd,
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
  readonly mean: Tensor;
  readonly invStd: Tensor;
}

/**
 * `y = x·scale + shift`, a map, so that it melts with the activation and the shortcut that follow.
 * Its gradient knows that scale and shift are functions of x: with x̂ the normalised x,
 * `dx = scale·(dy − Σdy/rows − x̂·Σ(dy·x̂)/rows)`, which is a map again, with the last product as
 * `slope·(x − mean)`.
 */
const normalizeOp: MapOp<NormalizeAttrs> = {
  kind: "map",
  name: "batchNorm",
  infer: ([x]) => [f32(x.shape)],
  expr: () => apply(primitives.add, apply(primitives.mul, arg(0), arg(1)), arg(2)),
  grad({ inputs: [x, scale], attrs: { mean, invStd } }, [dy]) {
    if (!dy) return [null, null, null];
    const sums = applyOp(gradSumsOp, [x, dy, mean, invStd, scale], undefined);
    const [dgamma, dbeta, slope] = sums, [rows] = rowsOf(x);
    const centred = mul(sub(dy, mul(dbeta, 1 / rows)), scale);
    return [add(centred, mul(sub(x, mean), slope)), dgamma, dbeta];
  },
};

/** Inputs: x, dy, mean, invStd, scale. Outputs: dgamma, dbeta, and the slope of x in dx. */
const gradSumsOp: MacroOp<void> = {
  kind: "macro",
  name: "batchNormGrad",
  infer: ([, , mean]) => Array.from({ length: 3 }, () => f32(mean.shape)),
  wasm({ inputs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const [x, dy, mean, invStd, scale] = [0, 1, 2, 3, 4].map(inputRef);
    const [dgamma, dbeta, slope] = [0, 1, 2].map(outputRef);
    return {
      calls: [
        call("batch_norm_sums", x, dy, mean, invStd, scale, dgamma, dbeta, slope, rows, c),
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
 * averages. Accuracy: f32, variance in two passes, so that a large mean cancels nothing.
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
  const [mean, invStd, variance, scale, shift] = statistics;
  return { y: applyOne(normalizeOp, [x, scale, shift], { mean, invStd }), mean, variance };
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
