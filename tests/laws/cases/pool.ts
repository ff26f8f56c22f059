/** Laws of pooling. */
import * as fc from "npm:fast-check@4";
import { grad } from "../../../core/grad.ts";
import { input } from "../../../core/structure.ts";
import { avgPool2d, maxPool2d, mul, type PoolOptions, sum } from "../../../ops/mod.ts";
import * as reference from "../../reference/pool.ts";
import type { Instance, LawCase } from "../case.ts";

/** A drawn pooling: the options as a user gives them, and all of them written out. */
interface Drawn {
  readonly x: readonly [n: number, h: number, w: number, c: number];
  readonly options: PoolOptions;
  readonly settings: reference.PoolSettings;
}

const upTo = (max: number, min = 1) => fc.integer({ min, max });
const pairOf = (value: fc.Arbitrary<number>) => fc.tuple(value, value);

/** Whether every window sees at least a place of the image, as the operations want it. */
function isLegal({ x, settings: p }: Drawn): boolean {
  return ([0, 1] as const).every((axis) => {
    const size = x[axis + 1], starts = reference.beginnings(size, p, axis);
    const taps = Array.from({ length: p.size[axis] }, (_, u) => u * p.dilation[axis]);
    const sees = (start: number) => taps.some((u) => start + u >= 0 && start + u < size);
    return starts.length > 0 && starts.every(sees);
  });
}

const drawn = fc.record({
  n: upTo(3),
  image: pairOf(upTo(9)),
  c: fc.constantFrom(1, 2, 3, 4, 6, 8),
  size: pairOf(upTo(4)),
  stride: fc.option(pairOf(upTo(5)), { nil: undefined }),
  dilation: pairOf(fc.constantFrom(1, 1, 2, 3)),
  padding: fc.oneof(
    fc.constant([0, 0, 0, 0] as const),
    fc.tuple(upTo(2, 0), upTo(2, 0), upTo(2, 0), upTo(2, 0)),
  ),
  ceilMode: fc.boolean(),
}).map(({ n, image, c, size, stride, dilation, padding, ceilMode }): Drawn => ({
  x: [n, ...image, c],
  options: { size, stride, dilation, padding, ceilMode },
  settings: { size, stride: stride ?? size, dilation, padding, ceilMode },
})).filter(isLegal);

/** In ceil mode a window more would just begin in the padding behind the image: it is left out. */
const atTheEdge = fc.record({
  stride: upTo(4, 2),
  windows: upTo(3),
  before: upTo(1, 0),
  size: upTo(3, 2),
  c: fc.constantFrom(1, 4),
}).map(({ stride, windows, before, size, c }): Drawn => {
  const length = windows * stride - before, padding = [before, before, 1, 1] as const;
  const pairs = { stride: [stride, stride], size: [size, size], dilation: [1, 1] } as const;
  const settings = { ...pairs, padding, ceilMode: true };
  return { x: [2, length, length, c], options: settings, settings };
}).filter(isLegal);

const labelOf = ({ x, settings: p }: Drawn): string =>
  `x [${x}] size ${p.size} stride ${p.stride} padding ${p.padding} dilation ${p.dilation}` +
  (p.ceilMode ? " ceil" : "");

const maximum = (d: Drawn): Instance => ({
  label: labelOf(d),
  inputs: [{ shape: d.x, apart: 0.01 }],
  apply: ([x]) => [maxPool2d(x, d.options)],
  reference: ([x]) => [reference.maxPool2d(x, d.settings)],
  differentiableIn: [0],
  special: { gradient: ([x], [dy]) => [reference.maxPool2dGrad(x, dy, d.settings)] },
});

/** Few different values, so that most windows hold their maximum more than once. */
function maximumGrad(d: Drawn, pattern: readonly number[]): Instance {
  const length = d.x.reduce((product, size) => product * size, 1);
  const values = Array.from({ length }, (_, i) => pattern[i % pattern.length]);
  const y = [0, 1].map((a) => reference.beginnings(d.x[a + 1], d.settings, a as 0 | 1).length);
  return {
    label: `${labelOf(d)} of ${pattern}`,
    inputs: [{ shape: d.x, values }, { shape: [d.x[0], ...y, d.x[3]] }],
    apply: ([x, dy]) => grad(sum(mul(maxPool2d(x, d.options), dy)), [x]),
    reference: ([x, dy]) => [reference.maxPool2dGrad(x, dy, d.settings)],
  };
}

/** A mean by a power of two is exact; other divisors round, so that only values can be compared. */
function average(d: Drawn, countPadding: boolean): Instance {
  const { size, ceilMode, padding } = d.settings, taps = size[0] * size[1];
  const isUniform = !ceilMode && (countPadding || padding.every((p) => p === 0));
  return {
    label: `${labelOf(d)}${countPadding ? "" : " without padding"}`,
    inputs: [{ shape: d.x }],
    apply: ([x]) => [avgPool2d(x, { ...d.options, countPadding })],
    reference: ([x]) => [reference.avgPool2d(x, d.settings, countPadding)],
    linearIn: isUniform && (taps & (taps - 1)) === 0 ? [0] : undefined,
    differentiableIn: [0],
    special: { large: false },
  };
}

const images = input([1, 5, 5, 2], "x");

/** Maxima, where their gradient goes when values are equal, and means. */
export const cases: readonly LawCase[] = [
  {
    covers: ["maxPool2d"],
    name: "maxPool2d",
    draw: fc.oneof({ arbitrary: drawn, weight: 3 }, atTheEdge).map(maximum),
    refuses: [
      {
        call: () => maxPool2d(images, { size: 6 }),
        message:
          /^Cannot maxPool2d: images of 5x5 padded to 5x5 do not hold a window, at least 6x6 is wanted$/,
      },
      {
        call: () => maxPool2d(images, { size: 2, padding: 2 }),
        message: /window 0 along axis 1 of x \[1,5,5,2\] sees padding only/,
      },
      {
        call: () => maxPool2d(images, { size: [2, 0] }),
        message: /size is \[2,0\], 2 whole numbers from 1 are wanted/,
      },
      {
        call: () => maxPool2d(input([5, 5, 2], "x"), { size: 2 }),
        message: /x \[5,5,2\] has 3 axes, 4 are wanted/,
      },
      {
        call: () => maxPool2d(input([1, 5, 5, 2], "x", "i32"), { size: 2 }),
        message: /holds i32, f32 is wanted/,
      },
    ],
  },
  {
    covers: ["maxPool2d"],
    name: "gradient of maxPool2d where values are equal",
    draw: fc.tuple(drawn, fc.array(upTo(1, -1), { minLength: 1, maxLength: 7 })).map(
      ([d, pattern]) => maximumGrad(d, pattern),
    ),
  },
  {
    covers: ["avgPool2d"],
    name: "avgPool2d",
    draw: fc.tuple(fc.oneof({ arbitrary: drawn, weight: 3 }, atTheEdge), fc.boolean()).map((
      [d, countPadding],
    ) => average(d, countPadding)),
    refuses: [
      {
        call: () => avgPool2d(images, { size: [1, 7] }),
        message: /images of 5x5 padded to 5x5 do not hold a window, at least 1x7 is wanted/,
      },
      {
        call: () => avgPool2d(images, { size: 2, padding: 2, countPadding: false }),
        message: /window 0 along axis 1 of x \[1,5,5,2\] sees padding only/,
      },
    ],
  },
];
