/**
 * Training from code: the tutorial's CNN on the built-in images, then a look at one of them.
 *
 *     deno run examples/train_from_code.ts
 */
import { decodeCheckpoint, encodeCheckpoint, initialWeights } from "../mod.ts";
import { models, openDevice, Predictor, Trainer } from "../mod.ts";
import { datasets } from "../data/datasets.ts";

using device = await openDevice();
const dataset = await datasets["fashion-mini"](), { classes } = dataset;
const recipe = { ...dataset.recipe, epochs: 2 };
const model = models["tutorial-cnn"].create({ classes: classes.length });
using weights = initialWeights(device, model, recipe.seed);
using trainer = await Trainer.create({ device, weights, dataset, recipe });

console.log(`${weights.size} parameters on ${device.name}`);
for await (const event of trainer.fit()) {
  if (event.kind !== "epoch") continue; // readings on the way come too
  const percent = (100 * event.test.top1).toFixed(1), rate = Math.round(event.imagesPerSecond);
  console.log(
    `epoch ${event.epoch + 1}: loss ${
      event.loss.toFixed(3)
    }, test accuracy ${percent} %, ${rate} images/s`,
  );
}

// The bytes of a model file hold all that is needed to use it; write them, or go on at once.
const { mean, std } = recipe, { width, height, images, labels } = dataset.test;
const usual = models["tutorial-cnn"].preparation, share = width / model.inputSize;
const file = await encodeCheckpoint(weights, {
  classes,
  preparation: { ...usual, share, mean, std },
});
using predictor = await Predictor.create(device, decodeCheckpoint(file, "my model"));
const data = new Uint8Array(width * height * 4);
for (let k = 0; k < data.length; k++) data[k] = k % 4 === 3 ? 255 : images[k >> 2];
console.log(`the first test image, in truth ${classes[labels[0]]}:`);
for (const { label, probability } of await predictor.predict({ width, height, data }, 3)) {
  console.log(`  ${label.padEnd(12)} ${(100 * probability).toFixed(1)} %`);
}
