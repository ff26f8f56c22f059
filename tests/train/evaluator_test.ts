/** An evaluation can be ended early, and leaves nothing behind for the next. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { Random } from "../../core/rng.ts";
import { PackedPictures } from "../../data/pictures.ts";
import type { Source } from "../../data/source.ts";
import { input } from "../../core/structure.ts";
import { Linear } from "../../models/layers.ts";
import { initialWeights } from "../../models/weights.ts";
import { greater, mul, square } from "../../ops/pointwise.ts";
import { mean, sum } from "../../ops/reduce.ts";
import { classifierEvaluation, squares } from "../end_to_end/classifiers.ts";
import { ResidualNet } from "../end_to_end/tiny_nets.ts";
import { compileEvaluation } from "../../train/evaluator.ts";
import type { Task } from "../../train/task.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();

/** Pictures of noise. */
function noise(size: number, side: number): Source {
  const random = new Random(7, "noise");
  const images = Uint8Array.from({ length: size * side * side }, () => random.word() & 255);
  const labels = Int32Array.from({ length: size }, () => random.word() % 10);
  const packed = { width: side, height: side, channels: 1, images, labels } as const;
  return new PackedPictures(packed).source(squares(side));
}

devices.test("evaluator: a run that is ended early leaves no sums to the next", async (device) => {
  using weights = initialWeights(device, new ResidualNet(8), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 4 });
  // More than one reading, and a last batch that is not full.
  const split = noise(38, 8), whole = await evaluator.run(split);
  assert.equal(whole.size, 38);
  for (const stopAt of [4, 20, 38]) {
    const controller = new AbortController(), reason = new Error(`stopped at ${stopAt}`);
    const seen: number[] = [];
    const stopped = evaluator.run(split, {
      signal: controller.signal,
      onProgress(images) {
        seen.push(images);
        if (images === stopAt) controller.abort(reason);
      },
    });
    await assert.rejects(stopped, (error) => error === reason);
    assert.equal(seen.at(-1), stopAt, "no batch after the abort");
    assert.deepEqual(await evaluator.run(split), whole);
  }
});

devices.test("evaluator: the event loop gets its turns, so a timer can end it", async (device) => {
  using weights = initialWeights(device, new ResidualNet(32), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 8 });
  // Black pictures, more than any device gets through in the time.
  const black = { images: new Uint8Array(40_000 * 32 ** 2), labels: new Int32Array(40_000) };
  const packed = { width: 32, height: 32, channels: 1, ...black } as const;
  const split = new PackedPictures(packed).source(squares(32));
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("time is up")), 100);
  const start = performance.now();
  await assert.rejects(evaluator.run(split, { signal: controller.signal }), /time is up/);
  const ms = performance.now() - start;
  clearTimeout(timer);
  assert(ms < 1000, `${ms} ms`);
});

devices.test("evaluator: aborted before it began, it computes nothing", async (device) => {
  using weights = initialWeights(device, new ResidualNet(8), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 4 });
  const signal = AbortSignal.abort(new Error("never mind"));
  const onProgress = () => assert.fail("a batch");
  await assert.rejects(evaluator.run(noise(8, 8), { signal, onProgress }), /never mind/);
});

Deno.test("evaluator: batches of a deep net are cut, and the result stays", async () => {
  const [device] = devices.all, side = 224;
  using weights = initialWeights(device, new ResidualNet(side), 1);
  using whole = await classifierEvaluation(device, weights, { batchSize: 250 });
  using single = await classifierEvaluation(device, weights, { batchSize: 1 });
  assert(whole.batchSize > 1 && whole.batchSize < 250, `${whole.batchSize} images`);
  assert(whole.plan.plannedBytes < 60e6, `${whole.plan.plannedBytes} bytes`);
  const split = noise(3, side), [a, b] = [await whole.run(split), await single.run(split)];
  assert.equal(a.metrics.top1, b.metrics.top1);
  assert.equal(a.metrics.top5, b.metrics.top5);
  assert(Math.abs(a.loss - b.loss) < 1e-4, `${a.loss} and ${b.loss}`);
});

/** A net with a weight, which is 3, and the mean of what it makes of numbers. */
class Factor {
  readonly name = "factor";
  readonly layer = new Linear(1, 1, { bias: false });
}

const meanTask = (net: Factor): Task => (pass) => {
  const x = input([pass.batchSize, 1], "x"), y = net.layer.forward(x);
  const big = sum(square(y));
  return { inputs: { x }, loss: mean(y), sums: { big: { total: big, count: pass.batchSize } } };
};

/** `x` is the index, with or without padding that a task might count. */
const numbers = (size: number, padding?: Source["padding"]): Source => ({
  ...{ size, padding },
  batch: (indices) => Promise.resolve({ x: Float32Array.from(indices) }),
});

Deno.test("evaluator: every example counts once and alike, whatever the batches", async () => {
  const [device] = devices.all, net = new Factor();
  using weights = initialWeights(device, net, 1);
  weights.write(net.layer.weight, Float32Array.of(3));
  const sizes = fc.integer({ min: 1, max: 40 }), padding = fc.constantFrom(undefined, { x: 9 });
  await fc.assert(
    fc.asyncProperty(sizes, sizes, sizes, padding, async (batchSize, size, other, padding) => {
      using evaluator = await compileEvaluation(device, weights, meanTask(net), { batchSize });
      for (const n of [size, other, size]) {
        const { loss, metrics, totals, size } = await evaluator.run(numbers(n, padding));
        assert.deepEqual([size, totals.loss.count[0], totals.big.count[0]], [n, n, n]);
        const squares = 9 * (n - 1) * (2 * n - 1) / 6;
        assertClose([loss, metrics.big], [3 * (n - 1) / 2, squares], { rtol: 1e-5 });
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("evaluator: a source that names no padding is given none", async () => {
  const [device] = devices.all, net = new Factor();
  using weights = initialWeights(device, net, 1);
  // A task that counts on the device might count zeros that stand in for examples.
  const task: Task = (pass) => {
    const traced = meanTask(net)(pass), { x } = traced.inputs;
    const loss = { total: sum(x), count: sum(greater(x, -1)) };
    return { ...traced, sums: { loss } };
  };
  using evaluator = await compileEvaluation(device, weights, task, { batchSize: 4 });
  assert.equal((await evaluator.run(numbers(5))).loss, 2);
  assert.equal((await evaluator.run(numbers(5, { x: -5 }))).totals.loss.count[0], 5);
  const controller = new AbortController(), reason = new Error("stopped");
  const options = {
    signal: controller.signal,
    onProgress: (n: number) => n === 5 && controller.abort(reason),
  };
  await assert.rejects(evaluator.run(numbers(5), options), (error) => error === reason);
  assert.equal((await evaluator.run(numbers(5))).loss, 2);
});

Deno.test("evaluator: what goes wrong in a last batch that is short is found there", async () => {
  const [device] = devices.all, net = new Factor();
  using weights = initialWeights(device, net, 1);
  weights.write(net.layer.weight, Float32Array.of(1e38));
  using evaluator = await compileEvaluation(device, weights, meanTask(net), { batchSize: 4 });
  const source = (size: number): Source => ({
    size,
    batch: (indices) =>
      Promise.resolve({ x: Float32Array.from(indices, (k) => k === 5 ? NaN : 0) }),
  });
  assert(Number.isNaN((await evaluator.run(source(6))).loss));
  assert.match(await evaluator.findNaN(source(6)) ?? "", /^the result of /);
  assert.equal(await evaluator.findNaN(source(5)), undefined);
});

Deno.test("evaluator: metrics as long as a batch cannot be summed over a shorter one", async () => {
  const [device] = devices.all, net = new Factor();
  using weights = initialWeights(device, net, 1);
  const task: Task = (pass) => {
    const traced = meanTask(net)(pass);
    return { ...traced, sums: { all: { total: mul(traced.inputs.x, 2), count: 1 } } };
  };
  using evaluator = await compileEvaluation(device, weights, task, { batchSize: 4 });
  assert.deepEqual([...(await evaluator.run(numbers(8))).totals.all.total], [8, 12, 16, 20]);
  await assert.rejects(evaluator.run(numbers(6)), {
    name: "ShapeError",
    message: "Cannot sum metrics over batches of two sizes: one is [4,1] and [2,1], " +
      "a shape without the batch is wanted",
  });
});

Deno.test("evaluator: one run at a time, of at least one example", async () => {
  const [device] = devices.all, net = new Factor();
  using weights = initialWeights(device, net, 1);
  using evaluator = await compileEvaluation(device, weights, meanTask(net), { batchSize: 4 });
  const first = evaluator.run(numbers(5));
  await assert.rejects(evaluator.run(numbers(5)), /another run is under way/);
  assert.equal((await first).size, 5);
  await assert.rejects(evaluator.run(numbers(0)), {
    name: "UsageError",
    message: "Cannot make batches from 0 examples, 1 or more are wanted",
  });
  assert.equal((await evaluator.run(numbers(3))).size, 3);
});
