/** Minimising a smooth function of many numbers by its gradient: for problems without noise. */
import { UsageError } from "../core/errors.ts";

/** A value and its gradient. */
export interface Slope {
  /** f(x). */
  readonly value: number;
  /** ∇f(x), as many numbers as x has. */
  readonly gradient: Float64Array;
}

/** A function with its gradient; it must not keep `x`. */
export type Smooth = (x: Float64Array) => Slope | Promise<Slope>;

/** Options of {@link minimize}. */
export interface MinimizeOptions {
  /** Most steps (default 200). */
  readonly steps?: number;
  /** Pairs of steps that stand for the curvature (default 10). */
  readonly memory?: number;
  /** Ends where no element of the gradient is larger than this (default 1e-4). */
  readonly tolerance?: number;
  /** Ends it early, with the best found so far. */
  readonly signal?: AbortSignal;
}

/** What {@link minimize} came to. */
export interface Minimum extends Slope {
  /** Where. */
  readonly x: Float64Array;
  /** Steps taken. */
  readonly steps: number;
  /** Whether the gradient fell below the tolerance. */
  readonly converged: boolean;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
};

/** `a + scale·b`, in a new array. */
const along = (a: Float64Array, b: Float64Array, scale: number): Float64Array<ArrayBuffer> =>
  Float64Array.from(a, (v, k) => v + scale * b[k]);

const largest = (a: Float64Array): number => a.reduce((m, v) => Math.max(m, Math.abs(v)), 0);

/** A step, and how it changed the gradient. */
interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
}

/** The direction of Newton's method as far as the pairs tell it: the two loops of the paper. */
function direction(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  let q = Float64Array.from(gradient, (v) => -v);
  const alphas = pairs.toReversed().map(({ s, y }) => {
    const alpha = dot(s, q) / dot(y, s);
    q = along(q, y, -alpha);
    return alpha;
  }).reverse();
  const last = pairs.at(-1);
  const scale = last ? dot(last.s, last.y) / dot(last.y, last.y) : 1 / Math.max(1, largest(q));
  let r = q.map((v) => v * scale);
  for (const [k, { s, y }] of pairs.entries()) {
    r = along(r, s, alphas[k] - dot(y, r) / dot(y, s));
  }
  return r;
}

/** Share of the slope that a step must keep of what it promised (Armijo), and may leave (Wolfe). */
const enough = 1e-4, flat = 0.9;

/** A step along a direction that fulfils Wolfe's conditions, by doubling and halving. */
async function search(
  f: Smooth,
  x: Float64Array,
  at: Slope,
  d: Float64Array,
): Promise<{ readonly x: Float64Array; readonly slope: Slope } | undefined> {
  const slope0 = dot(at.gradient, d);
  let low = 0, high = Infinity, t = 1, best: { x: Float64Array; slope: Slope } | undefined;
  for (let trial = 0; trial < 30; trial++) {
    const next = along(x, d, t), slope = await f(next);
    if (!(slope.value <= at.value + enough * t * slope0)) high = t;
    else {
      best = { x: next, slope };
      if (dot(slope.gradient, d) >= flat * slope0) return best;
      low = t;
    }
    t = high === Infinity ? 2 * low : (low + high) / 2;
  }
  return best;
}

/**
 * Looks for the least value of a smooth function by the limited-memory method of Broyden, Fletcher,
 * Goldfarb and Shanno. For a convex function that is the least there is.
 *
 * @param start where to begin; stays as it is
 * @throws {UsageError} when the function is no finite number at the start
 * @source Nocedal & Wright 2006, "Numerical optimization", algorithms 3.5 and 7.5
 * @example The bottom of a bowl
 * ```ts
 * import { minimize } from "../mod.ts";
 * const bowl = (x: Float64Array) => {
 *   return { value: (x[0] - 3) ** 2, gradient: Float64Array.of(2 * (x[0] - 3)) };
 * };
 * const { x } = await minimize(bowl, Float64Array.of(0));
 * console.log(x[0].toFixed(3)); // 3.000
 * ```
 */
export async function minimize(
  f: Smooth,
  start: Float64Array,
  { steps = 200, memory = 10, tolerance = 1e-4, signal }: MinimizeOptions = {},
): Promise<Minimum> {
  let x: Float64Array = start.slice(), at = await f(x);
  if (!Number.isFinite(at.value)) {
    throw new UsageError(`Cannot minimize: the function is ${at.value} at the start`);
  }
  const pairs: Pair[] = [];
  for (let step = 0;; step++) {
    const converged = largest(at.gradient) <= tolerance;
    if (converged || step >= steps || signal?.aborted) return { x, ...at, steps: step, converged };
    const d = direction(at.gradient, pairs);
    const found = await search(f, x, at, d);
    if (!found) {
      // No descent along what the pairs say: rounding has spoilt them, or this is the end.
      if (pairs.length === 0) return { x, ...at, steps: step, converged };
      pairs.length = 0;
      continue;
    }
    const s = along(found.x, x, -1), y = along(found.slope.gradient, at.gradient, -1);
    if (dot(s, y) > 1e-12 * dot(y, y)) pairs.push({ s, y });
    if (pairs.length > memory) pairs.shift();
    x = found.x;
    at = found.slope;
  }
}
