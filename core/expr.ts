/**
 * Scalar expressions: what a pointwise operation computes for one element.
 *
 * One expression serves every backend: each {@link Primitive} prints itself as WGSL and names its
 * instruction in the byte code of the WASM block interpreter. The planner composes expressions of
 * neighbouring operations, so a chain of them becomes one kernel.
 */

import { extremeFunction, floatFunction, isNanFunction } from "./wgsl_floats.ts";

/** One scalar function; values are f32, truth is 1.0 and falsehood 0.0. */
export interface Primitive {
  /** Its key in {@link primitives}. */
  readonly name: string;
  /** Instruction of the block interpreter, see `wasm/tensor/src/map`. */
  readonly code: number;
  /** Number of arguments. */
  readonly arity: 1 | 2 | 3;
  /** The WGSL expression over three argument texts (unused ones are empty). */
  wgsl(a: string, b: string, c: string): string;
  /** WGSL functions that the expression calls. */
  readonly preludes?: readonly string[];
}

/** A tree of primitives over arguments and constants. */
export type Expr =
  | { readonly kind: "arg"; readonly index: number }
  | { readonly kind: "const"; readonly value: number }
  | { readonly kind: "apply"; readonly fn: Primitive; readonly args: readonly Expr[] };

/** The k-th argument of an expression. */
export const arg = (index: number): Expr => ({ kind: "arg", index });

/** A number written into the kernel. */
export const constant = (value: number): Expr => ({ kind: "const", value });

/** A primitive applied to expressions or numbers. */
export function apply(fn: Primitive, ...args: readonly (Expr | number)[]): Expr {
  return {
    kind: "apply",
    fn,
    args: args.map((a) => typeof a === "number" ? constant(a) : a),
  };
}

/** Instruction that loads a constant; not a primitive, since its operand is a number. */
export const constCode = 1;

function primitive(
  code: number,
  name: string,
  arity: 1 | 2 | 3,
  wgsl: Primitive["wgsl"],
  preludes?: readonly string[],
): Primitive {
  return { name, code, arity, wgsl, preludes };
}

const infix = (code: number, name: string, sign: string): Primitive =>
  primitive(code, name, 2, (a, b) => `(${a} ${sign} ${b})`);
const call = (code: number, name: string, fn = name): Primitive =>
  primitive(code, name, 1, (a) => `${fn}(${a})`);
/** Calls a WGSL function of our own; it and those that it calls are given. */
const own = (code: number, name: string, arity: 1 | 2 | 3, ...preludes: string[]): Primitive =>
  primitive(
    code,
    name,
    arity,
    (...args) => `fovea_${name}(${args.slice(0, arity).join(", ")})`,
    preludes,
  );

/** A comparison is false if either side is NaN. */
const test = (code: number, name: string, sign: string): Primitive =>
  own(
    code,
    name,
    2,
    isNanFunction,
    `fn fovea_${name}(a: f32, b: f32) -> f32 {
  return select(0.0, 1.0, (a ${sign} b) & !(fovea_is_nan(a) | fovea_is_nan(b)));
}`,
  );

/** Complementary error function by Numerical Recipes' Chebyshev fit, fractional error < 1.2e-7. */
const erfFunction = `fn fovea_erf(x: f32) -> f32 {
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.5 * a);
  let p = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 +
    t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 +
    t * (-0.82215223 + t * 0.17087277)))))))));
  // Near zero 1 - p cancels: the Maclaurin series is exact to f32 there.
  let s = x * x;
  let near = x * (1.1283792 + s * (-0.37612638 + s * (0.11283792 + s * (-0.026866170 +
    s * (0.0052239776 - s * 0.00085483270)))));
  return select(select(sign(x) * (1.0 - p), near, a < 0.5), x, fovea_is_nan(x));
}`;

/** tanh that neither overflows for large |x| (Metal) nor cancels near 0. */
const tanhFunction = `fn fovea_tanh(x: f32) -> f32 {
  let a = min(abs(x), 10.0);
  let e = exp(-2.0 * a);
  let far = (1.0 - e) / (1.0 + e);
  let s = x * x;
  let near = a * (1.0 + s * (-0.33333334 + s * (0.13333334 + s * (-0.053968254 +
    s * (0.021869488 - s * 0.0088632355)))));
  return select(sign(x) * select(far, near, a < 0.4), x, fovea_is_nan(x));
}`;

/** As in PyTorch the sign of NaN is 0. */
const signFunction =
  "fn fovea_sign(x: f32) -> f32 { return select(sign(x), 0.0, fovea_is_nan(x)); }";

/** By the bits of the condition, since `NaN != 0.0` is false on some drivers. */
const selectFunction = `fn fovea_select(a: f32, b: f32, c: f32) -> f32 {
  return select(c, b, (bitcast<u32>(a) & 0x7fffffffu) != 0u);
}`;

/** C's pow, where WGSL's knows positive x alone. */
const powFunction = `fn fovea_pow(x: f32, y: f32) -> f32 {
  let size = abs(x);
  let reach = abs(y);
  let of_zero = select(0.0, fovea_float(0x7f800000u), y < 0.0); // a driver may say 0 to both
  let power = select(pow(size, y), of_zero, size == 0.0);
  let is_negative = (bitcast<u32>(x) >> 31u) == 1u;
  let is_whole = (floor(y) == y) | (reach >= 8388608.0);
  let is_odd = is_whole & (reach < 16777216.0) & (fract(0.5 * y) != 0.0);
  // Roots of negative numbers, those of 0 and infinity left out.
  let is_nan = fovea_is_nan(x) | fovea_is_nan(y) |
    (is_negative & !is_whole & (size > 0.0) & (size <= 3.4028234e38));
  let is_one = (x == 1.0) | (reach == 0.0) | ((size == 1.0) & (reach > 3.4028234e38));
  let result = select(power, -power, is_negative & is_odd);
  return select(select(result, fovea_float(0x7fc00000u), is_nan), 1.0, is_one);
}`;

const gateFunction = `fn fovea_gate(a: f32, b: f32) -> f32 {
  return select(0.0, a, (b > 0.0) | fovea_is_nan(b));
}`;

/** Names of the primitives. */
// deno-fmt-ignore
export type PrimitiveName =
  | "add" | "sub" | "mul" | "div" | "min" | "max" | "neg" | "abs" | "exp" | "log" | "sqrt" | "rsqrt"
  | "tanh" | "sigmoid" | "erf" | "floor" | "ceil" | "round" | "sign" | "gt" | "ge" | "eq" | "select"
  | "pow" | "fromI32" | "fromU32" | "reciprocal" | "sin" | "cos" | "gate" | "fma";

/**
 * All primitives; the codes are fixed, since the interpreter in Rust names them too. NaN and
 * infinities go through them as through PyTorch's functions, on every backend.
 */
export const primitives: Readonly<Record<PrimitiveName, Primitive>> = {
  add: infix(2, "add", "+"),
  sub: infix(3, "sub", "-"),
  mul: infix(4, "mul", "*"),
  div: infix(5, "div", "/"),
  min: own(6, "min", 2, extremeFunction("min")),
  max: own(7, "max", 2, extremeFunction("max")),
  neg: primitive(8, "neg", 1, (a) => `(-(${a}))`),
  abs: call(9, "abs"),
  exp: call(10, "exp"),
  log: call(11, "log"),
  sqrt: call(12, "sqrt"),
  rsqrt: call(13, "rsqrt", "inverseSqrt"),
  tanh: own(14, "tanh", 1, isNanFunction, tanhFunction),
  sigmoid: primitive(15, "sigmoid", 1, (a) => `(1.0 / (1.0 + exp(-${a})))`),
  erf: own(16, "erf", 1, isNanFunction, erfFunction),
  floor: call(17, "floor"),
  ceil: call(18, "ceil"),
  round: call(19, "round"),
  sign: own(20, "sign", 1, isNanFunction, signFunction),
  gt: test(21, "gt", ">"),
  ge: test(22, "ge", ">="),
  eq: test(23, "eq", "=="),
  select: own(24, "select", 3, selectFunction),
  pow: own(25, "pow", 2, isNanFunction, floatFunction, powFunction),
  fromI32: primitive(26, "fromI32", 1, (a) => `f32(${a})`),
  fromU32: primitive(27, "fromU32", 1, (a) => `f32(${a})`),
  reciprocal: primitive(28, "reciprocal", 1, (a) => `(1.0 / ${a})`),
  sin: call(29, "sin"),
  cos: call(30, "cos"),
  /** a where b is above 0 or NaN, else 0, whatever a is: the gradient of a rectifier. */
  gate: own(31, "gate", 2, isNanFunction, gateFunction),
  /** a·b + c, with one rounding or two. */
  fma: primitive(32, "fma", 3, (a, b, c) => `fma(${a}, ${b}, ${c})`),
};
