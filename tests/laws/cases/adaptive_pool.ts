/** Laws of pooling to a size. */
import * as fc from "npm:fast-check@4";
import { grad } from "../../../core/grad.ts";
import { input } from "../../../core/structure.ts";
import { adaptiveAvgPool2d, adaptiveMaxPool2d, mul, sum } from "../../../ops/mod.ts";
import { adaptiveMaxGrad, adaptivePool } from "../../reference/adaptive_pool.ts";
import type { Instance, LawCase } from "../case.ts";

const upTo = (max: number) => fc.integer({ min: 1, max });

/** Images and results of any sizes; windows are alike, overlap, or see a place twice. */
const drawn = fc.record({
  shape: fc.tuple(upTo(2), upTo(9), upTo(9), fc.constantFrom(1, 2, 3, 4)),
  size: fc.tuple(upTo(5), upTo(5)),
});

const mean = (seen: readonly number[]): number => seen.reduce((a, b) => a + b, 0) / seen.length;
const label = (shape: readonly number[], size: readonly number[]): string =>
  `[${shape}] to ${size}`;

const x = input([1, 5, 5, 2], "x");

/** Means, maxima, and where the gradient of a maximum goes when values are equal. */
export const cases: readonly LawCase[] = [
  {
    covers: ["adaptiveAvgPool2d"],
    name: "adaptiveAvgPool2d",
    draw: drawn.map(({ shape, size }): Instance => ({
      label: label(shape, size),
      inputs: [{ shape }],
      apply: ([x]) => [adaptiveAvgPool2d(x, size)],
      reference: ([x]) => [adaptivePool(x, size, mean)],
      differentiableIn: [0],
      special: { large: false },
    })),
    refuses: [
      {
        call: () => adaptiveAvgPool2d(x, 0),
        message: /Cannot adaptiveAvgPool2d: size is \[0,0\], 2 whole numbers from 1 are wanted/,
      },
      {
        call: () => adaptiveAvgPool2d(input([5, 5, 2], "x"), 1),
        message: /x \[5,5,2\] has 3 axes, 4 are wanted/,
      },
    ],
  },
  {
    covers: ["adaptiveMaxPool2d"],
    name: "adaptiveMaxPool2d",
    draw: drawn.map(({ shape, size }): Instance => ({
      label: label(shape, size),
      inputs: [{ shape, apart: 0.01 }],
      apply: ([x]) => [adaptiveMaxPool2d(x, size)],
      reference: ([x]) => [adaptivePool(x, size, (seen) => Math.max(...seen))],
      differentiableIn: [0],
      special: { gradient: ([x], [dy]) => [adaptiveMaxGrad(x, dy)] },
    })),
    refuses: [
      {
        call: () => adaptiveMaxPool2d(input([1, 5, 5, 2], "x", "i32"), 1),
        message: /x \[1,5,5,2\] holds i32, f32 is wanted/,
      },
    ],
  },
  {
    covers: ["adaptiveMaxPool2d"],
    name: "gradient of adaptiveMaxPool2d where values are equal",
    draw: fc.tuple(drawn, fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 1, maxLength: 7 }))
      .map(([{ shape, size }, pattern]): Instance => {
        const length = shape.reduce((product, size) => product * size, 1);
        const values = Array.from({ length }, (_, i) => pattern[i % pattern.length]);
        const y = [shape[0], ...size, shape[3]];
        return {
          label: `${label(shape, size)} of ${pattern}`,
          inputs: [{ shape, values }, { shape: y }],
          apply: ([x, dy]) => grad(sum(mul(adaptiveMaxPool2d(x, size), dy)), [x]),
          reference: ([x, dy]) => [adaptiveMaxGrad(x, dy)],
        };
      }),
  },
];
