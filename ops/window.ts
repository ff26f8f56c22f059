/** Sliding windows: the options, sizes and WGSL lines that convolution and pooling share. */
import { DeviceError, ShapeError } from "../core/errors.ts";
import { type Shape, show } from "../core/shape.ts";
import type { Floats } from "../core/wgsl_floats.ts";

/** A number for both axes, or one for each. */
export type Pair = readonly [height: number, width: number];

/** Rows and columns added around an image. */
export type Margins = readonly [top: number, left: number, bottom: number, right: number];

/** Options of everything that slides a window over images. */
export interface WindowOptions {
  /** Places between one window and the next (default 1; pooling: the size of the window). */
  readonly stride?: number | Pair;
  /**
   * Places added around the image: one number for all sides, each side by name, `"valid"` for none
   * (default), or `"same"` for as many results as ⌈size / stride⌉, with the odd one at the bottom and
   * right as in TensorFlow.
   */
  readonly padding?: number | Margins | "same" | "valid";
  /** Distance between neighbouring places of a window (default 1). */
  readonly dilation?: number | Pair;
}

/** Checked options, in one form. */
export interface WindowAttrs {
  readonly stride: Pair;
  readonly padding: Margins | "same";
  readonly dilation: Pair;
  /** Whether a last window may begin inside the image and end beyond it. */
  readonly ceilMode: boolean;
}

/** Windows over NHWC images, in numbers. */
export interface WindowGeometry {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly kh: number;
  readonly kw: number;
  readonly oh: number;
  readonly ow: number;
  readonly sh: number;
  readonly sw: number;
  readonly dh: number;
  readonly dw: number;
  readonly pt: number;
  readonly pl: number;
  readonly pb: number;
  readonly pr: number;
}

/** Checks options. @throws {ShapeError} when one is not a whole number of at least its minimum */
export function windowAttrs(
  action: string,
  options: WindowOptions,
  stride: Pair = [1, 1],
  ceilMode = false,
): WindowAttrs {
  const { padding = 0 } = options;
  return {
    stride: checkedPair(action, "stride", options.stride ?? stride),
    dilation: checkedPair(action, "dilation", options.dilation ?? 1),
    padding: padding === "same" ? padding : checkedMargins(action, padding),
    ceilMode,
  };
}

/** A pair of whole numbers from 1. @throws {ShapeError} when it is none */
export function checkedPair(action: string, name: string, value: number | Pair): Pair {
  const pair: Pair = typeof value === "number" ? [value, value] : value;
  return checkedNumbers(action, name, pair, 2, 1);
}

function checkedMargins(action: string, padding: number | Margins | "valid"): Margins {
  if (padding === "valid") return [0, 0, 0, 0];
  const margins: Margins = typeof padding === "number"
    ? [padding, padding, padding, padding]
    : padding;
  return checkedNumbers(action, "padding", margins, 4, 0);
}

function checkedNumbers<T extends readonly number[]>(
  action: string,
  name: string,
  numbers: T,
  count: number,
  least: number,
): T {
  if (numbers.length === count && numbers.every((v) => Number.isSafeInteger(v) && v >= least)) {
    return numbers;
  }
  throw new ShapeError(
    `Cannot ${action}: ${name} is ${show(numbers)}, ` +
      `${count} whole numbers from ${least} are wanted`,
  );
}

/** Longest padded image or window along an axis: kernels add up a few such in 32 bits. */
const maxExtent = 2 ** 30;

/** Most windows: one value of each fills all that a 32-bit memory can hold. */
const maxWindows = 2 ** 30;

/** One axis: how many windows, how far the first begins before the image, and their steps. */
interface Axis {
  readonly windows: number;
  readonly before: number;
  readonly after: number;
  /** No longer than padded image and window: of more there is no second window. */
  readonly stride: number;
  /** 1 for a window of one place. */
  readonly dilation: number;
}

function slide(size: number, kernel: number, attrs: WindowAttrs, axis: 0 | 1): Axis {
  const dilation = kernel === 1 ? 1 : attrs.dilation[axis], reach = dilation * (kernel - 1) + 1;
  if (attrs.padding === "same") {
    const stride = Math.min(attrs.stride[axis], size), windows = Math.ceil(size / stride);
    const total = Math.max(0, (windows - 1) * stride + reach - size);
    const before = Math.floor(total / 2);
    return { windows, before, after: total - before, stride, dilation };
  }
  const before = attrs.padding[axis], after = attrs.padding[axis + 2];
  const stride = Math.min(attrs.stride[axis], Math.max(size + before + after, reach));
  const room = size + before + after - reach, whole = Math.floor(room / stride) + 1;
  // As in PyTorch, one more window may end beyond the padded image if it begins before its end.
  const more = attrs.ceilMode && room % stride !== 0 && whole * stride < size + before;
  return { windows: more ? whole + 1 : whole, before, after, stride, dilation };
}

/**
 * How windows of a size lie on images.
 *
 * @param action for the message, with the layer: `conv2d at layer2.0.conv1`
 * @throws {ShapeError} when the padded images do not hold one window, or are longer than kernels
 *   can count
 */
export function windowGeometry(
  action: string,
  [n, h, w]: Shape,
  [kh, kw]: Pair,
  attrs: WindowAttrs,
): WindowGeometry {
  const rows = slide(h, kh, attrs, 0), columns = slide(w, kw, attrs, 1);
  const dh = rows.dilation, dw = columns.dilation;
  const padded = [h + rows.before + rows.after, w + columns.before + columns.after];
  const found = `images of ${h}x${w} padded to ${padded.join("x")}`;
  const reach = [dh * (kh - 1) + 1, dw * (kw - 1) + 1];
  if (rows.windows < 1 || columns.windows < 1) {
    throw new ShapeError(
      `Cannot ${action}: ${found} do not hold a window, at least ${reach.join("x")} is wanted`,
    );
  }
  if (Math.max(...padded, ...reach) > maxExtent) {
    throw new ShapeError(
      `Cannot ${action}: ${found} or windows of ${reach.join("x")} are too long, ` +
        `at most ${maxExtent} along an axis are wanted`,
    );
  }
  if (n * rows.windows * columns.windows > maxWindows) {
    throw new ShapeError(
      `Cannot ${action}: ${found} hold ${n}x${rows.windows}x${columns.windows} windows, ` +
        `at most ${maxWindows} are wanted`,
    );
  }
  return {
    ...{ n, h, w, kh, kw, oh: rows.windows, ow: columns.windows },
    ...{ sh: rows.stride, sw: columns.stride, dh, dw },
    ...{ pt: rows.before, pl: columns.before, pb: rows.after, pr: columns.after },
  };
}

/** Lanes of the widest WGSL vector (4, 2 or 1) that divides every size. */
export function lanesOf(...sizes: readonly number[]): 1 | 2 | 4 {
  return sizes.every((s) => s % 4 === 0) ? 4 : sizes.every((s) => s % 2 === 0) ? 2 : 1;
}

/** `vec4f`, `vec2f` or `f32`. */
export const floats = (lanes: 1 | 2 | 4): Floats => lanes === 1 ? "f32" : `vec${lanes}f`;

/** `0, 1, … count−1`. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

/** Lines of WGSL at an indentation. */
export const lines = (indent: number, list: readonly string[]): string =>
  list.filter((line) => line !== "").map((line) => " ".repeat(indent) + line).join("\n");

/** Whether a window may read above or below (0), left or right (1) of the image. */
export function overhangs(g: WindowGeometry, axis: 0 | 1): boolean {
  return axis === 0
    ? g.pt > 0 || (g.oh - 1) * g.sh + (g.kh - 1) * g.dh - g.pt >= g.h
    : g.pl > 0 || (g.ow - 1) * g.sw + (g.kw - 1) * g.dw - g.pl >= g.w;
}

/**
 * Statements of a loop body over taps that define `name`: the window whose tap lies on `place`.
 * They continue with the next tap where no window's does; a window before the first wraps around,
 * so that one comparison with the number of windows finds it as well as one behind the last.
 */
export function windowAt(
  name: string,
  place: string,
  tap: string,
  axis: { stride: number; dilation: number; before: number; taps: number },
): string[] {
  const { stride, dilation, before, taps } = axis;
  // Whole strides added keep the dividend positive; they come off after the division.
  const extra = Math.ceil(((taps - 1) * dilation) / stride);
  const from = `${place} + ${before + extra * stride}u - ${tap} * ${dilation}u`;
  if (stride === 1) return [`let ${name} = ${from} - ${extra}u;`];
  return [
    `let ${name}_scaled = ${from};`,
    `if (${name}_scaled % ${stride}u != 0u) { continue; }`,
    `let ${name} = ${name}_scaled / ${stride}u - ${extra}u;`,
  ];
}

/** Loop trips that one invocation may make in all: old software Vulkan stops there, silently. */
export const maxTrips = 65_535;

/** @throws {DeviceError} when an invocation of a kernel would make more trips than allowed */
export function checkTrips(label: string, trips: number): void {
  if (trips <= maxTrips) return;
  throw new DeviceError(
    `Cannot make the kernel ${label}: an invocation would loop ${trips} times, ` +
      `at most ${maxTrips} are allowed`,
  );
}
