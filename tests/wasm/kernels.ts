/** Calls of single kernels, for tests: whole numbers in, exact results out, and threads. */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { tensorModule } from "../../wasm/tensor.ts";

/** Floats of NaN before and after every operand, which must neither be used nor written. */
const margin = 32;

/** An operand or a result. */
export interface Whole {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Whole numbers from -3 to 3. */
export function whole(shape: readonly number[], site: string): Whole {
  const random = new Random(5, site);
  const data = Float64Array.from(
    { length: sizeOf(shape) },
    () => Math.floor(7 * random.uniform()) - 3,
  );
  return { shape, data };
}

/** Calls an export of two operands, a result and a geometry. */
export function run(
  name: string,
  operands: readonly Whole[],
  shape: readonly number[],
  words: number[],
) {
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

/** Every element is the expected one. */
export function assertExact(
  actual: Float32Array,
  expected: ArrayLike<number>,
  label: string,
): void {
  assert.equal(actual.length, expected.length, label);
  const at = actual.findIndex((v, i) => v !== expected[i]);
  assert(at < 0, `${label}: element ${at} is ${actual[at]}, ${expected[at]} is wanted`);
}

/** Starts threads until so many compute, and waits until they have joined. They are never taken back. */
export async function threads(count: number): Promise<void> {
  const { exports, threads } = tensorModule(), deadline = performance.now() + 20_000;
  threads.start(count - 1);
  while (exports.threads_joined() !== count - 1) {
    assert(performance.now() < deadline, `${exports.threads_joined()} of ${count - 1} joined`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The bytes of elements. */
export const bitsOf = (data: Float32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
