/**
 * Other classes for a net that knows pictures: a new head is trained on pictures in memory, the rest
 * of the net stays as it came. The result is a file of half the size, and names pictures at once.
 *
 *     deno run examples/fine_tune.ts
 */
import { classification, encodeCheckpoint, initialWeights, models, openDevice } from "../mod.ts";
import { PackedPictures, Predictor, Random, Trainer } from "../mod.ts";
import { openPretrained } from "../models/pretrained.ts";

const classes = ["stripes", "checks"], side = 64, random = new Random(1, "pictures");

/** A pattern in a colour drawn at random, `[side, side, 3]`, four bits of noise on it. */
function pattern(label: number): number[] {
  const period = 4 + random.word() % 6, colour = [0, 1, 2].map(() => 100 + random.word() % 140);
  return Array.from({ length: side * side }, (_, k) => {
    const x = Math.floor((k % side) / period), y = Math.floor(k / side / period);
    const isBright = (label === 0 ? y : x + y) % 2 === 0;
    return colour.map((c) => (isBright ? c : c >> 2) + random.word() % 16);
  }).flat();
}

function pictures(size: number): PackedPictures {
  const labels = Int32Array.from({ length: size }, (_, k) => k % classes.length);
  const images = Uint8Array.from([...labels].flatMap(pattern));
  return new PackedPictures({ width: side, height: side, channels: 3, images, labels });
}

using device = await openDevice();
const { content, preparation: usual } = await openPretrained("tf_efficientnet_lite0");
const net = models["tf_efficientnet_lite0"].create({ classes: classes.length });
const head = (path: string): boolean => path.startsWith("classifier.");
using weights = initialWeights(device, net, 0, { trains: head });
const { loaded, reshaped } = weights.load(content, { leaveReshaped: true });
console.log(`${loaded.length} tensors loaded, ${reshaped.join(" and ")} left to train`);

const preparation = { ...usual, height: side, width: side };
using trainer = await Trainer.create({
  ...{ device, weights, task: classification(net, preparation) },
  train: pictures(32).source(preparation, { augmentation: [{ kind: "horizontal-flip" }] }),
  test: pictures(16).source(preparation),
  recipe: { epochs: 6, batchSize: 8, optimizer: "adam", lr: 0.002 },
});
for await (const { kind, epoch, loss } of trainer.fit()) {
  if (kind === "epoch") console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(3)}`);
}
console.log(`test accuracy ${(100 * (await trainer.test()).metrics.top1).toFixed(1)} %`);

using predictor = await Predictor.of(weights, { classes, preparation });
const shown = pictures(2), data = new Uint8Array(side * side * 4).fill(255);
shown.image(1).forEach((value, k) => data[Math.floor(k / 3) * 4 + k % 3] = value);
console.log(await predictor.predict({ width: side, height: side, data }));

const file = await encodeCheckpoint(weights, { classes, preparation }, { dtype: "F16" });
console.log(`a file of ${(file.length / 1e6).toFixed(1)} MB`);
