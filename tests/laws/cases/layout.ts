/** Laws of slice, pad, concat and transpose. */
import * as fc from "npm:fast-check@4";
import type { DType } from "../../../core/shape.ts";
import { input } from "../../../core/structure.ts";
import { concat, type Margin, pad, slice, transpose } from "../../../ops/mod.ts";
import * as reference from "../../reference/layout.ts";
import type { InputSpec, Instance, LawCase } from "../case.ts";

const upTo = (max: number, min = 1) => fc.integer({ min, max });
const dtype = fc.constantFrom<DType>("f32", "f32", "f32", "i32", "u32");

/** Sizes of 1 … 6, or with a last axis of whole vectors, at times all by fours. */
const shape = fc.oneof(
  fc.array(upTo(6), { minLength: 1, maxLength: 5 }),
  fc.tuple(fc.array(upTo(4), { maxLength: 3 }), fc.constantFrom(4, 8, 12)).map((
    [a, b],
  ) => [...a, b]),
);

/** Whole numbers count up, so that every element is different. */
function spec(shape: readonly number[], dtype: DType): InputSpec {
  if (dtype === "f32") return { shape };
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, dtype, values: Array.from({ length }, (_, i) => i) };
}

/** Copies are linear in all inputs; whole numbers have no gradient. */
const traits = (inputs: readonly InputSpec[], dtype: DType): Partial<Instance> => {
  const all = dtype === "f32" ? inputs.map((_, k) => k) : [];
  return { linearIn: all, differentiableIn: all, tolerance: [0, 0], special: {} };
};

/** A part along every axis; by fours where the axis allows it. */
const fractions = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), {
  minLength: 15,
  maxLength: 15,
});
const slices = fc.tuple(shape, dtype, fractions)
  .map(([shape, dtype, fractions]): Instance => {
    let drawn = 0;
    const next = (below: number) => Math.floor(fractions[drawn++] * below);
    const unit = shape.map((size) => size % 4 === 0 && next(2) === 0 ? 4 : 1);
    const starts = shape.map((size, k) => next(size / unit[k]) * unit[k]);
    const sizes = shape.map((size, k) => (next((size - starts[k]) / unit[k]) + 1) * unit[k]);
    const inputs = [spec(shape, dtype)];
    return {
      label: `[${shape}] from [${starts}] of [${sizes}] ${dtype}`,
      inputs,
      apply: ([x]) => [slice(x, starts, sizes)],
      reference: ([x]) => [reference.slice(x, starts, sizes)],
      ...traits(inputs, dtype),
    };
  });

const margin = fc.oneof(
  fc.constant<Margin>([0, 0]),
  fc.tuple(upTo(4, 0), upTo(4, 0)),
  fc.constantFrom<Margin>([4, 8], [4, 0]),
);
const pads = shape.chain((shape) =>
  fc.tuple(
    fc.array(margin, { minLength: shape.length, maxLength: shape.length }),
    fc.constantFrom(0, 0, -1.5, NaN, -Infinity),
  ).map(([margins, value]): Instance => ({
    label: `[${shape}] by [${margins.map((m) => `[${m}]`)}] of ${value}`,
    inputs: [{ shape }],
    apply: ([x]) => [pad(x, margins, value)],
    reference: ([x]) => [reference.pad(x, margins, value)],
    linearIn: value === 0 ? [0] : undefined,
    differentiableIn: Number.isFinite(value) ? [0] : [],
    tolerance: [0, 0],
    special: {},
  }))
);

const concats = shape.chain((shape) =>
  fc.tuple(
    upTo(shape.length - 1, -shape.length),
    fc.oneof(
      fc.array(upTo(5), { minLength: 1, maxLength: 5 }),
      fc.array(fc.constantFrom(4, 8), { minLength: 2, maxLength: 3 }),
    ),
    dtype,
  ).map(([axis, lengths, dtype]): Instance => {
    const positive = (axis + shape.length) % shape.length;
    const shapes = lengths.map((length) => shape.with(positive, length));
    const inputs = shapes.map((s) => spec(s, dtype));
    return {
      label: `${shapes.map((s) => `[${s}]`).join(" ")} along ${axis} ${dtype}`,
      inputs,
      apply: (xs) => [concat(xs, axis)],
      reference: (xs) => [reference.concat(xs, positive)],
      ...traits(inputs, dtype),
    };
  })
);

const transposes = shape.chain((shape) =>
  fc.tuple(
    fc.shuffledSubarray(shape.map((_, k) => k), { minLength: shape.length }),
    dtype,
  ).map(([order, dtype]): Instance => {
    const inputs = [spec(shape, dtype)];
    return {
      label: `[${shape}] to [${order}] ${dtype}`,
      inputs,
      apply: ([x]) => [transpose(x, order)],
      reference: ([x]) => [reference.transpose(x, order)],
      ...traits(inputs, dtype),
    };
  })
);

const x = input([2, 3], "x"), whole = input([2, 3], "x", "u32");

/** One case an operation. */
export const cases: readonly LawCase[] = [
  {
    covers: ["slice"],
    name: "slice",
    draw: slices,
    refuses: [
      {
        call: () => slice(x, [1, 0], [2, 3]),
        message: /^Cannot slice: sizes \[2,3\] from \[1,0\] are no part of x \[2,3\]/,
      },
      { call: () => slice(x, [0], [1]), message: /sizes \[1\] from \[0\] are no part/ },
      { call: () => slice(x, [-1, 0], [1, 1]), message: /from \[-1,0\] are no part/ },
      { call: () => slice(x, [0, 0], [0, 1]), message: /sizes \[0,1\]/ },
    ],
  },
  {
    covers: ["pad"],
    name: "pad",
    draw: pads,
    refuses: [
      {
        call: () => pad(x, [[1, 1]]),
        message: /^Cannot pad: x \[2,3\] gets margins \[\[1,1\]\], two whole numbers from 0/,
      },
      { call: () => pad(x, [[0, 0], [-1, 0]]), message: /gets margins \[\[0,0\],\[-1,0\]\]/ },
      { call: () => pad(whole, [[0, 0], [1, 0]]), message: /x \[2,3\] holds u32, f32 is wanted/ },
    ],
  },
  {
    covers: ["concat"],
    name: "concat",
    draw: concats,
    refuses: [
      { call: () => concat([], 0), message: /^Cannot concat: 0 tensors, at least 1 is wanted$/ },
      {
        call: () => concat([x, x], 2),
        message: /axis 2 is none of \[2,3\], one from -2 to 1 is wanted/,
      },
      {
        call: () => concat([x, input([2, 4], "y")], 0),
        message: /\[2,3\] and \[2,4\] differ beside axis 0, equal sizes are wanted there/,
      },
      { call: () => concat([x, whole], 0), message: /input \[2,3\] holds u32, f32 is wanted/ },
    ],
  },
  {
    covers: ["transpose"],
    name: "transpose",
    draw: transposes,
    refuses: [
      {
        call: () => transpose(x, [0, 0]),
        message: /^Cannot transpose: order \[0,0\] does not fit x \[2,3\], each axis from 0 to 1/,
      },
      { call: () => transpose(x, [0]), message: /order \[0\] does not fit x \[2,3\]/ },
    ],
  },
];
