/** The CPU backend through its own interface: primitives, access patterns, memory, refusals. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import type { Memory } from "../../core/backend.ts";
import { deviceOn, type Elements } from "../../core/device.ts";
import { DeviceError } from "../../core/errors.ts";
import {
  apply,
  arg,
  constant,
  type Expr,
  type PrimitiveName,
  primitives,
} from "../../core/expr.ts";
import type { MapStep } from "../../core/plan/steps.ts";
import type { Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { type DType, elementBytes, sizeOf, stridesOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { input, reshape, tensor, variable } from "../../core/structure.ts";
import { add, mul } from "../../ops/pointwise.ts";
import { expand } from "../../ops/reduce.ts";
import { openWasm } from "../../wasm/backend.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import { assertClose } from "../assert.ts";
import { meaning } from "../reference/primitives.ts";

// Threads outlive a test on purpose; one is enough here.
const backend = openWasm({ threads: 1 });
globalThis.addEventListener("unload", () => backend.close());

/** An argument of a map: its elements and how they are read. */
interface Argument {
  readonly data: Elements;
  readonly strides: readonly number[];
  readonly dtype?: DType;
}

/** Runs one map over `dims`; the outputs lie beside the arguments, or over the argument named. */
async function runMap(
  dims: readonly number[],
  args: readonly Argument[],
  outputs: readonly (readonly [expr: Expr, over?: number])[],
): Promise<Float32Array[]> {
  const size = sizeOf(dims), bytes = size * elementBytes, buffers: Memory[] = [];
  const range = (count: number) => {
    buffers.push(backend.allocate(count * elementBytes, "test"));
    return { buffer: buffers.length - 1, offset: 0, bytes: count * elementBytes };
  };
  const ranges = args.map(({ data }) => range(data.length));
  args.forEach(({ data }, k) => backend.write(buffers[k], 0, data));
  const step: MapStep = {
    kind: "map",
    label: "map",
    dims,
    size,
    args: args.map(({ strides, dtype = "f32" }, k) => ({ range: ranges[k], dtype, strides })),
    outputs: outputs.map(([expr, over]) => ({
      range: over === undefined ? range(size) : ranges[over],
      expr,
    })),
  };
  const executable = await backend.build([step], buffers);
  executable.run();
  const results = await Promise.all(
    step.outputs.map((o) => backend.read(buffers[o.range.buffer], 0, bytes)),
  );
  executable.close();
  for (const memory of buffers) backend.free(memory);
  return results.map((r) => new Float32Array(r));
}

// deno-fmt-ignore
const special = [
  0, -0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2, -2, 2.5, -2.5, 3, 10, -10, 88.7, -87.4, 89, -104, 127.5, 200, -200,
  2 ** -149, -(2 ** -149), 2 ** -127, 2 ** -126, 1e-20, -1e-20, 1e-4, -1e-4, 0.33, 0.62, 0.7, 0.93, 4.1, -4.1,
  8191, 8193, 2 ** 23, 2 ** 23 + 1, -(2 ** 23) - 1, 2 ** 31, 1e10, -1e10, 3.4e38, -3.4e38, Infinity, -Infinity, NaN,
].map(Math.fround);

/** The special values, and random ones of every size that f32 has. */
function values(count: number, site: string): number[] {
  const random = new Random(1, site);
  const drawn = Array.from({ length: count }, (_, k) => {
    const sign = random.below(2) === 0 ? 1 : -1;
    return k % 2 === 0 ? 20 * random.uniform() * sign : sign * 2 ** (250 * random.uniform() - 125);
  });
  return [...special, ...drawn.map(Math.fround)];
}

/**
 * How many f32 numbers a result may be away from the right one: those of `math.rs`, one where a CPU
 * has no fused multiply-add, else 0.
 */
const steps: Readonly<Partial<Record<PrimitiveName, number>>> = {
  exp: 1,
  log: 1,
  rsqrt: 1,
  tanh: 2,
  sigmoid: 2,
  erf: 1,
  pow: 1,
  fma: 1,
};
/** Absolute, since near a multiple of π the result is small. */
const absolute: Readonly<Partial<Record<PrimitiveName, number>>> = { sin: 2 ** -23, cos: 2 ** -23 };

/** The place of an f32 among all in ascending order; both zeros are 0. */
function rankOf(x: number): number {
  const [bits] = new Int32Array(Float32Array.of(x).buffer);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

/** Whether a result is as near to the exact one as was said. */
function isRight(name: PrimitiveName, found: number, exact: number): boolean {
  if (Number.isNaN(found) || Number.isNaN(exact)) return Number.isNaN(found) && Number.isNaN(exact);
  if (name in absolute) return Math.abs(found - exact) <= absolute[name]!;
  return Math.abs(rankOf(found) - rankOf(exact)) <= (steps[name] ?? 0);
}

Deno.test("wasm primitives: special values and random ones against Math", async () => {
  for (const name of Object.keys(primitives) as PrimitiveName[]) {
    if (name === "fromI32" || name === "fromU32") continue;
    const fn = primitives[name], { arity } = fn, singles = values(3000, name);
    const rows = arity === 1 ? singles.map((a) => [a]) : arity === 2
      ? [
        ...special.flatMap((a) => special.map((b) => [a, b])),
        ...singles.map((a, k) => [a, singles[(7 * k + 3) % singles.length]]),
      ]
      : special.flatMap((a) => [0, NaN, 3].map((b, k) => [a, b, special[k]]));
    const columns = Array.from({ length: arity }, (_, k) => Float32Array.from(rows, (r) => r[k]));
    const args = columns.map((data) => ({ data, strides: [1] }));
    const expr = apply(fn, ...columns.map((_, k) => arg(k)));
    const [found] = await runMap([rows.length], args, [[expr]]);
    for (const [k, row] of rows.entries()) {
      const [a, b = 0, c = 0] = row;
      const exact = meaning(fn, a, b, c);
      const what = `${name}(${row}) is ${found[k]}, not ${Math.fround(exact)}`;
      assert(isRight(name, found[k], exact), what);
    }
  }
});

Deno.test("wasm primitives: signs of zeros", async () => {
  const unary = { neg: -1, abs: 1, sqrt: 0, floor: 0, ceil: 0, round: 0, sign: 1, erf: 0 };
  for (const [name, kind] of Object.entries(unary)) {
    const args = [{ data: Float32Array.of(0, -0), strides: [1] }];
    const [found] = await runMap([2], args, [[apply(primitives[name as PrimitiveName], arg(0))]]);
    const expected = kind === 0 ? [0, -0] : kind === 1 ? [0, 0] : [-0, 0];
    assert(expected.every((v, k) => Object.is(found[k], v)), `${name} of 0 and −0 is ${found}`);
  }
});

Deno.test("wasm primitives: a number as second argument", async () => {
  const data = Float32Array.from(special), args = [{ data, strides: [1] }];
  for (const name of ["add", "sub", "mul", "div", "min", "max", "gt", "ge", "eq"] as const) {
    for (const value of [0, 1, -2.5, Infinity, NaN]) {
      const [found] = await runMap([data.length], args, [[apply(primitives[name], arg(0), value)]]);
      const expected = data.map((a) => meaning(primitives[name], a, value));
      assertClose(found, expected, { what: `${name} of x and ${value}` });
    }
  }
});

Deno.test("wasm primitives: whole numbers become floats as Math.fround does", async () => {
  const words = [0, 1, 255, 2 ** 24, 2 ** 24 + 1, 2 ** 24 + 3, 2 ** 31 - 1, 2 ** 31 - 65];
  const signed = Int32Array.of(...words, ...words.map((w) => -w), -(2 ** 31));
  const unsigned = Uint32Array.of(...words, 2 ** 31, 2 ** 31 + 129, 2 ** 32 - 1, 2 ** 32 - 129);
  for (
    const [name, dtype, data] of [["fromI32", "i32", signed], ["fromU32", "u32", unsigned]] as const
  ) {
    const [found] = await runMap([data.length], [{ data, strides: [1], dtype }], [
      [apply(primitives[name], arg(0))],
    ]);
    assert.deepEqual([...found], [...data].map(Math.fround), name);
  }
});

/** Sizes around the interpreter's blocks of 256, and patterns around its periods. */
const dimensions = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
  fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(255, 256, 257, 1000, 4095, 4096, 4097)),
  fc.tuple(fc.constantFrom(255, 256, 257, 1000), fc.integer({ min: 1, max: 5 })),
);

Deno.test("wasm maps: broadcast and strided arguments against loops", async () => {
  const cases = dimensions.chain((dims) =>
    fc.tuple(
      fc.constant(dims),
      fc.array(fc.array(fc.boolean(), { minLength: dims.length, maxLength: dims.length }), {
        minLength: 1,
        maxLength: 3,
      }),
    )
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([dims, kept]) => {
      const args = kept.map((keep, n) => {
        const own = dims.map((size, d) => keep[d] ? size : 1), strides = stridesOf(own);
        const data = Float32Array.from({ length: sizeOf(own) }, (_, k) => k * (n + 1));
        return { data, strides: strides.map((s, d) => keep[d] ? s : 0) };
      });
      const expr = args.map((_, k) => arg(k)).reduce<Expr>(
        (a, b) => apply(primitives.add, a, b),
        constant(1),
      );
      const [found] = await runMap(dims, args, [[expr]]), all = stridesOf(dims);
      const expected = found.map((_, i) => {
        const offset = (strides: readonly number[]): number =>
          dims.reduce((sum, size, d) => sum + Math.floor(i / all[d]) % size * strides[d], 0);
        return args.reduce((sum, a) => sum + a.data[offset(a.strides)], 1);
      });
      assert.deepEqual(found, expected);
    }),
    { numRuns: 150 },
  );
});

Deno.test("wasm maps: in place, at every length of a last block", async () => {
  const [x, y] = [arg(0), arg(1)];
  for (
    const size of [...Array(20).keys(), 252, 255, 256, 257, 511, 512, 515, 1030].filter(Boolean)
  ) {
    const data = [0, 1].map((n) => Float32Array.from({ length: size }, (_, k) => k + 1000 * n));
    const args = data.map((elements) => ({ data: elements, strides: [1] }));
    const sum = apply(primitives.add, x, y), difference = apply(primitives.sub, x, y);
    const [a, b, c] = await runMap([size], args, [[sum, 0], [difference, 1], [
      apply(primitives.mul, x, 2),
    ]]);
    assert.deepEqual(a, data[0].map((v, k) => v + data[1][k]));
    assert.deepEqual(b, data[0].map((v, k) => v - data[1][k]));
    assert.deepEqual(c, data[0].map((v) => 2 * v));
    // The old value goes elsewhere, unchanged, while the new one takes its place.
    const [moved, kept] = await runMap([size], args, [[apply(primitives.neg, x), 0], [x]]);
    assert.deepEqual(moved, data[0].map((v) => -v));
    assert.deepEqual(kept, data[0], `${size} elements`);
    const swapped = await runMap([size], args, [[y, 0], [x, 1]]);
    assert.deepEqual(swapped, [data[1], data[0]]);
  }
});

Deno.test("wasm plans: an updated variable's old value is stored beside it", async () => {
  const device = deviceOn(backend), a = variable([8], "a"), b = variable([1, 8], "b");
  using store = new Store(device, [a, b]);
  const first = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  store.write(a, first);
  const old = expand(a, [1, 8]), updates = [[b, old], [a, reshape(mul(old, 2), [8])]] as const;
  using plan = await device.compile({ outputs: [], updates }, { stores: [store] });
  plan.run();
  assert.deepEqual(await store.read(a), first.map((v) => 2 * v));
  assert.deepEqual(await store.read(b), first);
});

/** `x + 100·y` over `rank` dimensions of size 2 that do not merge: x lacks the odd, y the even. */
function interleaved(rank: number): Tensor {
  const [x, y] = [0, 1].map((odd) => {
    const shape = Array.from({ length: rank }, (_, d) => d % 2 === odd ? 2 : 1);
    return tensor(Array.from({ length: sizeOf(shape) }, (_, k) => k), shape);
  });
  return add(x, mul(y, 100));
}

Deno.test("wasm plans: eight dimensions that do not merge, and no more", async () => {
  const device = deviceOn(backend), found = await device.read(interleaved(8));
  // Bit d of the index, from the highest, belongs to x where d is even and to y where it is odd.
  const half = (i: number, odd: number): number =>
    [0, 1, 2, 3].reduce((sum, d) => 2 * sum + (i >> (7 - 2 * d - odd) & 1), 0);
  assert.deepEqual(
    found,
    Float32Array.from({ length: 256 }, (_, i) => half(i, 0) + 100 * half(i, 1)),
  );
  const before = [device.liveBytes, tensorModule().liveBytes];
  await assert.rejects(device.read(interleaved(10)), {
    name: "DeviceError",
    message: /^Cannot build add: .*, 8 dimensions or fewer are wanted$/,
  });
  assert.deepEqual([device.liveBytes, tensorModule().liveBytes], before);
});

Deno.test("wasm memory: live bytes are what was given out and not given back", async () => {
  const own = openWasm({ threads: 1 });
  const a = own.allocate(1000, "a"), b = own.allocate(24, "b");
  assert.equal(own.liveBytes, 1024);
  assert.deepEqual(new Uint8Array(await own.read(a, 0, 1000)), new Uint8Array(1000));
  own.write(a, 400, Float32Array.of(1, 2));
  assert.deepEqual(new Float32Array(await own.read(a, 404, 4)), Float32Array.of(2));
  own.free(a);
  own.free(a);
  assert.equal(own.liveBytes, 24);
  assert.throws(() => own.write(a, 0, Float32Array.of(1)), DeviceError);
  assert.throws(() => own.read(a, 0, 4), DeviceError);
  own.close();
  assert.equal(own.liveBytes, 0);
  assert.throws(() => own.read(b, 0, 4), DeviceError);
});

Deno.test("wasm memory: a plan gives all of it back", async () => {
  const device = deviceOn(backend), before = device.liveBytes, x = input([1000], "x");
  const plan = await device.compile({ outputs: [add(x, 1), mul(x, x)] });
  assert(plan.bytes >= 12_000 && device.liveBytes === before + 12_000);
  plan.run([[x, new Float32Array(1000).fill(3)]]);
  assert.equal((await plan.read(plan.outputs[1]))[999], 9);
  plan[Symbol.dispose]();
  assert.equal(device.liveBytes, before);
});

/** More than can be had, some of them such that 32 bits hold a small rest. */
const tooMuch = [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 64, 5e9, 2 ** 40 + 4];

Deno.test("wasm memory: too much is a DeviceError, and the device still works", async () => {
  const before = backend.liveBytes;
  for (const bytes of tooMuch) {
    assert.throws(() => backend.allocate(bytes, "weights"), (error: unknown) => {
      assert(error instanceof DeviceError, `${error}`);
      assert.match(
        error.message,
        /^Cannot allocate [\d.]+ MB for weights: .* are in use; .* is wanted$/,
      );
      return true;
    }, `${bytes} bytes`);
  }
  const device = deviceOn(backend), huge = [2 ** 15, 2 ** 15 + 64];
  assert.throws(() => new Store(device, [variable(huge, "fc.weight")]), DeviceError);
  const x = input(huge, "x");
  await assert.rejects(device.compile({ outputs: [add(x, 1)] }), {
    name: "DeviceError",
    message: /^Cannot compile: add needs 4303\.4 MB in one buffer, .* a smaller batch is wanted$/,
  });
  assert.equal(backend.liveBytes, before);
  assert.deepEqual([...await device.read(add(tensor([1, 2]), 1))], [2, 3]);
});

Deno.test("a plan times each of its kernels", async () => {
  using device = deviceOn(openWasm({ threads: 1 }));
  const x = input([64, 64], "x");
  using plan = await device.compile({ outputs: [interleaved(8), mul(x, 2)] });
  plan.run([[x, new Float32Array(64 * 64).fill(4)]]);
  const times = plan.profile(2)!;
  assert.deepEqual(times.map((t) => t.label), plan.kernels);
  assert(times.every((t) => t.ms >= 0 && Number.isFinite(t.ms)));
});
