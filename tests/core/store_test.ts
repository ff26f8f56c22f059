import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import { DeviceError, ShapeError } from "../../core/errors.ts";
import { asLeaf } from "../../core/graph.ts";
import { sizeOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { input, variable } from "../../core/structure.ts";
import { add } from "../../ops/mod.ts";
import { assertRejects, assertThrows, counting, fakeDevice } from "./support.ts";

const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 12 });

Deno.test("variables lie aligned, in order, without overlap, in blocks that fit", async () => {
  const property = fc.asyncProperty(
    sizes,
    fc.integer({ min: 256, max: 1024 }),
    async (list, elements) => {
      const { device, fake } = fakeDevice();
      const variables = list.map((n, k) => variable([n], `v${k}`));
      using store = new Store(device, variables, { maxBlockBytes: 4 * elements, label: "w" });
      assert.deepEqual(store.blocks.flatMap((b) => b.variables), variables);
      for (const [k, { whole, variables, offsets, size }] of store.blocks.entries()) {
        assert(size <= elements);
        assert.deepEqual(whole.shape, [size]);
        assert.equal(asLeaf(whole)!.label, `w block ${k}`);
        let end = 0;
        for (const [j, v] of variables.entries()) {
          assert(offsets[j] % 64 === 0 && offsets[j] >= end && offsets[j] < end + 64);
          end = offsets[j] + sizeOf(v.shape);
          store.write(v, counting(v, offsets[j]));
        }
        const all = await store.read(whole);
        for (const [j, v] of variables.entries()) {
          assert.deepEqual(
            all.slice(offsets[j], offsets[j] + sizeOf(v.shape)),
            counting(v, offsets[j]),
          );
        }
        // A block is closed only where the next variable would not fit.
        const next = store.blocks[k + 1]?.variables[0];
        if (next) assert(size + Math.ceil(sizeOf(next.shape) / 64) * 64 > elements);
      }
      assert.equal(store.bytes, fake.liveBytes);
    },
  );
  await fc.assert(property);
});

Deno.test("what is written is read, and its neighbours keep their values", async () => {
  const { device } = fakeDevice();
  const a = variable([3], "a"), b = variable([2, 2], "b", "i32"), c = variable([65], "c", "u32");
  using store = new Store(device, [a, b, c]);
  assert.deepEqual(await store.read(a), new Float32Array(3), "memory starts as zeros");
  store.write(a, new Float32Array([1, 2, 3]));
  store.write(b, new Int32Array([-1, 2, -3, 4]));
  store.write(c, new Uint32Array(65).fill(2 ** 31 + 5));
  assert.deepEqual(await store.read(a), new Float32Array([1, 2, 3]));
  assert.deepEqual(await store.read(b), new Int32Array([-1, 2, -3, 4]));
  assert.deepEqual(await store.read(c), new Uint32Array(65).fill(2 ** 31 + 5));
});

Deno.test("only what fits a variable is written", async () => {
  const { device } = fakeDevice();
  const a = variable([3], "fc.bias");
  using store = new Store(device, [a]);
  assertThrows(
    () => store.write(a, new Float32Array(2)),
    ShapeError,
    /^Cannot write fc\.bias: it was given 2 elements of f32, \[3\] .*is wanted$/,
  );
  assertThrows(() => store.write(a, new Int32Array(3)), ShapeError, /3 elements of i32/);
  const doubles = new Float64Array(3) as unknown as Float32Array<ArrayBuffer>;
  assertThrows(() => store.write(a, doubles), ShapeError, /3 elements of Float64Array/);
  const other = variable([3], "other");
  assertThrows(
    () => store.write(other, new Float32Array(3)),
    ShapeError,
    "Cannot write Tensor(3, f32, leaf): it is not in this store",
  );
  await assertRejects(store.read(add(a, 1)), ShapeError, /^Cannot read .*not in this store$/);
});

Deno.test("only variables are stored, each once, none larger than a buffer", () => {
  const { device, fake } = fakeDevice({ maxBufferBytes: 1024 });
  assertThrows(
    () => new Store(device, [input([2], "x")]),
    ShapeError,
    "Cannot store Tensor(2, f32, leaf): it is no variable",
  );
  const shared = variable([4], "shared");
  using store = new Store(device, [shared, shared]);
  assert.deepEqual(store.blocks[0].variables, [shared]);
  assertThrows(
    () => new Store(device, [variable([4], "a"), variable([257], "fc.weight")]),
    DeviceError,
    "Cannot store fc.weight: it needs 1028 bytes in one buffer, a fake allows 1024",
  );
  using largest = new Store(device, [variable([256], "fits")]);
  assert.equal(fake.liveBytes, 256 + largest.bytes);
});

Deno.test("a sibling has the same blocks, in memory of its own", async () => {
  const { device } = fakeDevice();
  const variables = [10, 100, 1000].map((n) => variable([n], `${n}`));
  using store = new Store(device, variables, { maxBlockBytes: 1024 });
  using moments = store.sibling("momentum");
  assert.deepEqual(moments.blocks.map((b) => b.size), store.blocks.map((b) => b.size));
  const [first, last] = [store.blocks[0].whole, moments.blocks[0].whole];
  store.write(first, counting(first));
  assert.deepEqual(await moments.read(last), new Float32Array(last.shape[0]));
});

Deno.test("a closed store is dead, and closing twice is harmless", async () => {
  const { device, fake } = fakeDevice();
  const a = variable([3], "a"), store = new Store(device, [a]);
  store[Symbol.dispose]();
  store[Symbol.dispose]();
  assert.equal(fake.liveBytes, 0);
  const message = "Cannot write a: the store was closed";
  assertThrows(() => store.write(a, new Float32Array(3)), DeviceError, message);
  await assertRejects(store.read(a), DeviceError, "Cannot read a: the store was closed");
});

Deno.test("a store that does not fit into memory leaves nothing behind", () => {
  const { device, fake } = fakeDevice({ maxLiveBytes: 600 });
  const variables = [variable([64], "a"), variable([64], "b"), variable([64], "c")];
  assert.throws(() => new Store(device, variables, { maxBlockBytes: 256 }), RangeError);
  assert.equal(fake.liveBytes, 0);
});

Deno.test("no variables make no blocks", () => {
  using store = new Store(fakeDevice().device, []);
  assert.deepEqual([store.blocks.length, store.bytes], [0, 0]);
});
