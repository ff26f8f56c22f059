/** Batches cut for memory: the same step within rounding, and never more than asked for. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { DeviceError, UsageError } from "../../core/errors.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { Random } from "../../core/rng.ts";
import type { Model } from "../../models/model.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { resnet18Small } from "../../models/resnet.ts";
import { initialWeights, type Weights } from "../../models/weights.ts";
import { adam, sgd } from "../../train/optimizer.ts";
import { chooseMicroBatch, estimateStepBytes } from "../../train/micro_batch.ts";
import { assertClose } from "../assert.ts";
import { classifierStep, classify } from "../end_to_end/classifiers.ts";
import { openTestDevices } from "../laws/devices.ts";

/** Weights after three steps of Adam on random pixels. */
async function trained(device: Device, model: Model, batchSize: number, microBatch: number) {
  using weights = initialWeights(device, model, 1);
  const options = { batchSize, microBatch, clipNorm: 0.5 };
  using step = await classifierStep(device, weights, adam(), options);
  const random = new Random(2);
  for (let k = 0; k < 3; k++) {
    const pixels = Uint32Array.from({ length: batchSize * 1024 }, () => random.word());
    const labels = Int32Array.from({ length: batchSize }, () => random.below(10));
    step.run({ pixels, labels }, 0.001);
  }
  const { loss, metrics: { top1 }, steps } = await step.metrics();
  return { loss, top1, steps, elements: await elementsOf(weights) };
}

async function elementsOf(weights: Weights): Promise<Float32Array[]> {
  const elements: Float32Array[] = [];
  for (const t of weights.parameters.values()) elements.push(await weights.read(t));
  return elements;
}

const devices = await openTestDevices();

devices.test("micro-batches: the step of a cut batch is that of the whole one", async (device) => {
  const whole = await trained(device, new TutorialCnn({ classes: 10 }), 12, 12);
  for (const microBatch of [6, 4, 1]) {
    const cut = await trained(device, new TutorialCnn({ classes: 10 }), 12, microBatch);
    assert.deepEqual([cut.steps, cut.top1], [3, whole.top1]);
    assertClose([cut.loss], [whole.loss], { rtol: 1e-5, atol: 0, what: "loss" });
    for (const [k, w] of cut.elements.entries()) {
      assertClose(w, whole.elements[k], { rtol: 0, atol: 2e-5, what: `parameter ${k}` });
    }
  }
});

devices.test("micro-batches: what is chosen holds no more than asked for", async (device) => {
  const model = new TutorialCnn({ classes: 10 }), task = classify(model);
  using weights = initialWeights(device, model, 0);
  const options = { batchSize: 64 }, rule = sgd({ momentum: 0.9 });
  const bytesAt = (microBatch: number): number =>
    estimateStepBytes(device, weights, rule, task, { ...options, microBatch });
  assert.ok(bytesAt(1) < bytesAt(8) && bytesAt(8) < bytesAt(64));
  for (const wanted of [1, 8, 32]) {
    const microBatch = chooseMicroBatch(device, weights, rule, task, options, bytesAt(wanted));
    assert.equal(microBatch, wanted);
    using step = await classifierStep(device, weights, rule, { ...options, microBatch });
    const stores = [...weights.stores, ...step.moments].reduce((sum, s) => sum + s.bytes, 0);
    const held = step.plan.bytes - partsOf(step.plan).executable.scratchBytes + stores;
    assert.ok(held <= bytesAt(wanted) * 1.02, `${held} bytes are held, ${bytesAt(wanted)} planned`);
  }
  assert.throws(() => chooseMicroBatch(device, weights, rule, task, options, 1e5), DeviceError);
  const uneven = classifierStep(device, weights, rule, { ...options, microBatch: 7 });
  await assert.rejects(uneven, UsageError);
});

Deno.test("micro-batches: nets with batch statistics say so", async () => {
  const [device] = devices.all.filter((d) => d.kind === "wasm");
  using weights = initialWeights(device, resnet18Small.create({ classes: 2 }), 0);
  const options = { batchSize: 4, microBatch: 2 };
  using step = await classifierStep(device, weights, sgd(), options);
  assert.equal(step.hasBatchStatistics, true);
});
