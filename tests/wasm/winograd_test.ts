/**
 * Winograd's filtering in all three passes: against float64, against the direct kernels, on any
 * number of threads. Every way is reached by its name; what `conv2d` chooses comes last.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@4";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import {
  conv2d,
  conv2dWeightGrad,
  type ConvSettings,
  convTranspose2d,
} from "../reference/conv2d.ts";
import { bitsOf, threads } from "./kernels.ts";

const passes = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"] as const;
type Pass = typeof passes[number];

/** A convolution with 3x3 filters; `padding` as everywhere, top, left, bottom, right. */
interface Conv {
  readonly n: number;
  readonly size: readonly [h: number, w: number];
  readonly channels: readonly [cin: number, cout: number];
  readonly padding?: readonly [number, number, number, number];
  readonly stride?: number;
}

interface Shapes {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly y: readonly number[];
  readonly settings: ConvSettings;
}

function shapesOf(conv: Conv): Shapes {
  const { n, size: [h, w], channels: [cin, cout], padding = [1, 1, 1, 1], stride = 1 } = conv;
  const oh = Math.floor((h + padding[0] + padding[2] - 3) / stride) + 1;
  const ow = Math.floor((w + padding[1] + padding[3] - 3) / stride) + 1;
  const settings = { stride: [stride, stride], padding, dilation: [1, 1], groups: 1 } as const;
  return { x: [n, h, w, cin], w: [3, 3, cin, cout], y: [n, oh, ow, cout], settings };
}

/** Shapes of the two inputs and of the result of a pass. */
function operands({ x, w, y }: Shapes, pass: Pass): readonly (readonly number[])[] {
  if (pass === "conv2d") return [x, w, y];
  return pass === "conv2d_input_grad" ? [y, w, x] : [x, y, w];
}

/** Numbers from -1 to 1, the same in every run. */
function drawn(shape: readonly number[], site: string): Float32Array<ArrayBuffer> {
  const random = new Random(11, site);
  return Float32Array.from({ length: sizeOf(shape) }, () => 2 * random.uniform() - 1);
}

/** Floats of margin before and after every operand: NaN, which must neither be used nor written. */
const margin = 32;

/** Runs a pass; `tile` 4 or 2 for Winograd's ways, 0 for the direct one, none for the choice. */
function run(conv: Conv, pass: Pass, tile?: number): Float32Array {
  const module = tensorModule(), shapes = shapesOf(conv), held: [number, number][] = [];
  const hold = (data: Float32Array | Int32Array): number => {
    const address = module.allocate(data.byteLength, "operand");
    held.push([address, data.byteLength]);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    module.bytesAt(address, data.byteLength).set(bytes);
    return address;
  };
  const framed = operands(shapes, pass).map((shape, k) => {
    const data = new Float32Array(sizeOf(shape) + 2 * margin).fill(NaN);
    if (k < 2) data.set(drawn(shape, `${pass} ${k}`), margin);
    return hold(data);
  });
  const { x: [n, h, w, cin], y: [, oh, ow, cout], settings: { stride, padding } } = shapes;
  const geometry = hold(
    Int32Array.of(n, h, w, cin, 3, 3, cout, oh, ow, ...stride, 1, 1, padding[0], padding[1], 1),
  );
  const addresses = framed.map((address) => address + 4 * margin);
  if (tile === undefined) module.exports[pass](...addresses, geometry);
  else module.exports[`${pass}_winograd`](...addresses, geometry, tile);
  const [address, bytes] = held[2];
  const result = new Float32Array(module.bytesAt(address, bytes).slice().buffer);
  for (const block of held) module.free(...block);
  const outside = [...result.subarray(0, margin), ...result.subarray(result.length - margin)];
  assert(outside.every(Number.isNaN), `${pass} writes outside of its result`);
  return result.slice(margin, result.length - margin);
}

/** A pass in float64. */
function reference(conv: Conv, pass: Pass): Float64Array {
  const shapes = shapesOf(conv), { x, w, settings } = shapes;
  const [a, b] = operands(shapes, pass).slice(0, 2).map((shape, k) => ({
    shape,
    data: Float64Array.from(drawn(shape, `${pass} ${k}`)),
  }));
  const result = pass === "conv2d"
    ? conv2d(a, b, settings)
    : pass === "conv2d_input_grad"
    ? convTranspose2d(a, b, settings, [x[1], x[2]])
    : conv2dWeightGrad(a, b, w, settings);
  return Float64Array.from(result.data);
}

/** Largest difference, divided by the largest value. */
function errorOf(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let difference = 0, largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i] - expected[i]);
    if (!(d <= difference)) difference = d;
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return largest === 0 ? difference : difference / largest;
}

/** The stated accuracy. */
const tolerance = 2e-5;

const label = ({ n, size, channels, padding = [1, 1, 1, 1] }: Conv): string =>
  `${n}x${size.join("x")}, ${channels.join(" to ")} channels, padding ${padding}`;

const convs: fc.Arbitrary<Conv> = fc.record({
  n: fc.integer({ min: 1, max: 3 }),
  size: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
  channels: fc.tuple(fc.integer({ min: 1, max: 38 }), fc.integer({ min: 1, max: 38 })),
  padding: fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 3 }))) as fc.Arbitrary<
    [number, number, number, number]
  >,
}).filter(({ size: [h, w], padding: [t, l, b, r] }) => h + t + b >= 3 && w + l + r >= 3);

Deno.test("winograd: any shape and padding, as in float64", () => {
  const sixes = [
    { n: 2, size: [7, 9], channels: [5, 18], padding: [0, 0, 0, 0] },
    { n: 1, size: [7, 9], channels: [17, 6], padding: [2, 2, 2, 2] },
    { n: 3, size: [9, 7], channels: [20, 33], padding: [2, 0, 1, 3] },
    { n: 1, size: [4, 4], channels: [1, 1], padding: [1, 1, 1, 1] },
  ] satisfies Conv[];
  const check = (conv: Conv, pass: Pass, tile: number) => {
    const error = errorOf(run(conv, pass, tile), reference(conv, pass));
    assert(error <= tolerance, `${pass} by tiles of ${tile}, ${label(conv)}: error ${error}`);
  };
  fc.assert(
    fc.property(convs, fc.constantFrom(...passes), fc.constantFrom(2, 4), check),
    {
      numRuns: 150,
      examples: sixes.flatMap((c) => passes.map((p): [Conv, Pass, number] => [c, p, 4])),
    },
  );
});

/** More channels and tiles than a task, a block of channels or a wave of tiles hold. */
const large: Conv[] = [
  { n: 3, size: [39, 41], channels: [72, 100] }, // by tiles
  { n: 1, size: [21, 23], channels: [600, 36] }, // by tiles, in blocks of channels
  { n: 2, size: [9, 7], channels: [150, 204], padding: [0, 2, 1, 1] }, // by filters
  { n: 150, size: [4, 4], channels: [420, 418] }, // by filters, in waves
];

Deno.test("winograd: large shapes, as the direct kernels", () => {
  for (const conv of large) {
    for (const pass of passes) {
      const direct = run(conv, pass, 0);
      for (const tile of [2, 4]) {
        const error = errorOf(run(conv, pass, tile), direct);
        assert(error > 0, `${pass} by tiles of ${tile} is the direct kernel`);
        assert(error <= tolerance, `${pass} by tiles of ${tile}, ${label(conv)}: error ${error}`);
      }
    }
  }
});

Deno.test("winograd: sums over 512 channels, or as many tiles, stay within the tolerance", () => {
  const cases: [Conv, Pass][] = [
    [{ n: 1, size: [12, 12], channels: [512, 24] }, "conv2d"],
    [{ n: 1, size: [12, 12], channels: [24, 512] }, "conv2d_input_grad"],
    [{ n: 32, size: [16, 16], channels: [8, 12] }, "conv2d_weight_grad"],
  ];
  for (const [conv, pass] of cases) {
    const expected = reference(conv, pass);
    for (const tile of [2, 4]) {
      const error = errorOf(run(conv, pass, tile), expected);
      assert(error <= tolerance / 4, `${pass} by tiles of ${tile}: error ${error}`);
    }
  }
});

Deno.test("winograd: other windows are convolved directly", () => {
  const conv: Conv = { n: 2, size: [13, 13], channels: [40, 40], stride: 2 };
  for (const pass of passes) {
    const direct = bitsOf(run(conv, pass, 0));
    for (const tile of [2, 4, undefined]) assert.deepEqual(bitsOf(run(conv, pass, tile)), direct);
  }
});

Deno.test("winograd: chosen for many channels and pixels, never below 32 channels", () => {
  const chosen = (conv: Conv): number[] =>
    passes.map((pass) => {
      const bits = bitsOf(run(conv, pass)).join();
      return [0, 2, 4].find((tile) => bitsOf(run(conv, pass, tile)).join() === bits) ?? -1;
    });
  assert.deepEqual(chosen({ n: 2, size: [16, 16], channels: [64, 48] }), [4, 4, 4]);
  assert.deepEqual(chosen({ n: 64, size: [2, 2], channels: [32, 64] }), [2, 2, 2]);
  assert.deepEqual(chosen({ n: 8, size: [16, 16], channels: [31, 64] }), [0, 0, 0]);
  assert.deepEqual(chosen({ n: 8, size: [16, 16], channels: [64, 31] }), [0, 0, 0]);
  assert.deepEqual(chosen({ n: 1, size: [4, 4], channels: [64, 64] }), [0, 0, 0]);
});

Deno.test({
  name: "winograd: 1, 2 and 4 threads give the same bits",
  // Threads are never taken back.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    if (!tensorModule().threaded) return console.log("skipped: built without threads");
    const results = () =>
      large.flatMap((conv) => passes.flatMap((pass) => [2, 4].map((t) => run(conv, pass, t))));
    const alone = results();
    for (const count of [2, 4]) {
      await threads(count);
      results().forEach((result, k) => {
        assert.equal(Buffer.compare(bitsOf(result), bitsOf(alone[k])), 0, `${count} threads, ${k}`);
      });
    }
  },
});
