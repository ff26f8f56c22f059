/** Laws of convolution, transposed convolution, and the gradients of convolution as operations. */
import * as fc from "npm:fast-check@4";
import { grad } from "../../../core/grad.ts";
import type { Tensor } from "../../../core/graph.ts";
import { input, variable } from "../../../core/structure.ts";
import {
  add,
  conv2d,
  type Conv2dOptions,
  convTranspose2d,
  mul,
  relu,
  sum,
} from "../../../ops/mod.ts";
import {
  conv2d as reference,
  conv2dWeightGrad,
  type ConvSettings,
  convTranspose2d as transposedReference,
} from "../../reference/conv2d.ts";
import type { Instance, LawCase } from "../case.ts";

/** A drawn convolution: shapes, the options as a user gives them, and all of them written out. */
interface Drawn {
  readonly x: readonly [n: number, h: number, w: number, c: number];
  readonly w: readonly [kh: number, kw: number, cin: number, cout: number];
  readonly y: readonly [n: number, oh: number, ow: number, cout: number];
  readonly options: Conv2dOptions;
  readonly settings: ConvSettings;
}

const upTo = (max: number, min = 1) => fc.integer({ min, max });
const pairOf = (value: fc.Arbitrary<number>) => fc.tuple(value, value);

/** Groups, input channels and output channels of each group. */
const plain = fc.tuple(
  fc.constant(1),
  fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 16),
  fc.constantFrom(1, 3, 4, 6, 8, 10, 16),
);
const grouped = fc.tuple(
  fc.constantFrom(2, 3, 4),
  fc.constantFrom(1, 3, 4),
  fc.constantFrom(1, 2, 3, 4),
);
const depthwise = fc.constantFrom(1, 2, 3, 4, 6, 8).map((c) => [c, 1, 1] as const);

const margins = fc.oneof(
  fc.constant([0, 0, 0, 0] as const),
  upTo(3, 0).map((p) => [p, p, p, p] as const),
  fc.tuple(upTo(5, 0), upTo(5, 0), upTo(5, 0), upTo(5, 0)),
);

/** The margins that TensorFlow's "same" adds along an axis. */
function sameMargins(size: number, reach: number, stride: number): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size);
  return [total >> 1, total - (total >> 1)];
}

interface Bounds {
  readonly batch: number;
  readonly image: fc.Arbitrary<number>;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

function drawn(bounds: Bounds, channels: fc.Arbitrary<readonly [number, number, number]>) {
  return fc.record({
    n: upTo(bounds.batch),
    image: pairOf(bounds.image),
    kernel: pairOf(upTo(bounds.kernel)),
    stride: pairOf(upTo(bounds.stride)),
    dilation: pairOf(upTo(bounds.dilation)),
    channels,
    margins,
    same: upTo(3, 0).map((k) => k === 0),
  }).map(({ n, image, kernel, stride, dilation, channels, margins, same }): Drawn => {
    const [groups, cin, cout] = channels;
    const axes = [0, 1].map((a) => {
      const reach = dilation[a] * (kernel[a] - 1) + 1;
      const drawnMargins = [margins[a], margins[a + 2]] as const;
      // Large enough for one window.
      const size = same ? image[a] : Math.max(image[a], reach - drawnMargins[0] - drawnMargins[1]);
      const [before, after] = same ? sameMargins(size, reach, stride[a]) : drawnMargins;
      const windows = Math.floor((size + before + after - reach) / stride[a]) + 1;
      return { size, before, after, windows };
    });
    const [rows, columns] = axes;
    const padding = [rows.before, columns.before, rows.after, columns.after] as const;
    return {
      x: [n, rows.size, columns.size, groups * cin],
      w: [...kernel, cin, groups * cout],
      y: [n, rows.windows, columns.windows, groups * cout],
      options: { stride, padding: same ? "same" : padding, dilation, groups },
      settings: { stride, padding, dilation, groups },
    };
  });
}

const small: Bounds = { batch: 3, image: upTo(8), kernel: 4, stride: 5, dilation: 3 };
/** Long sums for the weights, which are cut into parts, and long rows. */
const large: Bounds = { batch: 3, image: upTo(20, 14), kernel: 3, stride: 2, dilation: 2 };

/** Windows up to 5x5 at strides 1 and 2, which have kernels of their own where channels stay apart. */
const windows: Bounds = { batch: 2, image: upTo(19), kernel: 5, stride: 2, dilation: 1 };

const labelOf = ({ x, w, settings: { stride, padding, dilation, groups } }: Drawn): string =>
  `x [${x}] w [${w}] stride ${stride} padding ${padding} dilation ${dilation} groups ${groups}`;

/** Rounding of f32 sums grows with their length. */
const toleranceFor = (terms: number): readonly [number, number] => [2e-5, 2e-5 + 3e-8 * terms];

function forward(d: Drawn): Instance {
  return {
    label: labelOf(d),
    inputs: [{ shape: d.x }, { shape: d.w }],
    apply: ([x, w]) => [conv2d(x, w, d.options)],
    reference: ([x, w]) => [reference(x, w, d.settings)],
    linearIn: [0, 1],
    differentiableIn: [0, 1],
    tolerance: toleranceFor(d.w[0] * d.w[1] * d.w[2]),
  };
}

/** A bias, a shortcut and an activation behind it, which may become parts of one kernel. */
function followed(d: Drawn): Instance {
  const { label, inputs, tolerance } = forward(d), cout = d.y[3];
  return {
    label: `${label} + bias + shortcut, ReLU`,
    inputs: [...inputs, { shape: [cout] }, { shape: d.y }],
    apply: ([x, w, b, r]) => [relu(add(add(conv2d(x, w, d.options), b), r))],
    reference: ([x, w, b, r]) => {
      const { shape, data } = reference(x, w, d.settings);
      const sums = data.map((v, i) => Math.max(0, v + b.data[i % cout] + r.data[i]));
      return [{ shape, data: sums }];
    },
    tolerance,
  };
}

function gradients(d: Drawn): Instance {
  const [x, w] = [d.x, d.w];
  return {
    label: labelOf(d),
    inputs: [{ shape: x }, { shape: w }, { shape: d.y }],
    apply: ([x, w, dy]) => grad(sum(mul(conv2d(x, w, d.options), dy)), [x, w]),
    reference: ([xs, ws, dy]) => [
      transposedReference(dy, ws, d.settings, [x[1], x[2]]),
      conv2dWeightGrad(xs, dy, w, d.settings),
    ],
    linearIn: [2],
    differentiableIn: [0, 1, 2],
    tolerance: toleranceFor(d.y[0] * d.y[1] * d.y[2] + w[0] * w[1] * w[3]),
  };
}

/** From the result of a drawn convolution back to the size of its images, given or by default. */
function transposed(d: Drawn, given: boolean): Instance {
  const { stride, padding, dilation } = d.settings;
  const least = [0, 1].map((a) =>
    (d.y[a + 1] - 1) * stride[a] + dilation[a] * (d.w[a] - 1) + 1 - padding[a] - padding[a + 2]
  );
  const useDefault = !given && d.options.padding !== "same" && least.every((size) => size > 0);
  const size: [number, number] = useDefault ? [least[0], least[1]] : [d.x[1], d.x[2]];
  const options = useDefault ? d.options : { ...d.options, outputSize: size };
  return {
    label: `${labelOf(d)} back to [${size}]${useDefault ? " by default" : ""}`,
    inputs: [{ shape: d.y }, { shape: d.w }],
    apply: ([x, w]) => [convTranspose2d(x, w, options)],
    reference: ([x, w]) => [transposedReference(x, w, d.settings, size)],
    linearIn: [0, 1],
    differentiableIn: [0, 1],
    tolerance: toleranceFor(d.w[0] * d.w[1] * d.w[3]),
  };
}

const of = (shape: number[], label = "x"): Tensor => input(shape, label);

const refuses: LawCase["refuses"] = [
  {
    call: () => conv2d(of([8, 16, 16, 64]), variable([3, 3, 128, 128], "layer2.0.conv1.weight")),
    message:
      /^Cannot conv2d at layer2.0.conv1: x \[8,16,16,64\] has 64 channels but w \[3,3,128,128\] expects 128$/,
  },
  {
    call: () => conv2d(of([1, 8, 8, 6]), of([3, 3, 2, 8]), { groups: 4 }),
    message: /has 6 channels but w \[3,3,2,8\] expects 8 \(4 groups of 2\)$/,
  },
  {
    call: () => conv2d(of([1, 8, 8, 6]), of([3, 3, 2, 8]), { groups: 3 }),
    message: /w \[3,3,2,8\] has 8 output channels, a multiple of the 3 groups is wanted$/,
  },
  {
    call: () => conv2d(of([8, 8, 3]), of([3, 3, 3, 8])),
    message: /x \[8,8,3\] has 3 axes, 4 are wanted \(n, h, w, c\)/,
  },
  {
    call: () => conv2d(of([1, 8, 8, 3]), of([27, 8])),
    message: /w \[27,8\] has 2 axes, 4 are wanted/,
  },
  {
    call: () => conv2d(of([1, 4, 8, 3]), of([3, 3, 3, 8]), { dilation: 3, padding: [1, 0, 0, 0] }),
    message: /images of 4x8 padded to 5x8 do not hold a window, at least 7x7 is wanted$/,
  },
  {
    call: () => conv2d(of([1, 8, 8, 3]), of([3, 3, 3, 8]), { stride: 0 }),
    message: /stride is \[0,0\], 2 whole numbers from 1 are wanted/,
  },
  {
    call: () => conv2d(of([1, 8, 8, 3]), of([3, 3, 3, 8]), { padding: -1 }),
    message: /padding is \[-1,-1,-1,-1\], 4 whole numbers from 0 are wanted/,
  },
  {
    call: () => conv2d(of([1, 8, 8, 3]), of([3, 3, 3, 8]), { groups: 1.5 }),
    message: /groups is 1.5, a whole number from 1 is wanted/,
  },
  {
    call: () => conv2d(input([1, 8, 8, 3], "x", "u32"), of([3, 3, 3, 8])),
    message: /x \[1,8,8,3\] holds u32, f32 is wanted/,
  },
];

const refusesTransposed: LawCase["refuses"] = [
  {
    call: () => convTranspose2d(of([1, 4, 4, 8]), of([3, 3, 4, 16])),
    message: /^Cannot convTranspose2d: x \[1,4,4,8\] has 8 channels but w \[3,3,4,16\] expects 16$/,
  },
  {
    call: () => convTranspose2d(of([1, 4, 4, 8]), of([3, 3, 4, 8]), { outputSize: [9, 9] }),
    message: /x \[1,4,4,8\] is 4x4, a result of 9x9 wants 7x7$/,
  },
  {
    call: () => convTranspose2d(of([1, 1, 1, 8]), of([1, 1, 4, 8]), { padding: 1 }),
    message: /\[1,-1,-1,4\] has a size of -1, whole numbers from 1 are wanted/,
  },
];

/** Small images under all options, large ones, groups, and both gradients as operations. */
export const cases: readonly LawCase[] = [
  { covers: ["conv2d"], name: "conv2d", draw: drawn(small, plain).map(forward), refuses },
  {
    covers: ["conv2d"],
    name: "conv2d in groups",
    draw: drawn(small, fc.oneof(grouped, depthwise)).map(forward),
  },
  {
    covers: ["conv2d"],
    name: "conv2d over large images",
    draw: drawn(large, fc.oneof(plain, depthwise)).map(forward),
  },
  {
    covers: ["conv2d"],
    name: "conv2d and what follows",
    draw: drawn(small, fc.oneof(plain, grouped, depthwise)).map(followed),
  },
  {
    covers: ["conv2d"],
    name: "gradients of depthwise conv2d",
    draw: drawn(windows, depthwise).map(gradients),
  },
  {
    covers: ["conv2d"],
    name: "gradients of conv2d",
    draw: drawn(small, fc.oneof(plain, grouped, depthwise)).map(gradients),
  },
  {
    covers: ["conv2d"],
    name: "gradients of conv2d over large images",
    draw: drawn(large, fc.oneof(plain, grouped, depthwise)).map(gradients),
  },
  {
    covers: ["convTranspose2d"],
    name: "convTranspose2d",
    draw: fc.tuple(drawn(small, fc.oneof(plain, grouped, depthwise)), fc.boolean()).map(
      ([d, given]) => transposed(d, given),
    ),
    refuses: refusesTransposed,
  },
];
