/** A training step as a whole: clipping, metrics, and how many kernels its updates are. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { Random } from "../../core/rng.ts";
import { PackedPictures } from "../../data/pictures.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { adam, sgd } from "../../train/optimizer.ts";
import type { StepOptions } from "../../train/training_step.ts";
import { assertClose } from "../assert.ts";
import { classifierEvaluation, classifierStep, squares } from "../end_to_end/classifiers.ts";
import { openTestDevices } from "../laws/devices.ts";
import { ResidualNet } from "../models/residual_net.ts";

const devices = await openTestDevices();
const batchSize = 8, random = new Random(1, "pictures");
const pixels = Uint32Array.from({ length: batchSize * 12 * 12 }, () => random.word());
const labels = Int32Array.from({ length: batchSize }, (_, k) => k % 5);
const options = { batchSize };

/** All trained elements, one after the other. */
async function trained(weights: Weights): Promise<number[]> {
  const blocks = await Promise.all(
    weights.trainable.blocks.map((b) => weights.trainable.read(b.whole)),
  );
  return blocks.flatMap((block) => [...block]);
}

/** By how much one step of plain SGD with rate 1 moves each weight: the gradient used. */
async function gradientOf(device: Device, more: Partial<StepOptions> = {}): Promise<number[]> {
  using weights = initialWeights(device, new ResidualNet(), 1);
  using step = await classifierStep(device, weights, sgd(), { ...options, ...more });
  const before = await trained(weights);
  step.run({ pixels, labels }, 1);
  return (await trained(weights)).map((w, k) => before[k] - w);
}

const norm = (values: readonly number[]): number => Math.hypot(...values);

devices.test("training step: gradients above the norm are scaled down to it", async (device) => {
  const free = await gradientOf(device), size = norm(free);
  assert(size > 0.1, `${size}`);
  const clipped = await gradientOf(device, { clipNorm: size / 4 });
  assertClose(clipped, free.map((g) => g / 4), { rtol: 1e-3, atol: 1e-6 });
  assertClose(await gradientOf(device, { clipNorm: 2 * size }), free, { rtol: 1e-3, atol: 1e-6 });
});

Deno.test("training step: metrics are means since the last reading", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new ResidualNet(), 1);
  using step = await classifierStep(device, weights, sgd(), options);
  const losses: number[] = [];
  // A rate of 0 keeps the weights, so that every step has the same loss.
  for (const count of [1, 3, 2]) {
    for (let k = 0; k < count; k++) step.run({ pixels, labels }, 0);
    const { steps, loss, metrics: { top1 } } = await step.metrics();
    assert.equal(steps, count);
    assert(Number.isInteger(top1 * batchSize), `${top1}`);
    losses.push(loss);
  }
  assertClose(losses, Array(3).fill(losses[0]), { rtol: 1e-6, what: "the mean loss" });
  assertClose([losses[0]], [Math.log(5)], { rtol: 0.5, what: "the loss of an untrained net" });
  assert.equal(step.steps, 6);
});

Deno.test("training step: a label that is no class is refused, an ignored one is not", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new ResidualNet(), 1);
  using step = await classifierStep(device, weights, sgd(), options);
  step.run({ pixels, labels: labels.with(2, -100) }, 1);
  const before = await trained(weights);
  for (const label of [-1, 5, 2 ** 31 - 1, -101]) {
    assert.throws(() => step.run({ pixels, labels: labels.with(6, label) }, 1), {
      name: "DataError",
      message: `Cannot take step 2: the label of image 6 is ${label}, ` +
        "0 to 4 is wanted, or -100 for an image that does not count",
    });
  }
  assert.deepEqual([step.steps, await trained(weights)], [1, before]);
  const { steps, loss } = await step.metrics();
  assert(steps === 1 && Number.isFinite(loss));
});

Deno.test("training step: images that are ignored count in no mean", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new ResidualNet(), 1);
  using step = await classifierStep(device, weights, sgd(), options);
  const meansAt = async (labels: Int32Array<ArrayBuffer>) => {
    step.run({ pixels, labels }, 0);
    const { values, steps } = await step.readSums();
    step.startSums();
    return step.named({ values, steps });
  };
  // Each image by itself: the mean over a batch is that over the images that count.
  const single = [];
  for (let k = 0; k < 3; k++) {
    single.push(await meansAt(labels.map((label, at) => at === k ? label : -100)));
  }
  const all = await meansAt(labels.map((label, at) => at < 3 ? label : -100));
  for (const name of ["loss", "top1"]) {
    assert.deepEqual(single.map((one) => one[name].count[0]), [1, 1, 1]);
    assert.equal(all[name].count[0], 3);
    const total = single.reduce((sum, one) => sum + one[name].total[0], 0);
    assertClose([all[name].total[0]], [total], { rtol: 1e-5, what: name });
  }
  const none = await meansAt(labels.map(() => -100));
  assert.deepEqual([none.loss, none.top1].map((t) => [t.total[0], t.count[0]]), [[0, 0], [0, 0]]);
});

Deno.test("training step: weights of which none is trained are refused", async () => {
  const [device] = devices.all;
  using weights = new Weights(device, new ResidualNet(), { trains: () => false });
  assert.equal(weights.size, 0);
  await assert.rejects(classifierStep(device, weights, sgd(), { ...options, clipNorm: 1 }), {
    name: "UsageError",
    message: `Cannot train ${weights.model.name}: none of its ${weights.parameters.size} ` +
      "parameters is trained, one at least is wanted",
  });
});

Deno.test("evaluator: a label that is no class is refused, and the next run is right", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new ResidualNet(), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 2 });
  const packed = { width: 12, height: 12, channels: 1, images: new Uint8Array(4 * 144) } as const;
  const labelled = (...labels: number[]) =>
    new PackedPictures({ ...packed, labels: Int32Array.from(labels) }).source(squares(12));
  const { loss } = await evaluator.run(labelled(0, 4, 1, 2));
  await assert.rejects(evaluator.run(labelled(0, 4, 1, 5)), {
    name: "DataError",
    message: "Cannot evaluate: the label of image 1 is 5, " +
      "0 to 4 is wanted, or -100 for an image that does not count",
  });
  assert.equal((await evaluator.run(labelled(0, 4, 1, 2))).loss, loss);
});

Deno.test("training step: weights and statistics are updated by one kernel per block", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new ResidualNet(), 1);
  using step = await classifierStep(device, weights, adam(), options);
  const { steps, buffers } = partsOf(step.plan).schedule;
  const stores = new Set(buffers.flatMap((b, k) => b.kind === "store" ? [k] : []));
  const writers = steps.filter((s) =>
    (s.kind === "copy" ? [s.to] : s.kind === "map" ? s.outputs.map((o) => o.range) : s.outputs)
      .some((range) => stores.has(range.buffer))
  );
  // Weights with both moments, running statistics, sums for the metrics.
  assert.deepEqual(writers.map((s) => s.kind), ["map", "map", "map"]);
  assert.equal(steps.filter((s) => s.kind === "copy").length, 0);
});
