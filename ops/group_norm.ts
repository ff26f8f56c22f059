/** Normalisation within each example: over groups of channels, and over the last axis. */
import { ShapeError } from "../core/errors.ts";
import { apply, arg, primitives } from "../core/expr.ts";
import { applyOne, type MapOp, type Tensor } from "../core/graph.ts";
import { f32, show, sizeOf, type Type } from "../core/shape.ts";
import { reshape } from "../core/structure.ts";
import { checkDType } from "./check.ts";
import { add, mul, neg, rsqrt, square, sub } from "./pointwise.ts";
import { mean } from "./reduce.ts";

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance (default 1e-5). */
  readonly eps?: number;
}

/** Options of {@link groupNorm}. */
export interface GroupNormOptions extends LayerNormOptions {
  /** So many groups of neighbouring channels, a divisor of their number. */
  readonly groups: number;
}

interface NormalizeAttrs {
  readonly axes: readonly number[];
}

/**
 * `x̂ = (x − mean)·scale + shift` for statistics of x over some axes, a map, so that it melts with
 * what follows. Its gradient knows that all three are functions of x:
 * `dx = scale·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂))`.
 */
const normalizeOp: MapOp<NormalizeAttrs> = {
  kind: "map",
  name: "normalize",
  infer: ([x]) => [f32(x.shape)],
  expr: () => apply(primitives.fma, apply(primitives.sub, arg(0), arg(1)), arg(2), arg(3)),
  grad({ inputs: [, , scale], outputs: [y], attrs: { axes } }, [dy]) {
    if (!dy) return [null, null, null, null];
    const options = { axes, keepDims: true };
    const slope = mean(mul(dy, y), options), offset = mean(dy, options);
    return [mul(sub(sub(dy, mul(y, slope)), offset), scale), null, null, null];
  },
};

/** Mean 0 and variance 1 over the axes. */
function normalized(x: Tensor, axes: readonly number[], eps: number): Tensor {
  const options = { axes, keepDims: true };
  const centre = mean(x, options), moved = sub(x, centre);
  // What rounding has left of a large mean, so that it costs no digits.
  const rest = mean(moved, options);
  const variance = sub(mean(square(moved), options), square(rest));
  const scale = rsqrt(add(variance, eps));
  return applyOne(normalizeOp, [x, centre, scale, neg(mul(rest, scale))], { axes });
}

function checkChannels(action: string, x: Type, vectors: Readonly<Record<string, Type>>): void {
  const c = x.shape.at(-1) ?? 0;
  for (const [name, v] of Object.entries({ x, ...vectors })) checkDType(action, "", name, v);
  for (const [name, v] of Object.entries(vectors)) {
    if (v.shape.length === 1 && v.shape[0] === c) continue;
    throw new ShapeError(
      `Cannot ${action}: x ${show(x.shape)} has ${c} channels but ${name} is ${show(v.shape)}, ` +
        `[${c}] is wanted`,
    );
  }
}

/**
 * Group normalisation: each group of channels of each example has mean 0 and variance 1 over its
 * channels and all places, then every channel its own scale and shift. It does not depend on the
 * batch and has no running statistics.
 *
 * `y = (x − mean) / √(var + eps) · gamma + beta`, the variance biased
 *
 * Shapes: x `[n,…,c]`, gamma and beta `[c]` → `[n,…,c]`. Accuracy: a few roundings of f32, also where
 * the mean is thousands of deviations.
 *
 * @throws {ShapeError} when channels differ, the groups do not divide them, or a tensor is no f32
 * @source Wu & He 2018, arXiv:1803.08494
 */
export function groupNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { groups, eps = 1e-5 }: GroupNormOptions,
): Tensor {
  checkChannels("groupNorm", x, { gamma, beta });
  const n = x.shape[0], c = gamma.shape[0];
  if (!Number.isSafeInteger(groups) || groups < 1 || c % groups !== 0 || x.shape.length < 2) {
    throw new ShapeError(
      `Cannot groupNorm: x ${show(x.shape)} has ${c} channels in ${groups} groups, ` +
        "two axes and a divisor of the channels are wanted",
    );
  }
  const places = sizeOf(x.shape.slice(1, -1));
  const apart = normalized(reshape(x, [n, places, groups, c / groups]), [1, 3], eps);
  return add(mul(reshape(apart, x.shape), gamma), beta);
}

/**
 * Layer normalisation: every vector along the last axis has mean 0 and variance 1, then each
 * channel its own scale and shift.
 *
 * `y = (x − mean) / √(var + eps) · gamma + beta`, the variance biased
 *
 * Shapes: x `[…,c]`, gamma and beta `[c]` → `[…,c]`. Accuracy: as {@link groupNorm}.
 *
 * @throws {ShapeError} when channels differ, or a tensor is no f32
 * @source Ba et al. 2016, arXiv:1607.06450
 */
export function layerNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { eps = 1e-5 }: LayerNormOptions = {},
): Tensor {
  checkChannels("layerNorm", x, { gamma, beta });
  return add(mul(normalized(x, [x.shape.length - 1], eps), gamma), beta);
}
