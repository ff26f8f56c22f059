/** Sums and means over axes, and their adjoint: repeating a value along axes. */
import { ShapeError } from "../core/errors.ts";
import { apply, arg, primitives } from "../core/expr.ts";
import { applyOne, type MacroOp, type MapOp, type Tensor } from "../core/graph.ts";
import {
  inputRef,
  outputRef,
  perElement,
  reads,
  scratchRef,
  type WgslPass,
  writes,
} from "../core/kernel.ts";
import {
  broadcastShapes,
  elementBytes,
  f32,
  sameShape,
  type Shape,
  show,
  sizeOf,
} from "../core/shape.ts";
import { full, literalValue, reshape } from "../core/structure.ts";
import { extremeFunction, wgslNumber } from "../core/wgsl_floats.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";

/** `y[o,i] = scale · Σ_m x[o,m,i]` (or the maximum) over the middle of three merged axes. */
export interface ReduceAttrs {
  readonly kind: "sum" | "max";
  readonly outer: number;
  readonly mid: number;
  readonly inner: number;
  readonly scale: number;
}

/** Elements that one invocation adds up; longer sums take two passes. */
const chunk = 512;

/** The kernel below {@link sum}, {@link mean} and `max`: `[outer,mid,inner]` → `[outer,inner]`. */
export const reduceOp: MacroOp<ReduceAttrs> = {
  kind: "macro",
  name: "reduce",
  infer([x], { outer, inner }, where) {
    checkDType("reduce", where, "x", x);
    return [f32([outer, inner])];
  },
  grad(node, [dy]) {
    const { kind, outer, mid, inner, scale } = node.attrs;
    if (kind !== "sum") throw new ShapeError("Cannot differentiate a reduction by maximum here");
    if (!dy) return [null];
    return [expand(reshape(dy, [outer, 1, inner]), [outer, mid, inner], scale)];
  },
  wasm({ attrs: { kind, outer, mid, inner, scale } }) {
    const code = kind === "sum" ? 0 : 1;
    return {
      calls: [call("reduce", inputRef(0), outputRef(0), code, outer, mid, inner, scale)],
    };
  },
  wgsl({ attrs }) {
    const { outer, mid, inner } = attrs;
    if (mid <= 2 * chunk) {
      return { passes: [reducePass(attrs, mid, [reads("x", 0), writes("y")])] };
    }
    const parts = Math.ceil(mid / chunk);
    const scratch = { name: "y", ref: scratchRef(0), type: "f32", access: "read_write" } as const;
    return {
      scratch: [outer * parts * inner * elementBytes],
      passes: [
        reducePass({ ...attrs, scale: 1 }, chunk, [reads("x", 0), scratch]),
        reducePass({ ...attrs, mid: parts }, parts, [
          { ...scratch, name: "x", access: "read" },
          writes("y"),
        ]),
      ],
    };
  },
};

/** One invocation per output and chunk of `length` elements. */
function reducePass(
  { kind, outer, mid, inner, scale }: ReduceAttrs,
  length: number,
  bindings: WgslPass["bindings"],
): WgslPass {
  const parts = Math.ceil(mid / length), total = outer * parts * inner;
  const { head, groups } = perElement(total);
  const [preludes, step] = kind === "sum"
    ? ["", "s += v;"]
    : [`${extremeFunction("max")}\n`, "s = fovea_max(s, v);"];
  return {
    label: `reduce/${kind}[${outer}x${mid}x${inner}]`,
    bindings,
    groups,
    code: `${preludes}${head}
  let o = i / ${parts * inner}u;
  let part = (i / ${inner}u) % ${parts}u;
  let first = part * ${length}u;
  let last = min(first + ${length}u, ${mid}u);
  var at = (o * ${mid}u + first) * ${inner}u + i % ${inner}u;
  var s = ${kind === "sum" ? "0.0" : "x[at]"};
  for (var m = first; m < last; m++) {
    let v = x[at];
    ${step}
    at += ${inner}u;
  }
  y[i] = s * ${wgslNumber(scale)};
}`,
  };
}

interface ExpandAttrs {
  readonly shape: Shape;
  readonly scale: number;
}

const expandOp: MapOp<ExpandAttrs> = {
  kind: "map",
  name: "expand",
  infer([x], { shape }, where) {
    checkDType("expand", where, "x", x);
    const result = broadcastShapes(`expand${where}`, x.shape, shape);
    if (!sameShape(result, shape)) {
      throw new ShapeError(
        `Cannot expand${where}: ${show(x.shape)} does not repeat to ${show(shape)}`,
      );
    }
    return [f32(shape)];
  },
  expr: ({ scale }) => scale === 1 ? arg(0) : apply(primitives.mul, arg(0), scale),
  grad: (node, [dy]) => [dy ? sumTo(dy, node.inputs[0].shape, node.attrs.scale) : null],
};

/**
 * Repeats a tensor along axes of size 1 and new leading axes, times `scale`. The gradient sums over
 * the repetitions.
 *
 * Shapes: x f32 → `shape`; sizes are aligned at the end, each of x's is that of `shape` or 1.
 *
 * @param scale factor of every element (default 1)
 * @throws {ShapeError} when x does not repeat to `shape`, or is no f32
 */
export function expand(x: Tensor, shape: Shape, scale = 1): Tensor {
  if (sameShape(x.shape, shape) && scale === 1) return x;
  const expanded = applyOne(expandOp, [x], { shape, scale }), literal = literalValue(x);
  return literal === undefined ? expanded : full(literal * scale, shape);
}

/** Reduces a contiguous run of axes. */
export function reduceRun(
  x: Tensor,
  kind: "sum" | "max",
  first: number,
  count: number,
  scale = 1,
): Tensor {
  const outer = sizeOf(x.shape.slice(0, first));
  const mid = sizeOf(x.shape.slice(first, first + count));
  const inner = sizeOf(x.shape.slice(first + count));
  const flat = reshape(x, [outer, mid, inner]);
  const result = applyOne(reduceOp, [flat], { kind, outer, mid, inner, scale });
  return reshape(result, [...x.shape.slice(0, first), ...x.shape.slice(first + count)]);
}

/** Axes to reduce, checked and ascending; all by default. Negative axes count from the end. */
export function checkAxes(action: string, x: Tensor, axes?: readonly number[]): number[] {
  const rank = x.shape.length;
  const list = axes ?? x.shape.map((_, k) => k);
  const positive = list.map((a) => a < 0 ? a + rank : a).sort((a, b) => a - b);
  for (const [k, a] of positive.entries()) {
    if (!Number.isInteger(a) || a < 0 || a >= rank || a === positive[k - 1]) {
      throw new ShapeError(
        `Cannot ${action}: ${show(list)} are no axes of ${show(x.shape)}, ` +
          `different ones from ${-rank} to ${rank - 1} are wanted`,
      );
    }
  }
  return positive;
}

/**
 * Reduces any axes, run by run from the last; `scale` is applied once. Runs are of axes that are
 * asked for, of a tensor in row-major order: there are no strides to merge by, as `mergeAxes` does.
 */
export function reduceAxes(
  x: Tensor,
  kind: "sum" | "max",
  axes: readonly number[],
  scale = 1,
): Tensor {
  const left = [...axes];
  let result = x, factor = scale;
  while (left.length > 0) {
    let first = left.pop()!, count = 1;
    while (left.at(-1) === first - 1) {
      first = left.pop()!;
      count++;
    }
    result = reduceRun(result, kind, first, count, factor);
    factor = 1;
  }
  return result;
}

/** Options of reductions. */
export interface ReduceOptions {
  /** Axes to reduce (default all); negative ones count from the end. */
  readonly axes?: readonly number[];
  /** Keep the reduced axes with size 1 (default false). */
  readonly keepDims?: boolean;
}

/** The shape after a reduction that keeps its axes. */
export const keptShape = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((size, k) => axes.includes(k) ? 1 : size);

function reduced(x: Tensor, action: string, options: ReduceOptions, mean: boolean): Tensor {
  const axes = checkAxes(action, x, options.axes);
  const scale = mean ? 1 / axes.reduce((product, a) => product * x.shape[a], 1) : 1;
  const result = axes.length === 0 ? x : reduceAxes(x, "sum", axes, scale);
  return options.keepDims ? reshape(result, keptShape(x.shape, axes)) : result;
}

/**
 * Sum over axes. Accuracy: f32 sums in a fixed order.
 *
 * Shapes: x f32 → x without the reduced axes (a scalar by default), or with 1 for them.
 *
 * @throws {ShapeError} when an axis does not exist or is named twice, or x is no f32
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduced(x, "sum", options, false);
}

/**
 * Mean over axes; over axes 1 and 2 of an image batch it is global average pooling.
 *
 * Shapes: x f32 → x without the reduced axes (a scalar by default), or with 1 for them.
 *
 * @throws {ShapeError} when an axis does not exist or is named twice, or x is no f32
 */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduced(x, "mean", options, true);
}

/**
 * Sums a tensor down to a shape that broadcasts to it, times `scale`; the adjoint of `expand`.
 *
 * Shapes: x f32 → `shape`.
 *
 * @param shape sizes are aligned at the end, each is that of x or 1
 * @param scale factor of every element (default 1)
 * @throws {ShapeError} when x cannot be summed to that many elements, or is no f32
 */
export function sumTo(x: Tensor, shape: Shape, scale = 1): Tensor {
  const missing = x.shape.length - shape.length;
  const axes = x.shape.flatMap((size, k) =>
    k < missing || (shape[k - missing] === 1 && size !== 1) ? [k] : []
  );
  if (axes.length === 0) return expand(x, shape, scale);
  return reshape(reduceAxes(x, "sum", axes, scale), shape);
}
