/** Windows drawn at random, up to huge ones, for convolutions and poolings. */
import fc from "npm:fast-check@4";
import type { NdArray } from "../laws/case.ts";

/** One axis of a sliding window. */
export interface Axis {
  readonly size: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

/** Places that a window covers. */
export const reachOf = ({ taps, dilation }: Axis): number => dilation * (taps - 1) + 1;

/** How many windows the axis holds. */
export const windowsOf = (axis: Axis): number =>
  Math.floor((axis.size + axis.before + axis.after - reachOf(axis)) / axis.stride) + 1;

/** Most windows along an axis: plain loops pass over all of them. */
const mostWindows = 30;

/** Makes an axis hold a window, and not too many. */
function mended(axis: Axis): Axis {
  const dilation = axis.taps === 1 ? axis.dilation : Math.min(axis.dilation, 5000);
  const missing = Math.max(
    0,
    reachOf({ ...axis, dilation }) - axis.size - axis.before - axis.after,
  );
  const held = { ...axis, dilation, after: axis.after + missing };
  const room = held.size + held.before + held.after - reachOf(held);
  return { ...held, stride: Math.max(held.stride, Math.ceil((room + 1) / mostWindows)) };
}

const small = (least: number, most: number): fc.Arbitrary<number> =>
  fc.integer({ min: least, max: most });

const usual: fc.Arbitrary<Axis> = fc.record({
  size: small(1, 12),
  taps: small(1, 5),
  stride: small(1, 3),
  dilation: small(1, 3),
  before: small(0, 3),
  after: small(0, 3),
});

const huge: fc.Arbitrary<Axis> = fc.record({
  size: small(1, 12),
  taps: small(1, 5),
  stride: fc.constantFrom(1, 7, 50, 1000, 65_537, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1),
  dilation: fc.constantFrom(1, 2, 9, 100, 5000, 2 ** 32),
  before: fc.constantFrom(0, 1, 10, 100, 1000, 20_000),
  after: fc.constantFrom(0, 1, 10, 100, 1000, 20_000),
});

/** A usual axis, or one whose numbers are far larger than its image. */
const anyAxis = fc.oneof(usual, huge).map(mended);

/** Rows and columns; at times both are huge, so that the padded image is more than there is memory. */
export const windows: fc.Arbitrary<readonly [Axis, Axis]> = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(anyAxis, usual.map(mended)) },
  { weight: 9, arbitrary: fc.tuple(usual.map(mended), anyAxis) },
  { weight: 2, arbitrary: fc.tuple(huge.map(mended), huge.map(mended)) },
);

/** Stride, padding and dilation as operations and references take them. */
export function settingsOf([rows, columns]: readonly [Axis, Axis]): {
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
} {
  return {
    stride: [rows.stride, columns.stride],
    dilation: [rows.dilation, columns.dilation],
    padding: [rows.before, columns.before, rows.after, columns.after],
  };
}

/** Small whole numbers: their products and sums are exact in f32. */
export function whole(shape: readonly number[], seed: number): NdArray {
  const length = shape.reduce((a, b) => a * b, 1);
  let state = (seed * 2_654_435_761 + length) >>> 0 || 1;
  const data = Float64Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state % 7 - 3;
  });
  return { shape, data };
}
