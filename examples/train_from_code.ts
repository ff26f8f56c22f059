/**
 * Training from code: the tutorial's CNN on the built-in images, then a look at one of them.
 *
 *     deno run examples/train_from_code.ts
 */
import { decodeCheckpoint, encodeCheckpoint, initialWeights, models, openDevice } from "../mod.ts";
import { pictureTraining, Predictor, recipes, Trainer } from "../mod.ts";
import { openFashionMini } from "../data/datasets.ts";

using device = await openDevice();
const dataset = await openFashionMini(), { classes } = dataset;
// A tenth of the training images is held out, to see after each epoch how good the net is.
const recipe = { ...recipes["fashion-mini"], epochs: 2, validation: 0.1 };
const model = models["tutorial-cnn"].create({ classes: classes.length });
using weights = initialWeights(device, model, recipe.seed);
const training = pictureTraining(model, dataset, recipe);
using trainer = await Trainer.create({ device, weights, recipe, ...training });

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
console.log(`${weights.size} parameters on ${device.name}`);
for await (const event of trainer.fit()) {
  if (event.kind !== "epoch") continue; // readings on the way come too
  const { epoch, loss, validation, examplesPerSecond } = event;
  console.log(
    `epoch ${epoch + 1}: loss ${loss.toFixed(3)}, ` +
      `validation accuracy ${percent(validation!.metrics.top1)}, ` +
      `${Math.round(examplesPerSecond)} images/s`,
  );
}
console.log(`test accuracy ${percent((await trainer.test()).metrics.top1)}`);

// The bytes of a model file hold all that is needed to use it; write them, or go on at once.
const { preparation } = recipe, file = await encodeCheckpoint(weights, { classes, preparation });
using predictor = await Predictor.create(device, decodeCheckpoint(file, "my model"));
const { width, height } = dataset.test.packed, grey = dataset.test.image(0);
const data = new Uint8Array(width * height * 4);
for (let k = 0; k < data.length; k++) data[k] = k % 4 === 3 ? 255 : grey[k >> 2];
console.log(`the first test image, in truth ${classes[dataset.test.labels[0]]}:`);
for (const { label, probability } of await predictor.predict({ width, height, data }, { top: 3 })) {
  console.log(`  ${label.padEnd(12)} ${percent(probability)}`);
}
