/** Laws of batch normalisation. */
import * as fc from "npm:fast-check@4";
import { grad } from "../../../core/grad.ts";
import { full, input } from "../../../core/structure.ts";
import { batchNorm, batchNormInference, mul, sum } from "../../../ops/mod.ts";
import { batchNorm as reference, batchNormGrad } from "../../reference/batch_norm.ts";
import type { InputSpec, Instance, LawCase } from "../case.ts";

const size = (max: number) => fc.integer({ min: 1, max });

const manyRows = fc.oneof(
  fc.tuple(fc.constantFrom(3, 5), fc.constantFrom(64, 111), size(4)),
  fc.tuple(fc.constantFrom(8193, 9001), fc.constantFrom(1, 2, 17)),
);

/** x of shape `[…,c]` with at least 3 rows; some have so many that they are summed in chunks. */
const shapes = fc.oneof(
  fc.tuple(fc.integer({ min: 3, max: 9 }), size(9)),
  fc.tuple(size(3), fc.integer({ min: 3, max: 6 }), size(5), size(6)),
  manyRows,
);

/** The mean may be large beside the deviation: a one-pass variance would cancel. */
const instances = fc.record({
  shape: shapes,
  eps: fc.constantFrom(1e-5, 1e-3),
  center: fc.constantFrom(0, 0, 20),
}).map(({ shape, eps, center }) => {
  const c = shape.at(-1)!;
  const inputs: InputSpec[] = [
    { shape, range: [center - 1, center + 1] },
    { shape: [c], range: [0.5, 2], isOrdinary: true },
    { shape: [c], isOrdinary: true },
  ];
  return { shape, eps, inputs, label: `[${shape}] around ${center}, eps ${eps}` };
});

/**
 * With a mean of up to a thousand deviations. Rounding an exact value to f32 errs by up to u = 2⁻²⁴ of
 * it: four times that is allowed, and u beside, for small values are differences of larger ones; of
 * the gradient, which lies between −4 and 4, a fourth is compared.
 */
const precise = fc.record({
  shape: manyRows,
  center: fc.constantFrom(0, 3, -100, 1000, -1000),
}).map(({ shape, center }): Instance => {
  const c = shape.at(-1)!, eps = 1e-5, u = 2 ** -24, one = full(1, [c]), zero = full(0, [c]);
  return {
    label: `[${shape}] around ${center}`,
    inputs: [{ shape, range: [center - 1.7, center + 1.7] }, { shape }],
    apply([x, dy]) {
      const { y } = batchNorm(x, one, zero, { eps });
      return [y, mul(0.25, grad(sum(mul(y, dy)), [x])[0])];
    },
    reference([x, dy]) {
      const ones = new Float64Array(c).fill(1), zeros = new Float64Array(c);
      const [y] = reference([x, { shape: [c], data: ones }, { shape: [c], data: zeros }], eps);
      const dx = batchNormGrad(x, dy, eps);
      return [y, { shape, data: dx.data.map((v) => v / 4) }];
    },
    tolerance: [4 * u, u],
  };
});

const x = input([4, 3], "x"), v = input([3], "v"), wrong = input([5], "w");

/** Values with statistics; y with gradients; inference. */
export const cases: readonly LawCase[] = [
  {
    covers: ["batchNorm"],
    name: "batchNorm with statistics",
    draw: instances.map(({ eps, inputs, label }) => ({
      label,
      inputs,
      apply: ([x, gamma, beta]) => {
        const { y, mean, variance } = batchNorm(x, gamma, beta, { eps });
        return [y, mean, variance];
      },
      reference: (given) => reference(given, eps),
      tolerance: [5e-5, 5e-5],
    })),
    refuses: [
      {
        call: () => batchNorm(x, wrong, v),
        message: /x \[4,3\] has 3 channels but gamma is \[5\], \[3\] is wanted/,
      },
      { call: () => batchNorm(x, v, input([1, 3], "b")), message: /beta is \[1,3\]/ },
      {
        call: () => batchNorm(input([1, 3], "x"), v, v),
        message: /x \[1,3\] has 1 value per channel, at least 2 are wanted/,
      },
      { call: () => batchNorm(v, v, v), message: /x \[3\] has 1 axes, at least 2 are wanted/ },
    ],
  },
  {
    covers: ["batchNorm"],
    name: "batchNorm",
    draw: instances.map(({ eps, inputs, label }) => ({
      label,
      inputs,
      apply: ([x, gamma, beta]) => [batchNorm(x, gamma, beta, { eps }).y],
      reference: (given) => [reference(given, eps)[0]],
      differentiableIn: [0, 1, 2],
      special: { large: false },
      tolerance: [5e-5, 5e-5],
    })),
  },
  { covers: ["batchNorm"], name: "batchNorm of a large mean", draw: precise },
  {
    covers: ["batchNormInference"],
    name: "batchNormInference",
    draw: instances.map(({ eps, inputs, label }) => ({
      label,
      inputs: [...inputs, { shape: inputs[1].shape }, { shape: inputs[1].shape, range: [0.5, 2] }],
      apply: ([x, gamma, beta, mean, variance]) => [
        batchNormInference(x, gamma, beta, mean, variance, { eps }),
      ],
      reference: ([x, gamma, beta, mean, variance]) => {
        const c = gamma.data.length;
        const data = x.data.map((v, i) => {
          const k = i % c, deviation = Math.sqrt(variance.data[k] + eps);
          return (v - mean.data[k]) / deviation * gamma.data[k] + beta.data[k];
        });
        return [{ shape: x.shape, data }];
      },
      differentiableIn: [0, 1, 2, 3, 4],
      special: { large: false },
    })),
    refuses: [
      { call: () => batchNormInference(x, v, v, wrong, v), message: /mean is \[5\]/ },
      { call: () => batchNormInference(x, v, v, v, wrong), message: /variance is \[5\]/ },
    ],
  },
];
