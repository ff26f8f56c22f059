/**
 * Scalar expressions: what a pointwise operation computes for one element.
 *
 * One expression serves every backend: each {@link Primitive} prints itself as WGSL and names its
 * instruction in the byte code of the WASM block interpreter. The planner composes expressions of
 * neighbouring operations, so a chain of them becomes one kernel.
 */

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
  /** A WGSL function that the expression calls. */
  readonly prelude?: string;
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
  prelude?: string,
): Primitive {
  return { name, code, arity, wgsl, prelude };
}

const infix = (code: number, name: string, sign: string): Primitive =>
  primitive(code, name, 2, (a, b) => `(${a} ${sign} ${b})`);
const call = (code: number, name: string, arity: 1 | 2 = 1, fn = name): Primitive =>
  primitive(code, name, arity, (a, b) => arity === 1 ? `${fn}(${a})` : `${fn}(${a}, ${b})`);
const test = (code: number, name: string, sign: string): Primitive =>
  primitive(code, name, 2, (a, b) => `select(0.0, 1.0, ${a} ${sign} ${b})`);

/** Complementary error function by Numerical Recipes' Chebyshev fit, fractional error < 1.2e-7. */
const erfPrelude = `fn fovea_erf(x: f32) -> f32 {
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.5 * a);
  let p = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 +
    t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 +
    t * (-0.82215223 + t * 0.17087277)))))))));
  // Near zero 1 - p cancels: the Maclaurin series is exact to f32 there.
  let s = x * x;
  let near = x * (1.1283792 + s * (-0.37612638 + s * (0.11283792 + s * (-0.026866170 +
    s * (0.0052239776 - s * 0.00085483270)))));
  return select(sign(x) * (1.0 - p), near, a < 0.5);
}`;

/** tanh that neither overflows for large |x| (Metal) nor cancels near 0. */
const tanhPrelude = `fn fovea_tanh(x: f32) -> f32 {
  let a = min(abs(x), 10.0);
  let e = exp(-2.0 * a);
  let far = (1.0 - e) / (1.0 + e);
  let s = x * x;
  let near = a * (1.0 + s * (-0.33333334 + s * (0.13333334 + s * (-0.053968254 +
    s * (0.021869488 - s * 0.0088632355)))));
  return sign(x) * select(far, near, a < 0.4);
}`;

/** Names of the primitives. */
// deno-fmt-ignore
export type PrimitiveName =
  | "add" | "sub" | "mul" | "div" | "min" | "max" | "neg" | "abs" | "exp" | "log" | "sqrt" | "rsqrt"
  | "tanh" | "sigmoid" | "erf" | "floor" | "ceil" | "round" | "sign" | "gt" | "ge" | "eq" | "select"
  | "pow" | "fromI32" | "fromU32" | "reciprocal" | "sin" | "cos";

/** All primitives; the codes are fixed, since the interpreter in Rust names them too. */
export const primitives: Readonly<Record<PrimitiveName, Primitive>> = {
  add: infix(2, "add", "+"),
  sub: infix(3, "sub", "-"),
  mul: infix(4, "mul", "*"),
  div: infix(5, "div", "/"),
  min: call(6, "min", 2),
  max: call(7, "max", 2),
  neg: primitive(8, "neg", 1, (a) => `(-(${a}))`),
  abs: call(9, "abs"),
  exp: call(10, "exp"),
  log: call(11, "log"),
  sqrt: call(12, "sqrt"),
  rsqrt: call(13, "rsqrt", 1, "inverseSqrt"),
  tanh: primitive(14, "tanh", 1, (a) => `fovea_tanh(${a})`, tanhPrelude),
  sigmoid: primitive(15, "sigmoid", 1, (a) => `(1.0 / (1.0 + exp(-${a})))`),
  erf: primitive(16, "erf", 1, (a) => `fovea_erf(${a})`, erfPrelude),
  floor: call(17, "floor"),
  ceil: call(18, "ceil"),
  round: call(19, "round"),
  sign: call(20, "sign"),
  gt: test(21, "gt", ">"),
  ge: test(22, "ge", ">="),
  eq: test(23, "eq", "=="),
  select: primitive(24, "select", 3, (a, b, c) => `select(${c}, ${b}, ${a} != 0.0)`),
  pow: call(25, "pow", 2),
  fromI32: primitive(26, "fromI32", 1, (a) => `f32(${a})`),
  fromU32: primitive(27, "fromU32", 1, (a) => `f32(${a})`),
  reciprocal: primitive(28, "reciprocal", 1, (a) => `(1.0 / ${a})`),
  sin: call(29, "sin"),
  cos: call(30, "cos"),
};

/**
 * A finite f32 as a WGSL literal.
 *
 * @throws {RangeError} when it rounds to no finite f32
 */
export function wgslNumber(value: number): string {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) {
    throw new RangeError(`Cannot print ${value} as WGSL: a number that f32 can hold is wanted`);
  }
  const text = `${single}`;
  return /[.e]/.test(text) ? text : `${text}.0`;
}
