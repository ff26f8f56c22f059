/** Laws of normalisation over groups of channels and over the last axis. */
import * as fc from "npm:fast-check@4";
import { sizeOf } from "../../../core/shape.ts";
import { input } from "../../../core/structure.ts";
import { groupNorm, layerNorm } from "../../../ops/mod.ts";
import { normalizedBy } from "../../reference/group_norm.ts";
import type { InputSpec, Instance, LawCase } from "../case.ts";

const upTo = (max: number, min = 1) => fc.integer({ min, max });
const eps = fc.constantFrom(1e-5, 1e-3, 0.1);

/** Values about zero, or with a mean of thousands of deviations. */
const level = fc.constantFrom(0, 0, 3000);

/** Two elements at least, far enough apart that eps is not all there is. */
function traits(shape: readonly number[], level: number): Partial<Instance> & {
  inputs: readonly InputSpec[];
} {
  const c = [shape.at(-1)!];
  return {
    inputs: [{ shape, range: [level - 1, level + 1], apart: 0.05 }, { shape: c }, { shape: c }],
    differentiableIn: [0, 1, 2],
    tolerance: [1e-4, 1e-4],
    special: { large: false },
  };
}

const groupNorms = fc.record({
  n: upTo(3),
  places: fc.array(upTo(4), { maxLength: 2 }),
  groups: upTo(3),
  each: upTo(4),
  eps,
  level,
}).filter(({ places, each }) => sizeOf(places) * each > 1)
  .map(({ n, places, groups, each, eps, level }): Instance => {
    const shape = [n, ...places, groups * each], size = sizeOf(shape) / n, c = groups * each;
    return {
      label: `[${shape}] in ${groups} groups about ${level}, eps ${eps}`,
      apply: ([x, gamma, beta]) => [groupNorm(x, gamma, beta, { groups, eps })],
      reference: (xs) => [
        normalizedBy(xs, (i) => Math.floor(i / size) * groups + Math.floor(i % c / each), eps),
      ],
      ...traits(shape, level),
    };
  });

const layerNorms = fc.record({
  lead: fc.array(upTo(3), { maxLength: 3 }),
  c: upTo(40, 2),
  eps,
  level,
}).map(({ lead, c, eps, level }): Instance => ({
  label: `[${[...lead, c]}] about ${level}, eps ${eps}`,
  apply: ([x, gamma, beta]) => [layerNorm(x, gamma, beta, { eps })],
  reference: (xs) => [normalizedBy(xs, (i) => Math.floor(i / c), eps)],
  ...traits([...lead, c], level),
}));

const x = input([2, 3, 3, 6], "x"), six = input([6], "six"), two = input([2], "two");

/** Both are functions of x, gamma and beta. */
export const cases: readonly LawCase[] = [
  {
    covers: ["groupNorm"],
    name: "groupNorm",
    draw: groupNorms,
    refuses: [
      {
        call: () => groupNorm(x, six, six, { groups: 4 }),
        message: /Cannot groupNorm: x \[2,3,3,6\] has 6 channels in 4 groups/,
      },
      {
        call: () => groupNorm(x, six, two, { groups: 2 }),
        message: /has 6 channels but beta is \[2\], \[6\] is wanted/,
      },
      { call: () => groupNorm(six, six, six, { groups: 2 }), message: /two axes and a divisor/ },
    ],
  },
  {
    covers: ["layerNorm"],
    name: "layerNorm",
    draw: layerNorms,
    refuses: [
      {
        call: () => layerNorm(x, two, six),
        message: /Cannot layerNorm: x \[2,3,3,6\] has 6 channels but gamma is \[2\], \[6\] is/,
      },
      { call: () => layerNorm(input([6], "x", "i32"), six, six), message: /x \[6\] holds i32/ },
    ],
  },
];
