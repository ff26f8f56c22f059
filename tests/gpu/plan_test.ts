import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { apply, arg, primitives as p } from "../../core/expr.ts";
import type { Tensor } from "../../core/graph.ts";
import { sizeOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { full, input, pack, reshape, tensor, variable } from "../../core/structure.ts";
import { buildGraph, instructions } from "./random_graph.ts";
import { evaluate } from "./reference.ts";
import { add, fold, gpuTest, mapFunction, mul, numbers, sub, wholeNumbers } from "./support.ts";

gpuTest("random graphs: fused, unfused and by definition", async (device) => {
  await fc.assert(
    fc.asyncProperty(
      instructions,
      fc.nat(1000),
      async (program, seed) => {
        const shapes = [[3, 2, 4], [4], [2, 1], [3, 1, 1], [1, 2, 4]];
        const leaves = shapes.map((s, k) => input(s, `x${k}`));
        const { outputs } = buildGraph(leaves, program);
        const feeds = new Map(leaves.map((t, k) => [t, wholeNumbers(sizeOf(t.shape), seed + k)]));
        for (const fuse of [true, false]) {
          using plan = await device.compile({ outputs }, { fuse });
          plan.run([...feeds].filter(([t]) => plan.inputs.includes(t)));
          const found = await Promise.all(outputs.map((t) => plan.read(t)));
          for (const [k, t] of outputs.entries()) {
            assert.deepEqual(numbers(found[k]), evaluate(t, feeds));
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

gpuTest("an optimiser updates a store in place, in one kernel a block", async (device) => {
  const w = variable([5], "w"), v = variable([3, 70], "v");
  using store = new Store(device, [w, v]);
  using moments = store.sibling("moment");
  const [block] = store.blocks, moment = moments.blocks[0].whole;
  const gradient = pack([fold(w), add(v, v)], block.offsets, block.size);
  const newMoment = add(mul(moment, full(0.5)), gradient);
  const newWeight = sub(block.whole, mul(newMoment, full(0.25)));
  using plan = await device.compile({
    outputs: [],
    updates: [[moment, newMoment], [block.whole, newWeight]],
  }, { stores: [store, moments] });
  assert.equal(plan.kernels.length, 3);

  const start = new Map<Tensor, number[]>([[w, numbers(wholeNumbers(5, 1))]]);
  start.set(v, numbers(wholeNumbers(210, 2)));
  store.write(w, new Float32Array(start.get(w)!));
  store.write(v, new Float32Array(start.get(v)!));
  let whole = new Array<number>(block.size).fill(0), m = [...whole];
  for (const [t, offset] of [[w, block.offsets[0]], [v, block.offsets[1]]] as const) {
    start.get(t)!.forEach((x, i) => whole[offset + i] = x);
  }
  for (let run = 0; run < 3; run++) {
    plan.run();
    const now = new Map([[block.whole, whole], [moment, m]]);
    now.set(w, whole.slice(0, 5)).set(v, whole.slice(block.offsets[1], block.offsets[1] + 210));
    [whole, m] = [evaluate(newWeight, now), evaluate(newMoment, now)];
  }
  assert.deepEqual(numbers(await store.read(block.whole)), whole);
  assert.deepEqual(numbers(await moments.read(moment)), m);
});

gpuTest("an update that others still read is copied, also within one buffer", async (device) => {
  const a = variable([6], "a"), b = variable([6], "b"), x = input([6], "x");
  using store = new Store(device, [a, b]);
  store.write(a, wholeNumbers(6, 1));
  store.write(b, wholeNumbers(6, 2));
  // The second update reads the old `a` and moves within the store's one block.
  const outputs = [mul(a, x)];
  using plan = await device.compile({ outputs, updates: [[b, a]] }, { stores: [store] });
  plan.run([[x, new Float32Array(6).fill(3)]]);
  assert.deepEqual(numbers(await store.read(b)), numbers(wholeNumbers(6, 1)));
  assert.deepEqual(
    numbers(await plan.read(outputs[0])),
    numbers(wholeNumbers(6, 1).map((v) => 3 * v)),
  );
  // A broadcast of `a` onto itself cannot be computed in place.
  const first = variable([4], "first"), wide = reshape(first, [4, 1]);
  using other = new Store(device, [first]);
  other.write(first, new Float32Array([1, 2, 3, 4]));
  const sums = add(wide, first), next = mul(first, full(2));
  using step = await device.compile({ outputs: [sums], updates: [[first, next]] }, {
    stores: [other],
  });
  step.run();
  step.run();
  assert.deepEqual(numbers(await other.read(first)), [4, 8, 12, 16]);
  assert.deepEqual(numbers(await step.read(sums)).slice(0, 5), [4, 6, 8, 10, 6]);
});

gpuTest("a pack holds values at their offsets and zeros between", async (device) => {
  const x = tensor(wholeNumbers(70, 3)), y = tensor(wholeNumbers(6, 4), [2, 3]);
  const values = [fold(x), y, add(y, full(1)), full(7, [2])];
  const packed = pack(values, [0, 128, 192, 320], 448);
  assert.deepEqual(numbers(await device.read(packed)), evaluate(packed));
  // Read by another kernel, and beside one of its members.
  const doubled = add(packed, packed);
  using plan = await device.compile({ outputs: [doubled, values[0]] });
  for (let run = 0; run < 2; run++) plan.run();
  assert.deepEqual(numbers(await plan.read(doubled)), evaluate(doubled));
  assert.deepEqual(numbers(await plan.read(values[0])), evaluate(values[0]));
});

gpuTest("debug plans name the first step with a NaN", async (device) => {
  const x = input([8], "x"), root = mapFunction("root", apply(p.sqrt, arg(0)));
  const y = add(x, full(1)), z = mul(root(y), full(2)), last = add(z, full(3));
  using plan = await device.compile({ outputs: [last] }, { debug: true });
  plan.run([[x, new Float32Array(8).fill(3)]]);
  assert.equal(await plan.firstNaN(), undefined);
  plan.run([[x, new Float32Array(8).fill(3).with(5, -2)]]);
  assert.equal(await plan.firstNaN(), "root");
});

gpuTest("500 runs leave memory flat, and disposing frees all of it", async (device, gpu) => {
  const w = variable([1000], "w"), x = input([16, 1000], "x");
  const store = new Store(device, [w]);
  const update = add(w, full(1)), y = mul(x, w), z = reshape(fold(y), [1000, 16]);
  const plan = await device.compile({ outputs: [z], updates: [[w, update]] }, { stores: [store] });
  const bytes = gpu.liveBytes, kernels = gpu.compiledKernels;
  assert(bytes > 0);
  for (let run = 0; run < 500; run++) {
    plan.run(run % 100 === 0 ? [[x, new Float32Array(16_000)]] : []);
    if (run % 50 === 0) await plan.read(z);
    assert.equal(gpu.liveBytes, bytes);
  }
  assert((await store.read(w)).every((v) => v === 500));
  const again = await device.compile({ outputs: [z], updates: [[w, update]] }, { stores: [store] });
  assert.equal(gpu.compiledKernels, kernels, "the same kernels were compiled again");
  again[Symbol.dispose]();
  plan[Symbol.dispose]();
  assert.equal(gpu.liveBytes, store.bytes);
  store[Symbol.dispose]();
  assert.equal(gpu.liveBytes, 0);
});
