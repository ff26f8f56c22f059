/** Scalar primitives in float64: what an expression means, written a second time. */
import { type Expr, type Primitive, primitives as p } from "../../core/expr.ts";

/** Halves to even, as WGSL's `round`. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x), rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** Gauss error function by a series of positive terms, good to 1e-14. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** −1, 0 or 1; 0 for NaN as in PyTorch (issue 41245), where JavaScript has NaN. */
export const sign = (x: number): number => Number.isNaN(x) ? 0 : Math.sign(x);

/** C's pow, which is 1 where JavaScript's is NaN: for x = 1, and for −1 to an infinite power. */
export function power(x: number, y: number): number {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y);
}

const truth = (value: boolean): number => value ? 1 : 0;

const meanings = new Map<Primitive, (a: number, b: number, c: number) => number>([
  [p.add, (a, b) => a + b],
  [p.sub, (a, b) => a - b],
  [p.mul, (a, b) => a * b],
  [p.div, (a, b) => a / b],
  [p.min, (a, b) => Math.min(a, b)],
  [p.max, (a, b) => Math.max(a, b)],
  [p.neg, (a) => -a],
  [p.abs, (a) => Math.abs(a)],
  [p.exp, (a) => Math.exp(a)],
  [p.log, (a) => Math.log(a)],
  [p.sqrt, (a) => Math.sqrt(a)],
  [p.rsqrt, (a) => 1 / Math.sqrt(a)],
  [p.tanh, (a) => Math.tanh(a)],
  [p.sigmoid, (a) => 1 / (1 + Math.exp(-a))],
  [p.erf, (a) => erf(a)],
  [p.floor, (a) => Math.floor(a)],
  [p.ceil, (a) => Math.ceil(a)],
  [p.round, (a) => roundHalfEven(a)],
  [p.sign, (a) => sign(a)],
  [p.gt, (a, b) => truth(a > b)],
  [p.ge, (a, b) => truth(a >= b)],
  [p.eq, (a, b) => truth(a === b)],
  [p.select, (a, b, c) => a !== 0 ? b : c],
  [p.pow, (a, b) => power(a, b)],
  [p.fromI32, (a) => a],
  [p.fromU32, (a) => a],
  [p.reciprocal, (a) => 1 / a],
  [p.sin, (a) => Math.sin(a)],
  [p.cos, (a) => Math.cos(a)],
  [p.gate, (a, b) => b <= 0 ? 0 : a],
  [p.fma, (a, b, c) => a * b + c],
]);

/** A primitive of one to three numbers. */
export function meaning(fn: Primitive, a: number, b = 0, c = 0): number {
  const compute = meanings.get(fn);
  if (!compute) throw new Error(`The reference does not know the primitive ${fn.name}`);
  return compute(a, b, c);
}

/** The value of an expression; every part is computed once. */
export function valueOf(expr: Expr, args: (index: number) => number): number {
  const known = new Map<Expr, number>();
  const visit = (e: Expr): number => {
    if (e.kind === "const") return e.value;
    if (e.kind === "arg") return args(e.index);
    const seen = known.get(e);
    if (seen !== undefined) return seen;
    const value = meaning(e.fn, ...e.args.map(visit) as [number]);
    known.set(e, value);
    return value;
  };
  return visit(expr);
}
