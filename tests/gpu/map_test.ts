import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import type { Device } from "../../core/device.ts";
import { apply, arg, constant, primitives as p } from "../../core/expr.ts";
import type { Tensor } from "../../core/graph.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import { full, input, reshape, tensor } from "../../core/structure.ts";
import { evaluate } from "./reference.ts";
import { add, choose, gpuTest, mapFunction, mul, numbers, sub, wholeNumbers } from "./support.ts";

const [a, b] = [arg(0), arg(1)];

async function assertSame(device: Device, t: Tensor): Promise<void> {
  assert.deepEqual(numbers(await device.read(t)), evaluate(t).map(Math.fround));
}

/** A shape that broadcasts to `whole`: leading axes dropped, some of the others 1. */
const partOf = (whole: Shape): fc.Arbitrary<Shape> =>
  fc.tuple(
    fc.nat(whole.length),
    fc.array(fc.boolean(), { minLength: whole.length, maxLength: whole.length }),
  ).map(([dropped, kept]) => whole.map((size, k) => kept[k] ? size : 1).slice(dropped));

const broadcastTriple = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }).chain((whole) =>
  fc.tuple(fc.constant(whole), partOf(whole), partOf(whole))
);

gpuTest("broadcasting agrees with the definition for random shapes", async (device) => {
  await fc.assert(
    fc.asyncProperty(broadcastTriple, fc.nat(1000), async (shapes, seed) => {
      const [x, y, z] = shapes.map((s, k) => tensor(wholeNumbers(sizeOf(s), seed + k), s));
      await assertSame(device, choose(sub(y, z), mul(x, y), add(z, x)));
    }),
    {
      numRuns: 40,
      examples: [
        [[[2, 3, 8], [8], [3, 1]], 1], // quads: a row for all, and one value per row
        [[[5, 4], [5, 1], [4]], 2], // one quad a row
        [[[4, 2, 4, 2], [2, 1, 2], [4, 1, 4, 1]], 3], // powers of two all through
        [[[3, 5, 7], [5, 1], [3, 1, 7]], 4], // none
        [[[6, 4], [], [1, 1]], 5],
      ],
    },
  );
});

gpuTest("one tensor read in two ways in one kernel", async (device) => {
  const x = tensor(wholeNumbers(8, 1), [8]);
  await assertSame(device, add(reshape(x, [8, 1]), reshape(x, [1, 8])));
  await assertSame(device, add(x, reshape(x, [2, 4, 1])));
});

gpuTest("signed and unsigned words become numbers", async (device) => {
  const signed = mapFunction("signed", apply(p.fromI32, a));
  const unsigned = mapFunction("unsigned", apply(p.fromU32, a));
  const i = tensor(new Int32Array([-7, 0, 3, 1 << 30, -(2 ** 31), 5, 6, 7]));
  const u = tensor(new Uint32Array([0, 1, 2 ** 31, 3, 2 ** 24, 5]), [6, 1]);
  await assertSame(device, signed(i));
  await assertSame(device, unsigned(u));
  await assertSame(device, sub(signed(tensor(new Int32Array([3, -4]))), unsigned(u)));
  await assertSame(device, add(signed(reshape(i, [2, 4])), unsigned(reshape(u, [3, 2, 1]))));
});

gpuTest("a bare argument keeps its words, whatever their type", async (device) => {
  const words = new Int32Array([-1, 0x7fc00001, 1, 2, 0x7f800001]);
  const same = mapFunction("same", a);
  const copied = await device.read(same(tensor(words)));
  assert.deepEqual([...new Int32Array(copied.buffer)], [...words]);
});

gpuTest("literals: as results, as arguments, negative, and beyond f32 inside", async (device) => {
  await assertSame(device, full(-2.5, [3, 2]));
  await assertSame(device, full(1e-30, [8]));
  await assertSame(device, add(full(2, [4]), full(3)));
  const minus = mapFunction("minus", apply(p.neg, constant(-3)));
  await assertSame(device, minus(tensor([0, 0])));
  // As constant expressions of WGSL these would not compile.
  const bounded = mapFunction("bounded", apply(p.min, apply(p.exp, 100), 5));
  await assertSame(device, bounded(tensor([0])));
  const divided = mapFunction("divided", apply(p.min, apply(p.div, 1, 0), a));
  await assertSame(device, divided(tensor([4, 5])));
});

gpuTest("literals that WGSL has no text for", async (device) => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const times = mapFunction("times", apply(p.mul, a, value));
    assert.deepEqual([...await device.read(times(tensor([1, -2, 0])))], [value, -value, NaN]);
  }
  const over = mapFunction("over", apply(p.div, a, -0));
  assert.deepEqual([...await device.read(over(tensor([1, -2])))], [-Infinity, Infinity]);
});

gpuTest("functions with a prelude share it and are accurate", async (device) => {
  const curve = mapFunction(
    "curve",
    apply(p.add, apply(p.tanh, a), apply(p.mul, apply(p.tanh, b), 100)),
  );
  const x = tensor(new Float32Array(64).map((_, i) => (i - 32) / 7)), y = tensor([0.25]);
  const found = numbers(await device.read(curve(x, y))), wanted = evaluate(curve(x, y));
  for (const [k, v] of found.entries()) assert(Math.abs(v - wanted[k]) < 2e-5, `${k}: ${v}`);
});

gpuTest("several results of one kernel, one of them in place", async (device) => {
  const x = input([6, 4], "x"), y = input([4], "y");
  const sum = add(x, y), square = mul(sum, sum), last = sub(square, sum);
  for (const fuse of [true, false]) {
    using plan = await device.compile({ outputs: [last, square, sum] }, { fuse });
    if (fuse) assert.equal(plan.kernels.length, 1);
    const leaves = new Map([[x, wholeNumbers(24, 1)], [y, wholeNumbers(4, 2)]]);
    plan.run(leaves);
    for (const t of [last, square, sum]) {
      assert.deepEqual(numbers(await plan.read(t)), evaluate(t, leaves));
    }
  }
});

gpuTest("more elements than one axis of workgroups reaches", async (device) => {
  const count = 65_535 * 64 + 77, x = input([count], "x");
  using plan = await device.compile({ outputs: [sub(x, full(1))] });
  const data = new Float32Array(count).map((_, i) => i);
  plan.run([[x, data]]);
  const found = await plan.read(plan.outputs[0]);
  assert(found.every((v, i) => v === i - 1));
});
