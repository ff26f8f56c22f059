/**
 * Pointwise operations, one row each: name, expression, gradient. Inputs broadcast as in NumPy;
 * the planner melts chains of them into one kernel.
 */
import { apply, arg, type Expr, type Primitive, primitives as p } from "../core/expr.ts";
import { applyOne, type MapOp, type Tensor } from "../core/graph.ts";
import { broadcastShapes, f32, type Type } from "../core/shape.ts";
import { full } from "../core/structure.ts";
import { checkDType } from "./check.ts";
import { sumTo } from "./reduce.ts";

/** A tensor, or a number that is written into the kernel. */
export type Value = Tensor | number;

const lift = (v: Value): Tensor => typeof v === "number" ? full(v) : v;

/** Gradients of a row: the inputs, the output, the output's gradient → one per input. */
type RowGrad = (inputs: readonly Tensor[], dy: Tensor, y: Tensor) => readonly (Tensor | null)[];

function row(name: string, expr: Expr, grad: RowGrad): MapOp<void> {
  return {
    kind: "map",
    name,
    infer(inputs: readonly Type[], _, where) {
      for (const [k, x] of inputs.entries()) checkDType(name, where, `input ${k}`, x);
      return [f32(broadcastShapes(`${name}${where}`, ...inputs.map((x) => x.shape)))];
    },
    expr: () => expr,
    grad(node, [dy]) {
      if (!dy) return node.inputs.map(() => null);
      const grads = grad(node.inputs, dy, node.outputs[0]);
      return grads.map((g, k) => g && sumTo(g, node.inputs[k].shape));
    },
  };
}

function unary(
  name: string,
  expr: (x: Expr) => Expr,
  grad: (x: Tensor, dy: Tensor, y: Tensor) => Tensor | null,
) {
  const op = row(name, expr(arg(0)), ([x], dy, y) => [grad(x, dy, y)]);
  return (x: Value): Tensor => applyOne(op, [lift(x)], undefined);
}

function binary(
  name: string,
  fn: Primitive,
  grad: (a: Tensor, b: Tensor, dy: Tensor, y: Tensor) => readonly (Tensor | null)[],
) {
  const op = row(name, apply(fn, arg(0), arg(1)), ([a, b], dy, y) => grad(a, b, dy, y));
  return (a: Value, b: Value): Tensor => applyOne(op, [lift(a), lift(b)], undefined);
}

/**
 * A function of every element. Shapes: f32 of any shape → the same shape; a number is a scalar.
 *
 * @throws {ShapeError} when x is no f32; `toFloat` converts
 */
export type Unary = (x: Value) => Tensor;

/**
 * A function of pairs of elements. Shapes: f32 that broadcast → the common shape; axes are aligned
 * at the end, and a size of 1 or a missing axis is repeated. The gradient sums over repetitions.
 *
 * @throws {ShapeError} when the shapes do not broadcast, or one is no f32; `toFloat` converts
 */
export type Binary = (a: Value, b: Value) => Tensor;

/** `a + b`. */
export const add: Binary = binary("add", p.add, (_a, _b, dy) => [dy, dy]);
/** `a − b`. */
export const sub: Binary = binary("sub", p.sub, (_a, _b, dy) => [dy, neg(dy)]);
/** `a · b`. */
export const mul: Binary = binary("mul", p.mul, (a, b, dy) => [mul(dy, b), mul(dy, a)]);
/** `a / b`, for b other than 0. */
export const div: Binary = binary("div", p.div, (_a, b, dy, y) => {
  const da = div(dy, b);
  return [da, neg(mul(da, y))];
});
/** `a` to the power `b`, as C's `pow`; the gradient is for a > 0. */
export const pow: Binary = binary("pow", p.pow, (a, b, dy, y) => [
  mul(dy, mul(b, pow(a, sub(b, 1)))),
  mul(dy, mul(y, log(a))),
]);
/** The smaller of two, NaN if one is; where equal, the gradient goes to `a`, at NaN to both. */
export const minimum: Binary = binary("minimum", p.min, (a, b, dy) => [
  where(greater(a, b), 0, dy),
  where(greaterEqual(b, a), 0, dy),
]);
/** The larger of two, NaN if one is; where equal, the gradient goes to `a`, at NaN to both. */
export const maximum: Binary = binary("maximum", p.max, (a, b, dy) => [
  where(greater(b, a), 0, dy),
  where(greaterEqual(a, b), 0, dy),
]);
/** 1 where `a > b`, else 0, also at NaN; no gradient. */
export const greater: Binary = binary("greater", p.gt, () => [null, null]);
/** 1 where `a ≥ b`, else 0, also at NaN; no gradient. */
export const greaterEqual: Binary = binary("greaterEqual", p.ge, () => [null, null]);
/** 1 where `a = b`, else 0, also at NaN; no gradient. */
export const equal: Binary = binary("equal", p.eq, () => [null, null]);

/** `−x`. */
export const neg: Unary = unary("neg", (x) => apply(p.neg, x), (_, dy) => neg(dy));
/** `|x|`; the gradient at 0 is 0. */
export const abs: Unary = unary("abs", (x) => apply(p.abs, x), (x, dy) => mul(dy, sign(x)));
/** −1, 0 or 1; 0 at NaN, as in PyTorch; no gradient. */
export const sign: Unary = unary("sign", (x) => apply(p.sign, x), () => null);
/** `eˣ`. */
export const exp: Unary = unary("exp", (x) => apply(p.exp, x), (_, dy, y) => mul(dy, y));
/** Natural logarithm, for x > 0. */
export const log: Unary = unary("log", (x) => apply(p.log, x), (x, dy) => div(dy, x));
/** `√x`, for x ≥ 0; the gradient at 0 is infinite. */
export const sqrt: Unary = unary(
  "sqrt",
  (x) => apply(p.sqrt, x),
  (_, dy, y) => div(mul(dy, 0.5), y),
);
/** `1/√x`, for x > 0. */
export const rsqrt: Unary = unary(
  "rsqrt",
  (x) => apply(p.rsqrt, x),
  (x, dy, y) => mul(mul(dy, -0.5), div(y, x)),
);
/** `1/x`, for x other than 0. */
export const reciprocal: Unary = unary(
  "reciprocal",
  (x) => apply(p.reciprocal, x),
  (_, dy, y) => neg(mul(dy, mul(y, y))),
);
/** `x²`. */
export const square: Unary = unary(
  "square",
  (x) => apply(p.mul, x, x),
  (x, dy) => mul(mul(dy, 2), x),
);
/** Sine of radians, |x| up to a few thousand. */
export const sin: Unary = unary("sin", (x) => apply(p.sin, x), (x, dy) => mul(dy, cos(x)));
/** Cosine of radians, |x| up to a few thousand. */
export const cos: Unary = unary("cos", (x) => apply(p.cos, x), (x, dy) => neg(mul(dy, sin(x))));
/** Largest whole number ≤ x; no gradient. */
export const floor: Unary = unary("floor", (x) => apply(p.floor, x), () => null);
/** Smallest whole number ≥ x; no gradient. */
export const ceil: Unary = unary("ceil", (x) => apply(p.ceil, x), () => null);
/** Nearest whole number, halves to even; no gradient. */
export const round: Unary = unary("round", (x) => apply(p.round, x), () => null);

/** `dy` where y is above 0 or NaN, else 0, even where `dy` is infinite. */
const gate = binary("gate", p.gate, (_dy, y, g) => [gate(g, y), null]);

/**
 * `max(x, 0)`; the gradient at 0 is 0, and passes at NaN, as in PyTorch.
 *
 * @source Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines"
 */
export const relu: Unary = unary(
  "relu",
  (x) => apply(p.max, x, 0),
  (_, dy, y) => gate(dy, y),
);
/**
 * `min(max(x, 0), 6)`; the gradient at 0 and 6 is 0, and passes at NaN, as in PyTorch.
 *
 * @source Sandler et al. 2018, "MobileNetV2", arXiv:1801.04381
 */
export const relu6: Unary = unary(
  "relu6",
  (x) => apply(p.min, apply(p.max, x, 0), 6),
  (_, dy, y) => gate(gate(dy, y), sub(6, y)),
);
/** Hyperbolic tangent `(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`; neither end overflows. */
export const tanh: Unary = unary(
  "tanh",
  (x) => apply(p.tanh, x),
  (_, dy, y) => mul(dy, sub(1, mul(y, y))),
);
/** Logistic function `1 / (1 + e⁻ˣ)`. */
export const sigmoid: Unary = unary(
  "sigmoid",
  (x) => apply(p.sigmoid, x),
  (_, dy, y) => mul(dy, mul(y, sub(1, y))),
);
/** Gauss error function `2/√π ∫₀ˣ e^(−t²) dt`. */
export const erf: Unary = unary(
  "erf",
  (x) => apply(p.erf, x),
  (x, dy) => mul(dy, mul(2 / Math.sqrt(Math.PI), exp(neg(square(x))))),
);
/**
 * `x · sigmoid(x)`, also called swish.
 *
 * @source Elfwing et al. 2017, arXiv:1702.03118
 */
export const silu: Unary = unary(
  "silu",
  (x) => apply(p.mul, x, apply(p.sigmoid, x)),
  (x, dy, y) => {
    const s = sigmoid(x);
    return mul(dy, add(s, mul(y, sub(1, s))));
  },
);
/**
 * `x/2 · (1 + erf(x/√2))`, the exact form.
 *
 * @source Hendrycks & Gimpel 2016, arXiv:1606.08415
 */
export const gelu: Unary = unary(
  "gelu",
  (x) =>
    apply(
      p.mul,
      apply(p.mul, x, 0.5),
      apply(p.add, 1, apply(p.erf, apply(p.mul, x, Math.SQRT1_2))),
    ),
  (x, dy) => {
    const cdf = mul(0.5, add(1, erf(mul(x, Math.SQRT1_2))));
    const pdf = mul(1 / Math.sqrt(2 * Math.PI), exp(mul(-0.5, square(x))));
    return mul(dy, add(cdf, mul(x, pdf)));
  },
);

const whereOp: MapOp<void> = row("where", apply(p.select, arg(0), arg(1), arg(2)), ([c], dy) => [
  null,
  where(c, dy, 0),
  where(c, 0, dy),
]);
/**
 * `a` where the condition is not 0, else `b`; NaN is not 0. The condition has no gradient.
 *
 * Shapes: all three f32, broadcast to the common shape.
 *
 * @throws {ShapeError} when the shapes do not broadcast, or one is no f32
 */
export function where(condition: Value, a: Value, b: Value): Tensor {
  return applyOne(whereOp, [lift(condition), lift(a), lift(b)], undefined);
}

const clampOp: MapOp<{ readonly low: number; readonly high: number }> = {
  kind: "map",
  name: "clamp",
  infer([x], _, where) {
    checkDType("clamp", where, "x", x);
    return [f32(x.shape)];
  },
  expr: ({ low, high }) => apply(p.min, apply(p.max, arg(0), low), high),
  grad({ inputs: [x], attrs: { low, high } }, [dy]) {
    return [dy ? where(mul(greaterEqual(x, low), greaterEqual(high, x)), dy, 0) : null];
  },
};
/**
 * `min(max(x, low), high)`; the gradient is 1 from `low` to `high`, 0 outside and at NaN.
 *
 * Shapes: f32 of any shape → the same shape.
 *
 * @throws {ShapeError} when x is no f32
 */
export function clamp(x: Value, low: number, high: number): Tensor {
  return applyOne(clampOp, [lift(x)], { low, high });
}

const toFloatOp: MapOp<void> = {
  kind: "map",
  name: "toFloat",
  infer: ([x]) => [f32(x.shape)],
  expr: (_, [x]) =>
    x.dtype === "f32" ? arg(0) : apply(x.dtype === "i32" ? p.fromI32 : p.fromU32, arg(0)),
  grad: () => [null],
};
/**
 * Whole numbers as f32, exact up to 2²⁴; f32 is returned as it is. No gradient for whole numbers.
 *
 * Shapes: x of any shape and element type → f32 of the same shape.
 */
export function toFloat(x: Tensor): Tensor {
  return x.dtype === "f32" ? x : applyOne(toFloatOp, [x], undefined);
}
