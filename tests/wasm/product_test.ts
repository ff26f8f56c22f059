/**
 * Matrix products and direct convolutions over shapes that reach every way through the kernels:
 * tiles at each edge, several blocks of k and chunks of rows, A packed along, across and neither,
 * B packed or not. Operands are small whole numbers, so that results are exact in any order.
 */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import { conv2d, conv2dWeightGrad, convTranspose2d } from "../reference/conv2d.ts";
import { matmul } from "../reference/matmul.ts";

/** Floats of NaN before and after every operand, which must neither be used nor written. */
const margin = 32;

interface Whole {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Whole numbers from -3 to 3. */
function whole(shape: readonly number[], site: string): Whole {
  const random = new Random(5, site);
  const data = Float64Array.from(
    { length: sizeOf(shape) },
    () => Math.floor(7 * random.uniform()) - 3,
  );
  return { shape, data };
}

/** Calls an export of two operands, a result and a geometry. */
function run(name: string, operands: readonly Whole[], shape: readonly number[], words: number[]) {
  const module = tensorModule(), held: [number, number][] = [];
  const hold = (data: Float32Array | Int32Array): number => {
    const address = module.allocate(data.byteLength, "operand");
    held.push([address, data.byteLength]);
    module.bytesAt(address, data.byteLength).set(new Uint8Array(data.buffer));
    return address;
  };
  const framed = [...operands.map((o) => o.data), new Float64Array(sizeOf(shape)).fill(NaN)];
  const addresses = framed.map((content) => {
    const data = new Float32Array(content.length + 2 * margin).fill(NaN);
    data.set(content, margin);
    return hold(data) + 4 * margin;
  });
  module.exports[name](...addresses, hold(Int32Array.from(words)));
  const [address, bytes] = held[2];
  const result = new Float32Array(module.bytesAt(address, bytes).slice().buffer);
  for (const block of held) module.free(...block);
  const outside = [...result.subarray(0, margin), ...result.subarray(result.length - margin)];
  assert(outside.every(Number.isNaN), `${name} writes outside of its result`);
  // A row that does not exist has address 0 in the drivers' tables.
  assert(module.bytesAt(0, 512).every((byte) => byte === 0), `${name} writes to address 0`);
  return result.subarray(margin, result.length - margin);
}

function assertExact(actual: Float32Array, expected: ArrayLike<number>, label: string): void {
  assert.equal(actual.length, expected.length, label);
  const at = actual.findIndex((v, i) => v !== expected[i]);
  assert(at < 0, `${label}: element ${at} is ${actual[at]}, ${expected[at]} is wanted`);
}

function checkProduct(m: number, n: number, k: number, turnA: boolean, turnB: boolean): void {
  const label = `${m}x${n}x${k}${turnA ? " Aᵀ" : ""}${turnB ? " Bᵀ" : ""}`;
  const a = whole(turnA ? [k, m] : [m, k], `a ${label}`);
  const b = whole(turnB ? [n, k] : [k, n], `b ${label}`);
  const words = [1, m, n, k, Number(turnA), Number(turnB), 0, 0];
  assertExact(run("matmul", [a, b], [m, n], words), matmul(a, b, turnA, turnB).data, label);
}

Deno.test("products: exact at every edge of rows and columns", () => {
  for (const m of [1, 3, 4, 5, 7, 8, 9, 12, 13, 96, 101]) {
    for (const n of [1, 4, 7, 8, 12, 13, 15, 16, 17, 20, 24, 29]) {
      for (const turn of [0, 1, 2, 3]) checkProduct(m, n, 9, turn % 2 === 1, turn > 1);
    }
  }
});

Deno.test("products: exact over several blocks of k, with B packed and not", () => {
  for (const k of [0, 1, 319, 320, 321, 512, 513, 650, 1100]) {
    for (const [m, n] of [[10, 8], [10, 29], [7, 13], [30, 525], [515, 20]]) {
      checkProduct(m, n, k, k % 2 === 0, false);
      checkProduct(m, n, k, k % 2 === 1, true);
    }
  }
});

/** n, h, w, cin, k, cout, stride, padding. */
type Conv = readonly [number, number, number, number, number, number, number, number];

function checkConvolution([n, h, w, cin, size, cout, stride, pad]: Conv): void {
  const label = `[${[n, h, w, cin]}], ${size}x${size} to ${cout}, stride ${stride}, padding ${pad}`;
  const out = (length: number): number => Math.floor((length + 2 * pad - size) / stride) + 1;
  const [oh, ow] = [out(h), out(w)];
  const x = whole([n, h, w, cin], `x ${label}`), dy = whole([n, oh, ow, cout], `dy ${label}`);
  const f = whole([size, size, cin, cout], `f ${label}`);
  const settings = {
    stride: [stride, stride],
    padding: [pad, pad, pad, pad],
    dilation: [1, 1],
    groups: 1,
  } as const;
  const words = [n, h, w, cin, size, size, cout, oh, ow, stride, stride, 1, 1, pad, pad, 1];
  assertExact(run("conv2d", [x, f], dy.shape, words), conv2d(x, f, settings).data, `y of ${label}`);
  const dx = convTranspose2d(dy, f, settings, [h, w]).data;
  assertExact(run("conv2d_input_grad", [dy, f], x.shape, words), dx, `dx of ${label}`);
  const df = conv2dWeightGrad(x, dy, f.shape, settings).data;
  assertExact(run("conv2d_weight_grad", [x, dy], f.shape, words), df, `df of ${label}`);
}

Deno.test("convolutions: exact in all passes, directly", () => {
  const shapes: Conv[] = [
    [3, 14, 14, 6, 5, 16, 1, 0], // few channels: scattered, and swapped
    [5, 13, 11, 3, 5, 6, 1, 0], // pixels taken together
    [2, 12, 12, 3, 5, 16, 2, 0], // scattered with stride
    [2, 17, 15, 5, 3, 21, 1, 1], // rows of weights that do not fill strips
    [2, 16, 16, 24, 3, 29, 2, 1], // phases
    [1, 9, 9, 130, 3, 20, 2, 1], // a step far wider than a strip
    [1, 6, 7, 70, 3, 24, 1, 1], // more than one block of k
    [2, 20, 20, 3, 7, 33, 2, 3], // a stem
  ];
  for (const shape of shapes) checkConvolution(shape);
});
