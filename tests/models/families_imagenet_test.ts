/** Nets with published weights on photographs: what a reference implementation says of them. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { preparePicture } from "../../data/preparation.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import { headSize } from "../../models/head_size.ts";
import { type ModelName, models } from "../../models/models.ts";
import { Pass } from "../../models/pass.ts";
import type { Preparation } from "../../models/preparation.ts";
import { Weights } from "../../models/weights.ts";
import { classification } from "../../train/classification.ts";
import { testData } from "../data/support.ts";
import { openTestDevices } from "../laws/devices.ts";
import { drawing } from "../laws/drawing.ts";

const folder = await testData("imagenet");
const { isSlow } = drawing();
const devices = await openTestDevices();

type Top = readonly (readonly [label: string, probability: number])[];
type Expected = Readonly<Record<string, Readonly<Record<string, Top>>>>;

/** Files of weights, what the reference calls the net, and the line of the label of class 0. */
const nets: readonly { name: ModelName; file: string; reference: string; first: number }[] = [
  {
    name: "tf_mobilenet_v2",
    file: "mobilenet_v2_1.0_224.safetensors",
    reference: "mobilenet_v2_1.0_224",
    first: 0,
  },
  {
    name: "squeezenet1_0_caffe",
    file: "squeezenet1_0_deepcompression.safetensors",
    reference: "squeezenet1_0",
    first: 1,
  },
  {
    name: "tf_efficientnet_lite0",
    file: "efficientnet-lite0/efficientnet-lite0-57934424.pth",
    reference: "efficientnet_lite0",
    first: 1,
  },
];

async function check(device: Device, { name, file, reference, first }: typeof nets[number]) {
  const entry = models[name], model = entry.create({ classes: entry.classes });
  // The reference saw the whole pictures.
  const preparation: Preparation = { ...entry.preparation, fit: "stretch", share: 1 };
  assert.deepEqual([preparation.height, preparation.width], [model.inputSize, model.inputSize]);
  using weights = new Weights(device, model);
  const dict = readStateDict(await Deno.readFile(`${folder}/${file}`), file);
  assert.equal(headSize(entry, dict), entry.classes);
  weights.load(dict, { rename: entry.rename?.(model) }, file);
  const labels = (await Deno.readTextFile(`${folder}/imagenet_labels.txt`)).split("\n");
  const expected: Expected = JSON.parse(await Deno.readTextFile(`${folder}/expected_top3.json`));
  const { inputs, outputs } = classification(model, preparation)(new Pass({ train: false }));
  const { probabilities } = outputs;
  using plan = await device.compile({ outputs: [probabilities] }, { stores: weights.stores });
  assert.equal(Object.keys(expected).length, 4);
  for (const [photo, tops] of Object.entries(expected)) {
    const bytes = await Deno.readFile(`${folder}/${photo}`);
    plan.run([[inputs.pixels, preparePicture(bytes, preparation, { file: photo })]]);
    const found = await plan.read(probabilities);
    for (const [label, probability] of tops[reference]) {
      const said = found[labels.indexOf(label) - first], what = `${name}, ${photo}, ${label}`;
      assert(Math.abs(said - probability) < 0.02, `${what}: ${said} for ${probability}`);
    }
    const best = labels[found.indexOf(Math.max(...found)) + first];
    assert.equal(best, tops[reference][0][0], `${name}, ${photo}`);
  }
}

for (const net of nets) {
  for (const device of devices.all) {
    Deno.test({
      name: `${net.name}: published weights name four photographs on ${device.kind}`,
      // A software GPU takes a minute to make the kernels.
      ignore: folder === undefined || (!isSlow && device.kind === "webgpu"),
      ...{ sanitizeOps: false, sanitizeResources: false },
      fn: () => check(device, net),
    });
  }
}
