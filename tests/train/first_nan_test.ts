/** Nets whose answers are no numbers are refused, on both backends, and the culprit is named. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { CheckpointError } from "../../core/errors.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../models/checkpoint.ts";
import { TutorialCnn, tutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights, type Weights } from "../../models/weights.ts";
import { Evaluator } from "../../train/evaluator.ts";
import { Predictor } from "../../train/predictor.ts";
import { smallDataset } from "../end_to_end/images.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const { test } = await smallDataset(1, 8);
const classes = Array.from({ length: 10 }, (_, k) => `class ${k}`);
const scaling = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const usage = { classes, preparation: tutorialCnn.preparation };
const grey = { width: 32, height: 32, data: new Uint8Array(32 * 32 * 4).fill(200) };

/** First weights in which one tensor is filled with a value. */
function withFilled(device: Device, path: string, value: number): Weights {
  const weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 1);
  const t = weights.parameters.get(path)!, size = t.shape.reduce((a, b) => a * b, 1);
  weights.write(t, new Float32Array(size).fill(value));
  return weights;
}

const isRefusal = (pattern: RegExp) => (error: unknown): boolean => {
  assert(error instanceof CheckpointError, String(error));
  assert.match(error.message, pattern);
  return true;
};

devices.test("NaN: a file with a NaN in it is refused when it is loaded", async (device) => {
  using weights = withFilled(device, "conv2.bias", NaN);
  const file = decodeCheckpoint(await encodeCheckpoint(weights, usage), "bad.safetensors");
  await assert.rejects(
    Predictor.create(device, file),
    isRefusal(/^Cannot load bad\.safetensors into tutorial-cnn .*: conv2\.bias holds NaN$/),
  );
});

devices.test("NaN: a prediction that overflows names the layer", async (device) => {
  using weights = withFilled(device, "fc1.weight", 3e38);
  const file = decodeCheckpoint(await encodeCheckpoint(weights, usage), "big.safetensors");
  using predictor = await Predictor.create(device, file);
  await assert.rejects(
    predictor.predict(grey),
    isRefusal(/^Cannot predict with big\.safetensors: the result of .* is NaN or infinite/),
  );
});

devices.test("NaN: an evaluation says what is to blame", async (device) => {
  using weights = withFilled(device, "fc2.weight", NaN);
  const evaluator = await Evaluator.create(device, weights, { batchSize: 8, ...scaling });
  using _evaluator = evaluator;
  assert(!Number.isFinite((await evaluator.run(test)).loss));
  assert.equal(await evaluator.findNaN(test), "the tensor fc2.weight");
  const fc2 = weights.parameters.get("fc2.weight")!;
  weights.write(fc2, new Float32Array(120 * 84).fill(3e38));
  assert(!Number.isFinite((await evaluator.run(test)).loss));
  assert.match(await evaluator.findNaN(test) ?? "", /^the result of matmul/);
  weights.write(fc2, new Float32Array(120 * 84));
  assert(Number.isFinite((await evaluator.run(test)).loss));
  assert.equal(await evaluator.findNaN(test), undefined);
});
