/** Pooling: the largest or the mean value of windows over images. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, type Operand, outputRef } from "../core/kernel.ts";
import { f32, type Shape, show, type Type } from "../core/shape.ts";
import { tensor } from "../core/structure.ts";
import { checkDType, checkRank } from "./check.ts";
import { call } from "./kernels.ts";
import { mul } from "./pointwise.ts";
import { maxGradProgram, meanGradProgram, type PoolGeometry, poolProgram } from "./pool_kernel.ts";
import {
  checkedPair,
  type Pair,
  type WindowAttrs,
  windowAttrs,
  windowGeometry,
  type WindowOptions,
} from "./window.ts";

/** Options of {@link maxPool2d}. */
export interface PoolOptions extends WindowOptions {
  /** Size of the window; also the default stride. */
  readonly size: number | Pair;
  /** Let a last window begin inside the image and end beyond it (default false). */
  readonly ceilMode?: boolean;
}

/** Options of {@link avgPool2d}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Count the zeros of the padding as values of the mean (default true, as in PyTorch). */
  readonly countPadding?: boolean;
}

/** Checked options of a pool. */
export interface PoolAttrs extends WindowAttrs {
  /** Size of the window. */
  readonly size: Pair;
}

/** Size of the images, which a gradient cannot tell from its input. */
type PoolGradAttrs = PoolAttrs & { readonly image: Pair };

function poolAttrs(action: string, options: PoolOptions): PoolAttrs {
  const size = checkedPair(action, "size", options.size);
  return { ...windowAttrs(action, options, size, options.ceilMode), size };
}

function poolGeometry(action: string, x: Shape, attrs: PoolAttrs): PoolGeometry {
  return { ...windowGeometry(action, x, attrs.size, attrs), c: x[3] };
}

function inferPool(action: string, where: string, x: Type, attrs: PoolAttrs): PoolGeometry {
  checkRank(action, where, "x", x, 4, "n, h, w, c");
  checkDType(action, where, "x", x);
  return poolGeometry(`${action}${where}`, x.shape, attrs);
}

const imagesOf = (dy: Shape, { image }: PoolGradAttrs): Shape => [dy[0], ...image, dy[3]];

/** The geometry as the tensor module wants it. */
const words = (g: PoolGeometry): Operand => ({
  ints: [
    ...[g.n, g.h, g.w, g.c, g.kh, g.kw, g.oh, g.ow],
    ...[g.sh, g.sw, g.dh, g.dw, g.pt, g.pl],
  ],
});

/** How many places of window i along an axis lie in the image, or in the padded image. */
function placesSeen(g: PoolGeometry, axis: 0 | 1, padded: boolean): (i: number) => number {
  const [size, taps, stride, dilation, before, after] = axis === 0
    ? [g.h, g.kh, g.sh, g.dh, g.pt, g.pb]
    : [g.w, g.kw, g.sw, g.dw, g.pl, g.pr];
  const from = padded ? -before : 0, to = padded ? size + after : size;
  return (i) => {
    const first = i * stride - before;
    const tapsBefore = (place: number): number =>
      Math.min(taps, Math.max(0, Math.ceil((place - first) / dilation)));
    return tapsBefore(to) - tapsBefore(from);
  };
}

/** The first of so many windows of which something holds, or −1. No list is made: it may be long. */
function firstWindow(windows: number, holds: (i: number) => boolean): number {
  for (let i = 0; i < windows; i++) if (holds(i)) return i;
  return -1;
}

function checkEveryWindowSees(action: string, x: Shape, g: PoolGeometry): void {
  for (const axis of [0, 1] as const) {
    const seen = placesSeen(g, axis, false);
    const empty = firstWindow(axis === 0 ? g.oh : g.ow, (i) => seen(i) === 0);
    if (empty < 0) continue;
    throw new ShapeError(
      `Cannot ${action}: window ${empty} along axis ${axis + 1} of x ${
        show(x)
      } sees padding only, ` +
        "a part of the image is wanted in every window",
    );
  }
}

/** Behind {@link maxPool2d}. */
export const maxPoolOp: MacroOp<PoolAttrs> = {
  kind: "macro",
  name: "maxPool2d",
  infer([x], attrs, where) {
    const g = inferPool("maxPool2d", where, x, attrs);
    checkEveryWindowSees(`maxPool2d${where}`, x.shape, g);
    return [f32([g.n, g.oh, g.ow, g.c])];
  },
  grad: ({ inputs: [x], attrs }, [dy]) => [dy ? applyOne(maxPoolGradOp, [x, dy], attrs) : null],
  wgsl: ({ inputs: [x], attrs }) => poolProgram("max", poolGeometry("maxPool2d", x.shape, attrs)),
  wasm({ inputs: [x], attrs }) {
    const geom = words(poolGeometry("maxPool2d", x.shape, attrs));
    return { calls: [call("max_pool", inputRef(0), outputRef(0), geom)] };
  },
};

/** Hands each gradient to the first maximum of its window. It has no gradient itself. */
const maxPoolGradOp: MacroOp<PoolAttrs> = {
  kind: "macro",
  name: "maxPool2dGrad",
  infer: ([x]) => [f32(x.shape)],
  wgsl: ({ inputs: [x], attrs }) => maxGradProgram(poolGeometry("maxPool2dGrad", x.shape, attrs)),
  wasm({ inputs: [x], attrs }) {
    const geom = words(poolGeometry("maxPool2dGrad", x.shape, attrs));
    return { calls: [call("max_pool_grad", inputRef(0), inputRef(1), outputRef(0), geom)] };
  },
};

/** Sums of windows over the number of their taps: zeros of the padding always count here. */
export const avgPoolOp: MacroOp<PoolAttrs> = {
  kind: "macro",
  name: "avgPool2d",
  infer([x], attrs, where) {
    const g = inferPool("avgPool2d", where, x, attrs);
    return [f32([g.n, g.oh, g.ow, g.c])];
  },
  grad({ inputs: [x], attrs }, [dy]) {
    const image: Pair = [x.shape[1], x.shape[2]];
    return [dy ? applyOne(avgPoolGradOp, [dy], { ...attrs, image }) : null];
  },
  wgsl: ({ inputs: [x], attrs }) => poolProgram("mean", poolGeometry("avgPool2d", x.shape, attrs)),
  wasm({ inputs: [x], attrs }) {
    const geom = words(poolGeometry("avgPool2d", x.shape, attrs));
    return { calls: [call("avg_pool", inputRef(0), outputRef(0), geom, 1)] };
  },
};

const avgPoolGradOp: MacroOp<PoolGradAttrs> = {
  kind: "macro",
  name: "avgPool2dGrad",
  infer: ([dy], attrs) => [f32(imagesOf(dy.shape, attrs))],
  grad: ({ attrs }, [g]) => [g ? applyOne(avgPoolOp, [g], attrs) : null],
  wgsl: ({ inputs: [dy], attrs }) =>
    meanGradProgram(poolGeometry("avgPool2dGrad", imagesOf(dy.shape, attrs), attrs)),
  wasm({ inputs: [dy], attrs }) {
    const geom = words(poolGeometry("avgPool2dGrad", imagesOf(dy.shape, attrs), attrs));
    return { calls: [call("avg_pool_grad", inputRef(0), outputRef(0), geom, 1)] };
  },
};

/**
 * Largest value of each window, NaN if it sees one; padding never wins. The gradient goes to the
 * first maximum of a window in row-major order, or to its last NaN, as in PyTorch.
 *
 * `y[n,i,j,c] = max_{u,v} x[n, i·s+u·d−pt, j·s+v·d−pl, c]`
 *
 * Shapes: x `[n,h,w,c]` → `[n, ⌊(h+pt+pb−d(kh−1)−1)/s⌋+1, …, c]`, ⌈⌉ with `ceilMode` (a window
 * that would begin behind the image is left out).
 *
 * @throws {ShapeError} when no window fits, one sees padding only, or x is no f32 with four axes
 * @example
 * ```ts
 * import { openDevice, ops, tensor } from "../mod.ts";
 * using device = await openDevice("wasm");
 * const x = tensor([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4, 1]);
 * console.log(await device.read(ops.maxPool2d(x, { size: 2 }))); // Float32Array [6, 8]
 * ```
 */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  return applyOne(maxPoolOp, [x], poolAttrs("maxPool2d", options));
}

/**
 * Mean of each window. What a window divides its sum by follows PyTorch: the places it sees in the
 * padded image, or in the image alone when `countPadding` is false; places beyond the padding, which
 * `ceilMode` lets it reach, never count. The mean over whole images is `mean`.
 *
 * `y[n,i,j,c] = Σ_{u,v} x[n, i·s+u·d−pt, j·s+v·d−pl, c] / count(i,j)`
 *
 * Shapes: x `[n,h,w,c]` → that of {@link maxPool2d}. Accuracy: f32 sums.
 *
 * @throws {ShapeError} when no window fits, one has nothing to count, or x is no f32 with four axes
 */
export function avgPool2d(x: Tensor, options: AvgPoolOptions): Tensor {
  const attrs = poolAttrs("avgPool2d", options), padded = options.countPadding ?? true;
  const result = applyOne(avgPoolOp, [x], attrs), g = poolGeometry("avgPool2d", x.shape, attrs);
  if (!padded) checkEveryWindowSees("avgPool2d", x.shape, g);
  const rows = placesSeen(g, 0, padded), columns = placesSeen(g, 1, padded);
  const cutRow = firstWindow(g.oh, (i) => rows(i) !== g.kh);
  if (cutRow < 0 && firstWindow(g.ow, (j) => columns(j) !== g.kw) < 0) return result;
  const factors = Float32Array.from({ length: g.oh * g.ow }, (_, k) => {
    return (g.kh * g.kw) / (rows(Math.floor(k / g.ow)) * columns(k % g.ow));
  });
  return mul(result, tensor(factors, [g.oh, g.ow, 1]));
}
