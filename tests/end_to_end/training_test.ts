/** Training as a whole: it learns, it repeats itself bit for bit, and it says when it diverges. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { input } from "../../core/structure.ts";
import type { Dataset } from "../../data/dataset.ts";
import { PackedPictures } from "../../data/pictures.ts";
import { ignoredLabel, type Source } from "../../data/source.ts";
import { Linear } from "../../models/layers.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { mean, sum } from "../../ops/reduce.ts";
import { adam } from "../../train/optimizer.ts";
import type { Task } from "../../train/task.ts";
import { pictureTraining } from "../../train/classification.ts";
import { type Recipe, recipes } from "../../train/recipes.ts";
import type { FitEvent } from "../../train/fit_events.ts";
import { DivergedError, Trainer, type TrainerOptions } from "../../train/trainer.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";
import { classifierStep } from "./classifiers.ts";
import { batchOf, pick, smallDataset } from "./images.ts";
import { bitsOf } from "./weights.ts";

const devices = await openTestDevices();
const dataset = await smallDataset(256, 64);
const standard: Recipe = { ...recipes["fashion-mini"], validation: 0 };

devices.test("training: eight images are learnt by heart", async (device) => {
  const batch = await batchOf(pick(dataset.train, [0, 1, 2, 3, 4, 5, 6, 7]));
  assert(new Set(batch.labels).size > 3, "images of several classes");
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 1);
  using step = await classifierStep(device, weights, adam(), { batchSize: 8 });
  let loss = Infinity, top1 = 0;
  for (let k = 0; k < 30 && loss >= 0.01; k++) {
    for (let i = 0; i < 10; i++) step.run(batch, 0.002);
    ({ loss, metrics: { top1 } } = await step.metrics());
  }
  assert(loss < 0.01, `the loss is ${loss} after ${step.steps} steps`);
  assert.equal(top1, 1);
});

/** Trains from the seed of a recipe to its end. */
async function fit(
  device: Device,
  data: Dataset,
  recipe: Recipe,
): Promise<{ readonly bits: Map<string, string>; readonly events: readonly FitEvent[] }> {
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), recipe.seed);
  const training = pictureTraining(weights.model, data, recipe);
  using trainer = await Trainer.create({
    ...{ device, weights, recipe, ...training, testEachEpoch: true },
  });
  const events = await Array.fromAsync(trainer.fit());
  return { bits: await bitsOf(weights), events };
}

devices.test("training: the seed decides every bit of the weights", async (device) => {
  const data = { ...dataset, train: pick(dataset.train, [...Array(64).keys()]) };
  const recipe: Recipe = { ...standard, batchSize: 16, epochs: 2 };
  const first = await fit(device, data, recipe), second = await fit(device, data, recipe);
  assert.deepEqual(first.bits, second.bits);
  const other = await fit(device, data, { ...recipe, seed: 1 });
  for (const [path, bits] of other.bits) assert.notEqual(bits, first.bits.get(path), path);
});

const wasm = devices.all.find(({ kind }) => kind === "wasm")!;

Deno.test("training: epochs are announced with an evaluation of all test images", async () => {
  const { events } = await fit(wasm, dataset, { ...standard, batchSize: 32, epochs: 3 });
  const epochs = events.filter((event) => event.kind === "epoch");
  assert.deepEqual(epochs.map(({ epoch }) => epoch), [0, 1, 2]);
  for (const { test, examplesPerSecond } of epochs) {
    const { top1, top5 } = test!.metrics;
    assert.equal(test!.size, 64);
    assert(top1 >= 0 && top1 <= top5 && top5 <= 1);
    assert(examplesPerSecond > 0);
  }
  assert(epochs[2].loss < epochs[0].loss);
  const steps = events.filter((event) => event.kind === "step");
  assert.deepEqual(steps.at(-1)!.batch, 8);
});

Deno.test("training: a loss that is no number any more ends it", async () => {
  const recipe: Recipe = { ...standard, optimizer: "sgd", schedule: "constant", lr: 1e20 };
  await assert.rejects(fit(wasm, dataset, recipe), (error) => {
    assert(error instanceof DivergedError);
    assert.match(
      error.message,
      /^Cannot go on training: the loss is no finite number at batch \d+ of epoch 1, a lower/,
    );
    return true;
  });
});

Deno.test("training: pictures without labels are no divergence, and choose no best", async () => {
  const unlabelled = (pictures: PackedPictures): PackedPictures => {
    const { packed } = pictures;
    return new PackedPictures({ ...packed, labels: packed.labels.map(() => ignoredLabel) });
  };
  const recipe: Recipe = { ...standard, batchSize: 64, epochs: 1 };
  const train = pick(unlabelled(dataset.train), [...Array(256).keys()]);
  const { events, bits } = await fit(wasm, { ...dataset, train }, recipe);
  const [epoch] = events.filter((event) => event.kind === "epoch");
  assert(Number.isNaN(epoch.loss) && epoch.test!.loss > 0);
  using weights = initialWeights(wasm, new TutorialCnn({ classes: 10 }), recipe.seed);
  assert.deepEqual(bits, await bitsOf(weights), "no weight has moved");
});

Deno.test("training: what a recipe leaves out is the tutorial's", async () => {
  const short = { epochs: 1, batchSize: 32, lr: 0.01 };
  const bits = [];
  for (const recipe of [short, { ...recipes.cifar10, ...short, momentum: undefined }]) {
    using weights = initialWeights(wasm, new TutorialCnn({ classes: 10 }), 0);
    const { task, train } = pictureTraining(weights.model, dataset, standard);
    using trainer = await Trainer.create({ device: wasm, weights, task, train, recipe });
    for await (const _ of trainer.fit());
    assert.equal(trainer.step.moments.length, 1);
    bits.push(await bitsOf(weights));
  }
  assert.deepEqual(bits[0], bits[1]);
});

Deno.test("training: sums of thousands of steps are those of every one of them", async () => {
  const net = { name: "factor", layer: new Linear(1, 1, { bias: false }) };
  using weights = initialWeights(wasm, net, 0);
  weights.write(net.layer.weight, Float32Array.of(1));
  const task: Task = (pass) => {
    const x = input([pass.batchSize, 1], "x"), loss = mean(net.layer.forward(x));
    return { inputs: { x }, loss, sums: { x: { total: sum(x), count: pass.batchSize } } };
  };
  const batch: Source["batch"] = (at) => Promise.resolve({ x: Float32Array.from(at) });
  const train: Source = { size: 5000, batch };
  using trainer = await Trainer.create({
    ...{ device: wasm, weights, task, train, logEvery: 700, readingMs: 5 },
    recipe: { epochs: 2, batchSize: 2, lr: 1e-30 },
  });
  const logged = [0, 0];
  for await (const event of trainer.fit()) {
    if (event.kind === "log") logged[event.epoch] += event.loss / 3;
    if (event.kind !== "epoch") continue;
    assertClose([event.loss, event.metrics.x], [2499.5, 2499.5], { rtol: 1e-5 });
    assertClose([logged[event.epoch]], [2499.5], { rtol: 0.05, what: "a part of the epoch" });
  }
});

Deno.test("training: a bound on memory holds for what is measured too", async () => {
  using weights = initialWeights(wasm, new TutorialCnn({ classes: 10 }), 0);
  const { task, train, test } = pictureTraining(weights.model, dataset, standard);
  const recipe = { ...standard, batchSize: 64 };
  const sizes = [];
  for (const maxBytes of [undefined, 3e6]) {
    const options = { device: wasm, weights, task, train, test, recipe, maxBytes };
    using trainer = await Trainer.create(options);
    sizes.push([trainer.step.microBatch, trainer.evaluator?.batchSize]);
  }
  const [free, [microBatch, atOnce]] = sizes;
  assert.deepEqual(free, [64, 64]);
  assert(microBatch! < 64 && atOnce! <= microBatch!, `${microBatch} and ${atOnce}`);
});

Deno.test("training: too few examples are refused before anything is compiled", async () => {
  using weights = initialWeights(wasm, new TutorialCnn({ classes: 10 }), 0);
  const { task, train, test } = pictureTraining(weights.model, dataset, standard);
  const create = (change: Partial<TrainerOptions>) =>
    Trainer.create({ device: wasm, weights, task, train, test, recipe: standard, ...change });
  const none = dataset.test.subset(new Uint32Array()).source(standard.preparation);
  await assert.rejects(
    create({ recipe: { ...standard, batchSize: 257 } }),
    /at most 256 is wanted/,
  );
  await assert.rejects(create({ train: none }), /from 0 examples, 1 or more are wanted/);
  for (const name of ["validation", "test"]) {
    await assert.rejects(create({ [name]: none }), {
      name: "UsageError",
      message: `Cannot train: there are 0 ${name} examples, 1 or more are wanted`,
    });
  }
});
