/** Classification as a task: what differs between training and evaluation, and what is shown to which. */
import assert from "node:assert/strict";
import type { Dataset } from "../../data/dataset.ts";
import { PackedPictures } from "../../data/pictures.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { classification, pictureTraining } from "../../train/classification.ts";
import { compileEvaluation } from "../../train/evaluator.ts";
import { sgd } from "../../train/optimizer.ts";
import { recipes } from "../../train/recipes.ts";
import { compileStep } from "../../train/training_step.ts";
import { assertClose } from "../assert.ts";
import { squares, wholeBatch } from "../end_to_end/classifiers.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();

/** Pictures of two columns, left darker than right, told apart by their first byte. */
function pictures(size: number, first: number, classes = 2): PackedPictures {
  const images = Uint8Array.from({ length: 4 * size }, (_, k) => k % 2 ? 255 : first + (k >> 2));
  const labels = Int32Array.from({ length: size }, (_, k) => k % classes);
  return new PackedPictures({ width: 2, height: 2, channels: 1, images, labels });
}

const [train, test, validation] = [pictures(40, 0), pictures(6, 100), pictures(4, 200)];
const dataset: Dataset = { ...{ name: "d", classes: ["a", "b"], sourceNote: "" }, train, test };
const model = new TutorialCnn({ classes: 2 });
const recipe = {
  ...recipes["fashion-mini"],
  preparation: squares(2),
  ...{ validation: 0.2, seed: 3 },
};

/** The dark byte of each picture, and whether it stands to the left. */
async function shown(of: ReturnType<PackedPictures["source"]> | undefined) {
  assert(of);
  const { pixels } = await wholeBatch(of);
  return Array.from({ length: of.size }, (_, k) => {
    const [left, right] = [pixels[4 * k] & 255, pixels[4 * k + 1] & 255];
    return { dark: Math.min(left, right), isMirrored: right < left };
  });
}

const darkOf = async (of: ReturnType<PackedPictures["source"]> | undefined) =>
  (await shown(of)).map(({ dark }) => dark).sort((a, b) => a - b);

const range = (from: number, size: number): number[] =>
  Array.from({ length: size }, (_, k) => from + k);

Deno.test("classification: training, validation and test pictures are each their own", async () => {
  const held = pictureTraining(model, dataset, recipe);
  const [rest, kept] = [await darkOf(held.train), await darkOf(held.validation)];
  assert.deepEqual([rest.length, kept.length], [32, 8]);
  assert.deepEqual([...rest, ...kept].sort((a, b) => a - b), range(0, 40));
  assert.deepEqual(await darkOf(held.test), range(100, 6));
  const own = pictureTraining(model, { ...dataset, validation }, recipe);
  assert.deepEqual(await darkOf(own.train), range(0, 40));
  assert.deepEqual(await darkOf(own.validation), range(200, 4));
  const none = pictureTraining(model, dataset, { ...recipe, validation: 0 });
  assert.equal(none.validation, undefined);
});

Deno.test("classification: pictures are mirrored to learn from, and never to measure by", async () => {
  const found = pictureTraining(model, dataset, recipe);
  const mirrored = async (name: "train" | "validation" | "test"): Promise<number> =>
    (await shown(found[name])).filter(({ isMirrored }) => isMirrored).length;
  const count = await mirrored("train");
  assert(count > 5 && count < 27, `${count} of 32`);
  assert.deepEqual([await mirrored("validation"), await mirrored("test")], [0, 0]);
  const seeded = pictureTraining(model, dataset, { ...recipe, seed: 4 });
  assert.notDeepEqual(await shown(seeded.train), await shown(found.train));
  const { train } = pictureTraining(model, dataset, { ...recipe, augmentation: [] });
  assert((await shown(train)).every(({ isMirrored }) => !isMirrored));
});

devices.test("classification: labels are smoothed in training alone", async (device) => {
  using weights = initialWeights(device, model, 1);
  weights.write(weights.parameters.get("fc3.bias")!, Float32Array.of(2, -2));
  const source = pictures(8, 0, 1).source(squares(32)), fields = await wholeBatch(source);
  const losses = [];
  for (const labelSmoothing of [0, 0.5]) {
    const task = classification(model, squares(32), { labelSmoothing });
    using step = await compileStep(device, weights, sgd(), task, { batchSize: 8 });
    step.run(fields, 0);
    using evaluator = await compileEvaluation(device, weights, task);
    losses.push([(await step.metrics()).loss, (await evaluator.run(source)).loss]);
  }
  const [[plain, measured], [smooth, again]] = losses;
  assertClose([measured, again], [plain, plain], { rtol: 1e-5, what: "the loss that is measured" });
  assert(Math.abs(smooth - plain) > 0.5, `${smooth} and ${plain}`);
});
