/** Laws of sums, means, maxima, and of repeating along axes. */
import * as fc from "npm:fast-check@4";
import { type Shape, show, sizeOf } from "../../../core/shape.ts";
import type { Tensor } from "../../../core/graph.ts";
import { input } from "../../../core/structure.ts";
import * as ops from "../../../ops/mod.ts";
import { broadcastOffset, indexOf } from "../../reference/evaluate.ts";
import type { Instance, LawCase, NdArray } from "../case.ts";
import { anyShape, broadcastingShapes, mapElements } from "./broadcast.ts";

type Reduce = (x: Tensor, options?: ops.ReduceOptions) => Tensor;

/** Folds the elements that meet in one result: those whose index agrees outside the axes. */
function reduced(
  x: NdArray,
  kept: Shape,
  fold: (sum: number, value: number) => number,
  start: number,
): NdArray {
  const data = new Float64Array(sizeOf(kept)).fill(start);
  for (const [i, v] of x.data.entries()) {
    const at = broadcastOffset(indexOf(i, x.shape), kept);
    data[at] = fold(data[at], v);
  }
  return { shape: kept, data };
}

/** A shape, some of its axes (negative ones too), or undefined for all; some shapes are long. */
const reductions = fc.oneof(
  { arbitrary: anyShape, weight: 4 },
  { arbitrary: fc.tuple(fc.integer({ min: 1000, max: 2100 }), fc.constantFrom(1, 3)), weight: 1 },
).chain((shape) =>
  fc.record({
    shape: fc.constant<readonly number[]>(shape),
    axes: fc.option(fc.subarray(shape.map((_, axis) => axis)), { nil: undefined }),
    fromEnd: fc.boolean(),
    keepDims: fc.boolean(),
  })
);

function reduction(name: string, op: Reduce, isMax = false): LawCase {
  return {
    covers: [name],
    name,
    draw: reductions.map(({ shape, axes, fromEnd, keepDims }): Instance => {
      const gone = axes ?? shape.map((_, axis) => axis);
      const kept = shape.map((size, axis) => gone.includes(axis) ? 1 : size);
      const result = keepDims ? kept : shape.filter((_, axis) => !gone.includes(axis));
      const named = fromEnd ? axes?.map((axis) => axis - shape.length) : axes;
      const count = name === "mean" ? sizeOf(shape) / sizeOf(kept) : 1;
      return {
        label: `${show(shape)} over ${named ? show(named) : "all"}`,
        inputs: [{ shape }],
        // The sum with 0 keeps an input from being the result itself where no axis is named.
        apply: ([x]) => [ops.add(op(x, { axes: named, keepDims }), 0)],
        reference: ([x]) => {
          const { data } = isMax
            ? reduced(x, kept, Math.max, -Infinity)
            : reduced(x, kept, (sum, v) => sum + v / count, 0);
          return [{ shape: result, data }];
        },
        linearIn: name === "sum" ? [0] : undefined,
        differentiableIn: isMax ? [] : [0],
        tolerance: isMax ? [0, 0] : [2e-5, 1e-4],
        special: { large: isMax },
      };
    }),
    refuses: [
      {
        call: () => op(input([2, 3], "x"), { axes: [2] }),
        message: new RegExp(`Cannot ${name}: \\[2\\] are no axes of \\[2,3\\]`),
      },
      { call: () => op(input([2, 3], "x"), { axes: [1, -1] }), message: /\[1,-1\] are no axes/ },
    ],
  };
}

const expandCase: LawCase = {
  covers: ["expand"],
  name: "expand",
  draw: fc.tuple(broadcastingShapes(1), anyShape, fc.constantFrom(1, 2)).map(
    ([[from], lead, scale]): Instance => {
      const to = [...lead.slice(0, 4 - from.length), ...from.map((size) => size === 1 ? 3 : size)];
      return {
        label: `${show(from)} to ${show(to)} times ${scale}`,
        inputs: [{ shape: from }],
        apply: ([x]) => [ops.add(ops.expand(x, to, scale), 0)],
        reference: ([x]) => [
          mapElements((_, v) => v * scale, [{ shape: to, data: new Float64Array(sizeOf(to)) }, x]),
        ],
        linearIn: [0],
        differentiableIn: [0],
        special: { large: false },
      };
    },
  ),
  refuses: [
    {
      call: () => ops.expand(input([3], "x"), [2, 4]),
      message: /Cannot expand: \[3\] and \[2,4\] differ in axis -1/,
    },
    {
      call: () => ops.expand(input([2, 3], "x"), [3]),
      message: /Cannot expand: \[2,3\] does not repeat to \[3\]/,
    },
  ],
};

const sumToCase: LawCase = {
  covers: ["sumTo"],
  name: "sumTo",
  draw: anyShape.chain((full) =>
    fc.record({
      missing: fc.integer({ min: 0, max: full.length }),
      ones: fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
      scale: fc.constantFrom(1, 2),
    }).map(({ missing, ones, scale }): Instance => {
      const kept = full.map((size, axis) => axis < missing || ones[axis] ? 1 : size);
      const to = kept.slice(missing);
      return {
        label: `${show(full)} to ${show(to)} times ${scale}`,
        inputs: [{ shape: full }],
        apply: ([x]) => [ops.add(ops.sumTo(x, to, scale), 0)],
        reference: ([x]) => [
          { shape: to, data: reduced(x, kept, (sum, v) => sum + v * scale, 0).data },
        ],
        linearIn: [0],
        differentiableIn: [0],
        special: { large: false },
      };
    })
  ),
};

const reshapeCase: LawCase = {
  covers: ["reshape"],
  name: "reshape",
  draw: anyShape.map((shape): Instance => ({
    label: show(shape),
    inputs: [{ shape }],
    apply: ([x]) => [ops.add(ops.reshape(x, [-1]), 0), ops.add(ops.reshape(x, [1, ...shape]), 0)],
    reference: ([x]) => [{ ...x, shape: [x.data.length] }, { ...x, shape: [1, ...shape] }],
    linearIn: [0],
    differentiableIn: [0],
    special: {},
  })),
  refuses: [
    {
      call: () => ops.reshape(input([2, 3], "x"), [4, 2]),
      message: /Cannot reshape: \[2,3\] has 6 elements, \[4,2\] wants 8/,
    },
    { call: () => ops.reshape(input([2, 3], "x"), [4, -1]), message: /has a size of 1.5/ },
  ],
};

/** Reductions over any axes, their adjoint, and views. */
export const cases: readonly LawCase[] = [
  reduction("sum", ops.sum),
  reduction("mean", ops.mean),
  reduction("max", ops.max, true),
  expandCase,
  sumToCase,
  reshapeCase,
];
