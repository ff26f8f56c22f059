/**
 * A task of your own: a net that keeps 49 numbers of a picture and draws it again from them. A task
 * is one function: what is fed, what shall become small, what is measured.
 *
 *     deno run examples/own_task.ts
 */
import { Conv2d, ConvTranspose2d, initialWeights, input, openDevice, ops } from "../mod.ts";
import { recipes, ReLU, Sequential, type Task, Trainer } from "../mod.ts";
import { openFashionMini } from "../data/datasets.ts";

const halve = { stride: 2, padding: 1 };
const narrow = [new Conv2d(1, 16, 4, halve), new ReLU(), new Conv2d(16, 1, 4, halve)];
const widen = [
  new ConvTranspose2d(1, 16, 4, halve),
  new ReLU(),
  new ConvTranspose2d(16, 1, 4, halve),
];
const net = { name: "autoencoder", layers: new Sequential(...narrow, ...widen) };

const task: Task = (pass) => {
  const pixels = input([pass.batchSize, 28, 28], "pixels", "u32");
  const x = ops.pixels(pixels, { channels: 1, mean: [0.5], std: [0.5] });
  const error = ops.sub(net.layers.forward(x, pass), x), loss = ops.mean(ops.square(error));
  const near = ops.sum(ops.greater(0.2, ops.abs(error))); // of a scale from −1 to 1
  const count = pass.batchSize * 28 * 28; // pixels: metrics are sums over what they count
  return { inputs: { pixels }, loss, sums: { near: { total: near, count } } };
};

using device = await openDevice();
using weights = initialWeights(device, net, 0);
const recipe = { ...recipes["fashion-mini"], epochs: 3 }, { train, test } = await openFashionMini();
const preparation = { ...recipe.preparation, height: 28, width: 28, share: 1 };
const [shown, held] = [train, test].map((pictures) => pictures.source(preparation));
using trainer = await Trainer.create({ device, weights, recipe, task, train: shown, test: held });
for await (const { kind, epoch, loss } of trainer.fit()) {
  if (kind === "epoch") console.log(`epoch ${epoch + 1}: error ${loss.toFixed(4)}`);
}
const { loss, metrics } = await trainer.test();
console.log(`test error ${loss.toFixed(4)}, ${(100 * metrics.near).toFixed(1)} % of pixels near`);
