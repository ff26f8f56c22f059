/** Convolution of images, and its two gradients; the three differentiate into each other. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, type Operand, outputRef } from "../core/kernel.ts";
import { checkShape, f32, type Shape, show, sizeOf, type Type } from "../core/shape.ts";
import { checkDType, checkRank } from "./check.ts";
import { type ConvGeometry, forwardProgram, inputGradProgram } from "./conv2d_kernel.ts";
import { weightGradProgram } from "./conv2d_weight_kernel.ts";
import { call } from "./kernels.ts";
import {
  checkedPair,
  type Pair,
  type WindowAttrs,
  windowAttrs,
  windowGeometry,
  type WindowOptions,
} from "./window.ts";

/** Options of {@link conv2d}. */
export interface Conv2dOptions extends WindowOptions {
  /** Channels are cut into so many groups that do not see each other (default 1). */
  readonly groups?: number;
}

/** Checked options of a convolution. */
export interface ConvAttrs extends WindowAttrs {
  /** Groups of channels that do not see each other. */
  readonly groups: number;
}

/** The shape of the weights, which the gradients for them cannot tell from their inputs. */
type WeightGradAttrs = ConvAttrs & { readonly kernel: Pair };

/** The size of the images, as above. */
export type InputGradAttrs = ConvAttrs & { readonly size: Pair };

const axesOfW = "kh, kw, cin/groups, cout";

function convAttrs(action: string, options: Conv2dOptions): ConvAttrs {
  const { groups = 1 } = options;
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new ShapeError(`Cannot ${action}: groups is ${groups}, a whole number from 1 is wanted`);
  }
  return { ...windowAttrs(action, options), groups };
}

/** How a convolution of images `x` by filters `w` runs; checks channels and sizes. */
function convGeometry(action: string, x: Shape, w: Shape, attrs: ConvAttrs): ConvGeometry {
  const { groups } = attrs, cin = w[2] * groups, cout = w[3];
  if (cout % groups !== 0) {
    throw new ShapeError(
      `Cannot ${action}: w ${show(w)} has ${cout} output channels, ` +
        `a multiple of the ${groups} groups is wanted`,
    );
  }
  if (x[3] !== cin) {
    throw new ShapeError(
      `Cannot ${action}: x ${show(x)} has ${x[3]} channels but w ${show(w)} expects ${cin}` +
        (groups > 1 ? ` (${groups} groups of ${w[2]})` : ""),
    );
  }
  return { ...windowGeometry(action, x, [w[0], w[1]], attrs), cin, cout, groups };
}

/** The geometry as the tensor module wants it. */
const words = (g: ConvGeometry): Operand => ({
  ints: [
    ...[g.n, g.h, g.w, g.cin, g.kh, g.kw, g.cout, g.oh, g.ow],
    ...[g.sh, g.sw, g.dh, g.dw, g.pt, g.pl, g.groups],
  ],
});

/** Elements of one filter. */
const filterSize = (w: Type): number => sizeOf(w.shape.slice(0, 3));

/** Behind {@link conv2d}: x and w. */
export const conv2dOp: MacroOp<ConvAttrs> = {
  kind: "macro",
  name: "conv2d",
  infer([x, w], attrs, where) {
    checkImages("conv2d", where, "x", x);
    checkFilters("conv2d", where, w);
    const g = convGeometry(`conv2d${where}`, x.shape, w.shape, attrs);
    return [f32([g.n, g.oh, g.ow, g.cout])];
  },
  grad({ inputs: [x, w], attrs }, [dy]) {
    if (!dy) return [null, null];
    return [inputGrad(dy, w, x.shape, attrs), weightGrad(x, dy, w.shape, attrs)];
  },
  wgsl: ({ inputs: [x, w], attrs }) =>
    forwardProgram(convGeometry("conv2d", x.shape, w.shape, attrs)),
  takesEpilogue: true,
  // An element of the result takes a filter; in the gradient each element that is spread does.
  multiplyAdds: ({ inputs: [, w], outputs: [y] }) => sizeOf(y.shape) * filterSize(w),
  wasm({ inputs: [x, w], attrs }, epilogue) {
    const g = words(convGeometry("conv2d", x.shape, w.shape, attrs));
    const operands = [inputRef(0), inputRef(1), outputRef(0), g] as const;
    if (!epilogue) return { calls: [call("conv2d", ...operands)] };
    const { mean = 0, scale = 0, shift = 0, residual = 0, low, high } = epilogue;
    const then = call("conv2d_then", ...operands, mean, scale, shift, residual, low, high);
    return { calls: [then] };
  },
};

/** The gradient for the images, under the name users know it by; `y` is what they call its input. */
function inputGradOp(name: string, y: string): MacroOp<InputGradAttrs> {
  const imagesOf = ([dy, w]: readonly Type[], { size, groups }: InputGradAttrs): Shape => [
    dy.shape[0],
    ...size,
    w.shape[2] * groups,
  ];
  const geometry = (inputs: readonly Type[], attrs: InputGradAttrs, where = ""): ConvGeometry =>
    convGeometry(`${name}${where}`, imagesOf(inputs, attrs), inputs[1].shape, attrs);
  return {
    kind: "macro",
    name,
    infer([dy, w], attrs, where) {
      checkImages(name, where, y, dy);
      checkFilters(name, where, w);
      checkShape(`${name}${where}`, imagesOf([dy, w], attrs));
      const g = geometry([dy, w], attrs, where);
      checkResult(`${name}${where}`, y, dy.shape, g);
      return [f32(imagesOf([dy, w], attrs))];
    },
    grad({ inputs: [dy, w], attrs }, [g]) {
      if (!g) return [null, null];
      return [applyOne(conv2dOp, [g, w], attrs), weightGrad(g, dy, w.shape, attrs)];
    },
    multiplyAdds: ({ inputs: [dy, w] }) => sizeOf(dy.shape) * filterSize(w),
    wgsl: ({ inputs, attrs }) => inputGradProgram(name, geometry(inputs, attrs)),
    wasm({ inputs, attrs }) {
      const geom = words(geometry(inputs, attrs));
      return { calls: [call("conv2d_input_grad", inputRef(0), inputRef(1), outputRef(0), geom)] };
    },
  };
}

const conv2dInputGradOp = inputGradOp("conv2dInputGrad", "dy");
/** Behind {@link convTranspose2d}: x and w. */
export const convTranspose2dOp: MacroOp<InputGradAttrs> = inputGradOp("convTranspose2d", "x");

const filtersOf = ([x, dy]: readonly Type[], { kernel, groups }: WeightGradAttrs): Shape => [
  ...kernel,
  x.shape[3] / groups,
  dy.shape[3],
];

const conv2dWeightGradOp: MacroOp<WeightGradAttrs> = {
  kind: "macro",
  name: "conv2dWeightGrad",
  infer: (inputs, attrs) => [f32(filtersOf(inputs, attrs))],
  grad({ inputs: [x, dy], attrs }, [g]) {
    if (!g) return [null, null];
    return [inputGrad(dy, g, x.shape, attrs), applyOne(conv2dOp, [x, g], attrs)];
  },
  multiplyAdds: ({ inputs: [, dy], outputs: [dw] }) => sizeOf(dy.shape) * filterSize(dw),
  wgsl({ inputs, attrs }) {
    const w = filtersOf(inputs, attrs);
    return weightGradProgram(convGeometry("conv2dWeightGrad", inputs[0].shape, w, attrs));
  },
  wasm({ inputs, attrs }) {
    const w = filtersOf(inputs, attrs);
    const g = words(convGeometry("conv2dWeightGrad", inputs[0].shape, w, attrs));
    return { calls: [call("conv2d_weight_grad", inputRef(0), inputRef(1), outputRef(0), g)] };
  },
};

const inputGrad = (dy: Tensor, w: Tensor, x: Shape, attrs: ConvAttrs): Tensor =>
  applyOne(conv2dInputGradOp, [dy, w], { ...attrs, size: [x[1], x[2]] });

const weightGrad = (x: Tensor, dy: Tensor, w: Shape, attrs: ConvAttrs): Tensor =>
  applyOne(conv2dWeightGradOp, [x, dy], { ...attrs, kernel: [w[0], w[1]] });

function checkImages(action: string, where: string, name: string, x: Type): void {
  checkRank(action, where, name, x, 4, "n, h, w, c");
  checkDType(action, where, name, x);
}

function checkFilters(action: string, where: string, w: Type): void {
  checkRank(action, where, "w", w, 4, axesOfW);
  checkDType(action, where, "w", w);
}

function checkResult(action: string, name: string, y: Shape, g: ConvGeometry): void {
  if (y[3] !== g.cout) {
    throw new ShapeError(
      `Cannot ${action}: ${name} ${show(y)} has ${y[3]} channels but w ` +
        `${show([g.kh, g.kw, g.cin / g.groups, g.cout])} expects ${g.cout}`,
    );
  }
  if (y[1] !== g.oh || y[2] !== g.ow) {
    throw new ShapeError(
      `Cannot ${action}: ${name} ${show(y)} is ${y[1]}x${y[2]}, ` +
        `a result of ${g.h}x${g.w} wants ${g.oh}x${g.ow}`,
    );
  }
}

/**
 * 2-D cross-correlation of NHWC images with HWIO filters, what networks call convolution. A bias is
 * added with `add`, which melts into the following pointwise operations.
 *
 * `y[n,i,j,o] = Σ_{u,v,c} x[n, i·s+u·d−pt, j·s+v·d−pl, c] · w[u,v,c,o]`, x being 0 outside;
 * with groups, c runs over the channels of o's group only.
 *
 * Shapes: x `[n,h,w,cin]`, w `[kh,kw,cin/groups,cout]` →
 * `[n, ⌊(h+pt+pb−d(kh−1)−1)/s⌋+1, …, cout]`. Depthwise: `groups = cin`.
 * Cost: 2·n·h'·w'·kh·kw·cin/groups·cout flops. Accuracy: f32 sums; on the CPU, 3x3 filters of
 * stride 1 between 32 or more channels go by Winograd's filtering where it is faster: error up to
 * 2e-5 of the largest value (512 channels), in the gradients too.
 *
 * @throws {ShapeError} when channels differ, groups do not divide them, an option is no whole
 *   number, no window fits, or padded images are longer than 2^30
 * @source Dumoulin & Visin 2016, arXiv:1603.07285, for the sizes
 * @example
 * ```ts
 * import { openDevice, ops, tensor } from "../mod.ts";
 * using device = await openDevice("wasm");
 * const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
 * const w = tensor([1, 0, 0, 1], [2, 2, 1, 1]);
 * console.log(await device.read(ops.conv2d(x, w))); // Float32Array [6, 8, 12, 14]
 * ```
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  return applyOne(conv2dOp, [x, w], convAttrs("conv2d", options));
}

/** Options of {@link convTranspose2d}; stride, padding and dilation are those of the convolution. */
export interface ConvTranspose2dOptions extends Conv2dOptions {
  /**
   * Size of the result. By default the smallest whose convolution has the size of x; for padding
   * `"same"` the size of x times the stride.
   */
  readonly outputSize?: Pair;
}

/**
 * Transposed convolution, which enlarges images: the gradient of {@link conv2d} for its images.
 *
 * `y[n, i·s+u·d−pt, j·s+v·d−pl, c] = Σ_{i,j,u,v,o} x[n,i,j,o] · w[u,v,c,o]`
 *
 * Shapes: x `[n,h,w,cin]`, w `[kh,kw,cout/groups,cin]` (the filters of the convolution from the
 * result back to x) → `[n, (h−1)·s + d(kh−1)+1 − pt−pb, …, cout]`. Accuracy: as {@link conv2d}.
 *
 * @throws {ShapeError} when channels differ, or x has not the size of the result's convolution
 * @source Dumoulin & Visin 2016, arXiv:1603.07285, §4
 */
export function convTranspose2d(
  x: Tensor,
  w: Tensor,
  options: ConvTranspose2dOptions = {},
): Tensor {
  const attrs = convAttrs("convTranspose2d", options);
  const size = options.outputSize
    ? checkedPair("convTranspose2d", "outputSize", options.outputSize)
    : transposedSize(x.shape, w.shape, attrs);
  return applyOne(convTranspose2dOp, [x, w], { ...attrs, size });
}

function transposedSize(x: Shape, w: Shape, { stride, padding, dilation }: ConvAttrs): Pair {
  const along = (axis: 0 | 1): number => {
    const size = x[axis + 1] ?? 1, reach = dilation[axis] * ((w[axis] ?? 1) - 1) + 1;
    if (padding === "same") return size * stride[axis];
    return (size - 1) * stride[axis] + reach - padding[axis] - padding[axis + 2];
  };
  return [along(0), along(1)];
}
