/** Laws of every pointwise operation: one row each. */
import * as fc from "npm:fast-check@4";
import { type Shape, show, sizeOf } from "../../../core/shape.ts";
import { input } from "../../../core/structure.ts";
import * as ops from "../../../ops/mod.ts";
import { erf, power, roundHalfEven, sign } from "../../reference/primitives.ts";
import type { InputSpec, Instance, LawCase, Special } from "../case.ts";
import { anyShape, broadcastingShapes, gradientOf, mapElements } from "./broadcast.ts";

/** How inputs of a row are filled, and what is asked of its result. */
interface RowOptions extends Pick<InputSpec, "range" | "kinks"> {
  readonly linearIn?: readonly number[];
  /** Default: in all inputs. */
  readonly differentiableIn?: readonly number[];
  readonly tolerance?: readonly [number, number];
  readonly special?: Special;
}

type Fn1 = (x: number) => number;
type Fn2 = (a: number, b: number) => number;

const wrongType = (shape: Shape) => input(shape, "x", "i32");

function unary(
  name: string,
  op: (x: ops.Value) => ReturnType<typeof ops.add>,
  fn: Fn1,
  { range, kinks, linearIn, differentiableIn = [0], tolerance, special = {} }: RowOptions = {},
): LawCase {
  return {
    covers: [name],
    name,
    draw: anyShape.map((shape): Instance => ({
      label: show(shape),
      inputs: [{ shape, range, kinks }],
      apply: ([x]) => [op(x)],
      reference: (inputs) => [mapElements(fn, inputs)],
      linearIn,
      differentiableIn,
      tolerance,
      special,
    })),
    refuses: [{
      call: () => op(wrongType([2])),
      message: new RegExp(`Cannot ${name}: input 0 \\[2\\] holds i32, f32 is wanted`),
    }],
  };
}

function binary(
  name: string,
  op: (a: ops.Value, b: ops.Value) => ReturnType<typeof ops.add>,
  fn: Fn2,
  { linearIn, differentiableIn = [0, 1], tolerance, special = {} }: RowOptions = {},
  specs: readonly [Partial<InputSpec>, Partial<InputSpec>] = [{}, {}],
): LawCase {
  return {
    covers: [name],
    name,
    draw: broadcastingShapes(2).map((shapes): Instance => ({
      label: shapes.map(show).join(" and "),
      inputs: shapes.map((shape, k) => ({ shape, ...specs[k] })),
      apply: ([a, b]) => [op(a, b)],
      reference: (inputs) => [mapElements(fn, inputs)],
      linearIn,
      differentiableIn,
      tolerance,
      special,
    })),
    refuses: [
      {
        call: () => op(input([2, 3], "a"), input([4], "b")),
        message: new RegExp(
          `Cannot ${name}: \\[2,3\\] and \\[4\\] differ in axis -1 \\(3 and 4\\)`,
        ),
      },
      {
        call: () => op(input([2], "a"), wrongType([2])),
        message: /input 1 \[2\] holds i32, f32 is wanted/,
      },
    ],
  };
}

/** Multiples of 1/4 that are never a tie between a and b, unless ties are wanted. */
function quarters(
  name: string,
  op: (a: ops.Value, b: ops.Value) => ReturnType<typeof ops.add>,
  fn: Fn2,
  how: {
    readonly ties: boolean;
    readonly differentiableIn?: readonly number[];
    readonly special?: Special;
  },
): LawCase {
  const values = (shape: Shape, offset: number) =>
    fc.array(fc.integer({ min: -3, max: 3 }).map((v) => v / 2 + offset), {
      minLength: sizeOf(shape),
      maxLength: sizeOf(shape),
    });
  return {
    covers: [name],
    name,
    draw: broadcastingShapes(2).chain((shapes) =>
      fc.tuple(values(shapes[0], 0), values(shapes[1], how.ties ? 0 : 0.25)).map(
        (drawn): Instance => ({
          label: shapes.map(show).join(" and "),
          inputs: shapes.map((shape, k) => ({ shape, values: drawn[k] })),
          apply: ([a, b]) => [op(a, b)],
          reference: (inputs) => [mapElements(fn, inputs)],
          differentiableIn: how.differentiableIn,
          tolerance: [0, 0],
          special: how.special ?? {},
        }),
      )
    ),
  };
}

const noGradient = { differentiableIn: [] };
/** WGSL promises sin and cos to 2⁻¹¹ absolute within ±π; what we see is far better. */
const trigonometry: RowOptions = {
  range: [-3, 3],
  tolerance: [1e-4, 1e-4],
  special: { large: false },
};
const sigmoid: Fn1 = (x) => 1 / (1 + Math.exp(-x));
const wholeNumbers = { at: [-3, -2, -1, 0, 1, 2, 3], margin: 1e-3 };
const halves = { at: [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], margin: 1e-3 };

/** PyTorch's threshold_backward: 0 where `x ≤ 0`, else dy, at NaN too. */
const rectifier: Special = { gradient: gradientOf((dy, x) => [x <= 0 ? 0 : dy]) };
/** Its hardtanh_backward. */
const hardtanh: Special = { gradient: gradientOf((dy, x) => [x <= 0 || x >= 6 ? 0 : dy]) };
/** Its sgn. */
const absolute: Special = { gradient: gradientOf((dy, x) => [dy * sign(x)]) };
/** `masked_fill_(self < other, 0)` and the other way round; of equals PyTorch halves the gradient. */
const larger: Special = {
  gradient: gradientOf((dy, a, b) => [a < b ? 0 : dy, a >= b ? 0 : dy]),
};
const smaller: Special = {
  gradient: gradientOf((dy, a, b) => [a > b ? 0 : dy, a <= b ? 0 : dy]),
};

const unaryCases: readonly LawCase[] = [
  unary("neg", ops.neg, (x) => -x, { linearIn: [0] }),
  unary("abs", ops.abs, Math.abs, { kinks: { at: [0], margin: 0.05 }, special: absolute }),
  unary("sign", ops.sign, sign, noGradient),
  unary("exp", ops.exp, Math.exp, { range: [-4, 4] }),
  unary("log", ops.log, Math.log, { range: [0.2, 5] }),
  unary("sqrt", ops.sqrt, Math.sqrt, { range: [0.2, 5] }),
  unary("rsqrt", ops.rsqrt, (x) => 1 / Math.sqrt(x), { range: [0.2, 5] }),
  unary("reciprocal", ops.reciprocal, (x) => 1 / x, {
    range: [-3, 3],
    kinks: { at: [0], margin: 0.3 },
  }),
  unary("square", ops.square, (x) => x * x, { range: [-3, 3] }),
  unary("sin", ops.sin, Math.sin, trigonometry),
  unary("cos", ops.cos, Math.cos, trigonometry),
  unary("floor", ops.floor, Math.floor, { range: [-3, 3], kinks: wholeNumbers, ...noGradient }),
  unary("ceil", ops.ceil, Math.ceil, { range: [-3, 3], kinks: wholeNumbers, ...noGradient }),
  unary("round", ops.round, roundHalfEven, { range: [-3, 3], kinks: halves, ...noGradient }),
  unary("relu", ops.relu, (x) => Math.max(x, 0), {
    kinks: { at: [0], margin: 0.05 },
    special: rectifier,
  }),
  unary("relu6", ops.relu6, (x) => Math.min(Math.max(x, 0), 6), {
    range: [-3, 9],
    kinks: { at: [0, 6], margin: 0.05 },
    special: hardtanh,
  }),
  unary("tanh", ops.tanh, Math.tanh, { range: [-4, 4] }),
  unary("sigmoid", ops.sigmoid, sigmoid, { range: [-6, 6] }),
  unary("erf", ops.erf, erf, { range: [-3, 3] }),
  unary("silu", ops.silu, (x) => x * sigmoid(x), { range: [-6, 6] }),
  unary("gelu", ops.gelu, (x) => x / 2 * (1 + erf(x / Math.SQRT2)), { range: [-4, 4] }),
];

const binaryCases: readonly LawCase[] = [
  binary("add", ops.add, (a, b) => a + b),
  binary("sub", ops.sub, (a, b) => a - b),
  binary("mul", ops.mul, (a, b) => a * b, { linearIn: [0, 1] }),
  binary("div", ops.div, (a, b) => a / b, {}, [{}, {
    range: [-2, 2],
    kinks: { at: [0], margin: 0.4 },
  }]),
  binary("pow", ops.pow, power, { tolerance: [5e-5, 2e-5] }, [
    { range: [0.3, 3] },
    { range: [-2, 2] },
  ]),
  quarters("minimum", ops.minimum, Math.min, {
    ties: false,
    differentiableIn: [0, 1],
    special: smaller,
  }),
  quarters("maximum", ops.maximum, Math.max, {
    ties: false,
    differentiableIn: [0, 1],
    special: larger,
  }),
  quarters("greater", ops.greater, (a, b) => Number(a > b), { ties: true }),
  quarters("greaterEqual", ops.greaterEqual, (a, b) => Number(a >= b), { ties: true }),
  quarters("equal", ops.equal, (a, b) => Number(a === b), { ties: true }),
];

/** Exact halves and whole numbers, where rounding is decided by a rule. */
const roundingCase: LawCase = {
  covers: ["round", "floor", "ceil", "sign"],
  name: "rounding of halves",
  draw: fc.array(fc.integer({ min: -9, max: 9 }).map((v) => v / 2), { minLength: 1 }).map(
    (values): Instance => ({
      label: show(values),
      inputs: [{ shape: [values.length], values }],
      apply: ([x]) => [ops.round(x), ops.floor(x), ops.ceil(x), ops.sign(x)],
      reference: (inputs) =>
        [roundHalfEven, Math.floor, Math.ceil, sign].map((fn) =>
          mapElements((x) => fn(x), inputs)
        ),
      tolerance: [0, 0],
    }),
  ),
};

/** A sum of two inputs is linear in neither alone, but it is in both together. */
const multiplesCase: LawCase = {
  covers: ["add", "sub", "neg", "mul", "where"],
  name: "sums of multiples",
  draw: anyShape.map((shape): Instance => ({
    label: show(shape),
    inputs: [{ shape }],
    apply: ([x]) => [
      ops.sub(ops.add(x, ops.mul(3, x)), ops.neg(x)),
      ops.where(ops.greater(ops.full(1, shape), 0), ops.add(x, x), 0),
    ],
    reference: (inputs) => [mapElements((x) => 5 * x, inputs), mapElements((x) => 2 * x, inputs)],
    linearIn: [0],
  })),
};

/** NaN is not 0, hence true. */
const chosen: Special["gradient"] = (inputs, dys) =>
  gradientOf((dy, c) => [0, c !== 0 ? dy : 0, c !== 0 ? 0 : dy])(inputs, dys).slice(1);

const whereCase: LawCase = {
  covers: ["where"],
  name: "where",
  draw: broadcastingShapes(3).chain((shapes) =>
    fc.array(fc.constantFrom(0, 1, -2), {
      minLength: sizeOf(shapes[0]),
      maxLength: sizeOf(shapes[0]),
    }).map((values): Instance => ({
      label: shapes.map(show).join(", "),
      inputs: [{ shape: shapes[0], values }, { shape: shapes[1] }, { shape: shapes[2] }],
      apply: ([condition, a, b]) => [ops.where(condition, a, b)],
      reference: (inputs) => [mapElements((c, a, b) => c !== 0 ? a : b, inputs)],
      differentiableIn: [1, 2],
      tolerance: [0, 0],
      special: { gradient: chosen },
    }))
  ),
};

const clampCase: LawCase = {
  covers: ["clamp"],
  name: "clamp",
  draw: anyShape.map((shape): Instance => ({
    label: show(shape),
    inputs: [{ shape, range: [-2, 2], kinks: { at: [-0.5, 1], margin: 0.05 } }],
    apply: ([x]) => [ops.clamp(x, -0.5, 1)],
    reference: (inputs) => [mapElements((x) => Math.min(Math.max(x, -0.5), 1), inputs)],
    differentiableIn: [0],
    tolerance: [0, 0],
    // PyTorch's clamp_backward: `where((self >= min) & (self <= max), grad, 0)`.
    special: { gradient: gradientOf((dy, x) => [x >= -0.5 && x <= 1 ? dy : 0]) },
  })),
};

const toFloatCase: LawCase = {
  covers: ["toFloat"],
  name: "toFloat",
  draw: fc.tuple(anyShape, fc.constantFrom("i32" as const, "u32" as const, "f32" as const)).chain(
    ([shape, dtype]) =>
      fc.array(fc.integer({ min: dtype === "u32" ? 0 : -(2 ** 24), max: 2 ** 24 }), {
        minLength: sizeOf(shape),
        maxLength: sizeOf(shape),
      }).map((values): Instance => ({
        label: `${show(shape)} of ${dtype}`,
        inputs: [{ shape, dtype, values }],
        // The sum with 0 keeps an input from being the result itself.
        apply: ([x]) => [ops.add(ops.toFloat(x), 0)],
        reference: ([x]) => [x],
        tolerance: [0, 0],
        special: {},
      })),
  ),
};

const literals = fc.constantFrom(0, -0, -1.5, 3e-7, 12345678, NaN, Infinity, -Infinity);

/** Numbers written into the kernel on either side, and a literal alone. */
const literalCase: LawCase = {
  covers: ["full"],
  name: "full",
  draw: fc.tuple(anyShape, literals).map(
    ([shape, value]): Instance => ({
      label: `${show(shape)} of ${value}`,
      inputs: [{ shape }],
      apply: ([x]) => [ops.full(value, shape), ops.sub(ops.full(value), x), ops.mul(x, value)],
      reference: ([x]) => [
        { shape, data: new Float64Array(sizeOf(shape)).fill(value) },
        mapElements((v) => value - v, [x]),
        mapElements((v) => v * value, [x]),
      ],
      differentiableIn: Number.isFinite(value) ? [0] : [],
      // Mesa takes 0 times anything for 0 where the 0 is a literal.
      special: value === 0 ? undefined : {},
    }),
  ),
};

/** Every export of `ops/pointwise.ts`, and literals. */
export const cases: readonly LawCase[] = [
  ...unaryCases,
  ...binaryCases,
  roundingCase,
  multiplesCase,
  whereCase,
  clampCase,
  toFloatCase,
  literalCase,
];
