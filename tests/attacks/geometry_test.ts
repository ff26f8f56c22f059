/**
 * Convolutions and poolings of any geometry, transposed, grouped and depthwise ones among them,
 * against plain loops: no value is wrong, nothing traps, and only what exceeds memory is refused.
 * `-- --slow` draws 3,000 of each on the CPU.
 */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import type { Device } from "../../core/device.ts";
import { DeviceError } from "../../core/errors.ts";
import { grad } from "../../core/grad.ts";
import type { Tensor } from "../../core/graph.ts";
import { sizeOf } from "../../core/shape.ts";
import { tensor } from "../../core/structure.ts";
import { conv2d, convTranspose2d } from "../../ops/conv2d.ts";
import { mul } from "../../ops/pointwise.ts";
import { avgPool2d, maxPool2d } from "../../ops/pool.ts";
import { sum } from "../../ops/reduce.ts";
import { assertClose } from "../assert.ts";
import type { NdArray } from "../laws/case.ts";
import { openTestDevices } from "../laws/devices.ts";
import { drawing } from "../laws/drawing.ts";
import * as reference from "../reference/conv2d.ts";
import * as poolReference from "../reference/pool.ts";
import { type Axis, settingsOf, whole, windows, windowsOf } from "./geometry.ts";

const { seed, isSlow } = drawing();
const runsOn = { wasm: isSlow ? 3000 : 250, webgpu: isSlow ? 60 : 4 } as const;
/** Padded images of fewer bytes must not be refused. */
const refusable = 2 ** 30;
/** Sums of whole numbers below 2^24 are exact; Winograd's filtering rounds, by far less than 1. */
const tolerance = { atol: 0.01 };

const upload = ({ shape, data }: NdArray): Tensor => tensor(Float32Array.from(data), [...shape]);

/** Computes and compares each value; whether one was refused for its memory. */
async function compare(
  device: Device,
  values: readonly (readonly [what: string, value: Tensor, expected: NdArray])[],
  paddedBytes: number,
): Promise<void> {
  for (const [what, value, expected] of values) {
    try {
      assert.deepEqual(value.shape, expected.shape, what);
      assertClose(await device.read(value), expected.data, { what, ...tolerance });
    } catch (error) {
      if (!(error instanceof DeviceError) || paddedBytes < refusable) throw error;
      assert.match(
        error.message,
        /^Cannot build \w+.*: it needs [\d.]+ MB of scratch .* is wanted$/,
      );
    }
  }
}

const paddedArea = ([rows, columns]: readonly [Axis, Axis]): number =>
  [rows, columns].reduce((area, a) => area * (a.size + a.before + a.after), 1);

const convolutions = fc.record({
  windows,
  n: fc.integer({ min: 1, max: 3 }),
  // Groups of channels: one, several, or as many as channels.
  channels: fc.oneof(
    fc.tuple(fc.constantFrom(1, 2, 3, 8, 33), fc.constantFrom(1, 3, 5, 8, 32), fc.constant(1)),
    fc.tuple(fc.constantFrom(2, 4, 12), fc.constantFrom(2, 8, 18), fc.constant(2)),
    fc.constantFrom(2, 5, 16, 20).chain((c) =>
      fc.tuple(fc.constant(c), fc.constantFrom(c, 2 * c), fc.constant(c))
    ),
  ),
  seed: fc.integer({ min: 1, max: 1000 }),
});

async function checkConvolution(
  device: Device,
  { windows, n, channels, seed }: {
    readonly windows: readonly [Axis, Axis];
    readonly n: number;
    readonly channels: readonly [number, number, number];
    readonly seed: number;
  },
): Promise<void> {
  const [rows, columns] = windows, [cin, cout, groups] = channels;
  const settings = { ...settingsOf(windows), groups };
  const x = whole([n, rows.size, columns.size, cin], seed);
  const w = whole([rows.taps, columns.taps, cin / groups, cout], seed + 1);
  const y = reference.conv2d(x, w, settings), dy = whole(y.shape, seed + 2);
  const [tx, tw, tdy] = [x, w, dy].map(upload), size = [rows.size, columns.size] as const;
  const result = conv2d(tx, tw, settings);
  const [dx, dw] = grad(sum(mul(result, tdy)), [tx, tw]);
  const dxWanted = reference.convTranspose2d(dy, w, settings, size);
  await compare(device, [
    ["y", result, y],
    ["dx", dx, dxWanted],
    ["dw", dw, reference.conv2dWeightGrad(x, dy, w.shape, settings)],
    ["transposed", convTranspose2d(tdy, tw, { ...settings, outputSize: size }), dxWanted],
  ], paddedArea(windows) * Math.max(cin, cout) * n * 4);
}

const poolings = fc.record({
  windows,
  n: fc.integer({ min: 1, max: 3 }),
  c: fc.constantFrom(1, 3, 4, 17),
  ceilMode: fc.boolean(),
  countPadding: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1000 }),
});

/** Whether every window along an axis has a tap in the image; a maximum of nothing is refused. */
function seesImage(axis: Axis, windows: number): boolean {
  return Array.from({ length: windows }, (_, i) => i * axis.stride - axis.before).every((start) =>
    Array.from({ length: axis.taps }, (_, u) => start + u * axis.dilation)
      .some((at) => at >= 0 && at < axis.size)
  );
}

async function checkPooling(
  device: Device,
  { windows, n, c, ceilMode, countPadding, seed }: {
    readonly windows: readonly [Axis, Axis];
    readonly n: number;
    readonly c: number;
    readonly ceilMode: boolean;
    readonly countPadding: boolean;
    readonly seed: number;
  },
): Promise<void> {
  const [rows, columns] = windows;
  const x = whole([n, rows.size, columns.size, c], seed), tx = upload(x);
  const options = { ...settingsOf(windows), size: [rows.taps, columns.taps], ceilMode } as const;
  const mean = poolReference.avgPool2d(x, options, true);
  const [, oh, ow] = mean.shape;
  const isSeen = seesImage(rows, oh) && seesImage(columns, ow);
  const values: [string, Tensor, NdArray][] = [["mean", avgPool2d(tx, options), mean]];
  if (isSeen) {
    const maximum = maxPool2d(tx, options), dy = whole(mean.shape, seed + 1);
    const [dx] = grad(sum(mul(maximum, upload(dy))), [tx]);
    values.push(["maximum", maximum, poolReference.maxPool2d(x, options)]);
    values.push(["maximum's gradient", dx, poolReference.maxPool2dGrad(x, dy, options)]);
    values.push([
      "mean of the image",
      avgPool2d(tx, { ...options, countPadding }),
      poolReference.avgPool2d(x, options, countPadding),
    ]);
  } else {
    assert.throws(() => maxPool2d(tx, options), /sees padding only/);
  }
  await compare(device, values, 0);
  assert(sizeOf(mean.shape) > 0);
}

const devices = await openTestDevices();

devices.test("attacks: convolutions of any geometry against plain loops", async (device) => {
  const numRuns = runsOn[device.kind];
  await fc.assert(fc.asyncProperty(convolutions, (c) => checkConvolution(device, c)), {
    ...{ numRuns, seed, endOnFailure: true },
  });
});

devices.test("attacks: poolings of any geometry against plain loops", async (device) => {
  const numRuns = runsOn[device.kind];
  await fc.assert(fc.asyncProperty(poolings, (c) => checkPooling(device, c)), {
    ...{ numRuns, seed, endOnFailure: true },
  });
});

Deno.test("attacks: what is drawn holds a window, is often huge, and never too many", () => {
  const drawn = fc.sample(windows, { numRuns: 500, seed });
  assert(drawn.flat().every((axis) => windowsOf(axis) >= 1 && windowsOf(axis) <= 30));
  const areas = drawn.map(paddedArea);
  assert(areas.filter((area) => area > 1e6).length > 20);
  assert(areas.filter((area) => area < 1000).length > 50);
});
