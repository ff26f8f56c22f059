/** Predictions with weights on a device, and with those of a file: the same, and refused alike. */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../models/checkpoint.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { Predictor } from "../../train/predictor.ts";
import { assertClose } from "../assert.ts";
import { squares } from "../end_to_end/classifiers.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const usage = { classes: ["no", "yes", "perhaps"], preparation: squares(32) };
const grey = { width: 20, height: 30, data: new Uint8Array(20 * 30 * 4).fill(200) };
const black = { ...grey, data: new Uint8Array(20 * 30 * 4) };

devices.test("predictor: weights on a device are used as they are by then", async (device) => {
  using weights = initialWeights(device, new TutorialCnn({ classes: 3 }), 1);
  using live = await Predictor.of(weights, usage);
  const file = decodeCheckpoint(await encodeCheckpoint(weights, usage), "net.safetensors");
  {
    using stored = await Predictor.create(device, file);
    assert.deepEqual(await live.predict(grey), await stored.predict(grey));
    // Two at once do not meet.
    const [a, b] = await Promise.all([live.predict(grey), live.predict(black)]);
    assert.deepEqual([a, b], [await stored.predict(grey), await stored.predict(black)]);
  }
  weights.write(weights.parameters.get("fc3.bias")!, Float32Array.of(0, 0, 100));
  const [{ label, probability }] = await live.predict(grey);
  assert.deepEqual([label, probability], ["perhaps", 1]);
  live[Symbol.dispose]();
  assert.equal((await weights.save()).length, 10, "the weights are the caller's");
});

Deno.test("predictor: names and numbers that do not fit are refused", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new TutorialCnn({ classes: 3 }), 1);
  await assert.rejects(Predictor.of(weights, { ...usage, classes: ["no"] }), {
    name: "UsageError",
    message: "Cannot predict with tutorial-cnn: it has 3 outputs, 1 names of classes are given",
  });
  await assert.rejects(Predictor.of(weights, { ...usage, preparation: squares(40) }), {
    name: "ShapeError",
    message: "Cannot use tutorial-cnn: the pictures have 40×40 pixels, 32×32 are wanted",
  });
  using predictor = await Predictor.of(weights, usage);
  for (const top of [0, -1, 1.5, NaN]) {
    await assert.rejects(predictor.predict(grey, { top }), /the .* likeliest classes, 1 or more/);
  }
  assert.equal((await predictor.predict(grey, { top: 9 })).length, 3);
});

devices.test("predictor: batches say what single pictures say", async (device) => {
  using weights = initialWeights(device, new TutorialCnn({ classes: 3 }), 1);
  using single = await Predictor.of(weights, usage);
  using batched = await Predictor.of(weights, usage, { batchSize: 4 });
  const area = 32 * 32, random = new Random(3, "pictures");
  const pixels = Uint32Array.from({ length: 7 * area }, () => random.word());
  for (const n of [1, 4, 7]) {
    const some = pixels.slice(0, n * area), all = await batched.predictPrepared(some, { top: 2 });
    assert.deepEqual(all.map((guesses) => guesses.length), new Array(n).fill(2));
    const logits = await batched.logits(some), one = await single.logits(some);
    assertClose(logits, one, { atol: 1e-5 });
    for (const [k, [{ label }]] of all.entries()) {
      const row = [...logits.slice(3 * k, 3 * k + 3)];
      assert.equal(label, usage.classes[row.indexOf(Math.max(...row))]);
    }
  }
  assert.deepEqual(await batched.predictPrepared(new Uint32Array(0)), []);
  await assert.rejects(batched.logits(pixels.slice(1)), {
    name: "ShapeError",
    message:
      "Cannot predict: 7167 pixels are no whole number of pictures, a multiple of 32×32 is " +
      "wanted",
  });
  await assert.rejects(Predictor.of(weights, usage, { batchSize: 0 }), { name: "UsageError" });
});
