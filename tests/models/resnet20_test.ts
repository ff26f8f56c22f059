/**
 * A real checkpoint of PyTorch, in its legacy format and trained on several GPUs, over CIFAR-10's
 * test images: the logits that its author's code gave. `-- --slow` takes all 10,000.
 */
import assert from "node:assert/strict";
import { openDevice } from "../../open_device.ts";
import { PackedPictures } from "../../data/pictures.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import { models } from "../../models/models.ts";
import { Pass } from "../../models/pass.ts";
import { Weights } from "../../models/weights.ts";
import { classification } from "../../train/classification.ts";
import { compileEvaluation } from "../../train/evaluator.ts";
import { decodeImage } from "../../wasm/image.ts";
import { testData } from "../data/support.ts";
import { wholeBatch } from "../end_to_end/classifiers.ts";

const checkpoint = await testData("resnet20-cifar10"), cifar10 = await testData("cifar10");
const isSlow = Deno.args.includes("--slow"), side = 32;

/** The test images, from a sheet of tiles, left to right, top to bottom. */
async function testImages(): Promise<PackedPictures> {
  const sheet = decodeImage(await Deno.readFile(`${cifar10}/test_batch.webp`));
  const labels = Int32Array.from(await Deno.readFile(`${cifar10}/test_batch.labels.u8`));
  const images = new Uint8Array(labels.length * side * side * 3), tiles = sheet.width / side;
  for (let k = 0, to = 0; k < labels.length * side * side; k++) {
    const tile = Math.floor(k / side ** 2), y = Math.floor(k / side) % side, x = k % side;
    const row = Math.floor(tile / tiles) * side + y, column = tile % tiles * side + x;
    const at = (row * sheet.width + column) * 4;
    for (let c = 0; c < 3; c++) images[to++] = sheet.data[at + c];
  }
  return new PackedPictures({ width: side, height: side, channels: 3, images, labels });
}

/** The elements of an array that NumPy saved: f32 in row-major order, behind a header of text. */
function fromNumpy(bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const header = new DataView(bytes.buffer).getUint16(8, true);
  assert.match(
    new TextDecoder().decode(bytes.subarray(10, 10 + header)),
    /'<f4'.*False.*10000, 10/,
  );
  return new Float32Array(bytes.buffer.slice(10 + header));
}

Deno.test({
  name: "resnet20: a checkpoint of PyTorch gives its author's logits on CIFAR-10",
  ignore: checkpoint === undefined || cifar10 === undefined,
  async fn() {
    using device = await openDevice("wasm");
    const entry = models.resnet20, model = entry.create({ classes: 10 });
    using weights = new Weights(device, model);
    const file = "resnet20-12fca82f.th";
    weights.load(readStateDict(await Deno.readFile(`${checkpoint}/${file}`), file), {}, file);
    const logits = fromNumpy(await Deno.readFile(`${checkpoint}/resnet20.test_logits.npy`));
    const task = classification(model, entry.preparation), images = await testImages();
    const count = isSlow ? 10_000 : 200, atOnce = 100;
    const { inputs, outputs } = task(new Pass({ train: false, batchSize: atOnce }));
    const stores = weights.stores;
    using plan = await device.compile({ outputs: [outputs.logits] }, { stores });
    let worst = 0;
    for (let first = 0; first < count; first += atOnce) {
      const some = images.subset(Uint32Array.from({ length: atOnce }, (_, k) => first + k));
      const { pixels } = await wholeBatch(some.source(entry.preparation));
      plan.run([[inputs.pixels, pixels]]);
      const found = await plan.read(outputs.logits);
      found.forEach((v, k) => worst = Math.max(worst, Math.abs(v - logits[first * 10 + k])));
    }
    console.log(`logits of ${count} images are within ${worst.toExponential(1)}`);
    assert(worst < 1e-3, `${worst}`);
    if (!isSlow) return;
    using evaluator = await compileEvaluation(device, weights, task);
    const { metrics } = await evaluator.run(images.source(entry.preparation));
    assert.equal(metrics.top1, 0.9173);
  },
});
