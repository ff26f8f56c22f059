/** Nets with published weights on photographs: what a reference implementation says of them. */
import assert from "node:assert/strict";
import { input } from "../../core/structure.ts";
import type { Device } from "../../core/device.ts";
import { type ModelName, models } from "../../models/models.ts";
import { Pass } from "../../models/pass.ts";
import { parseSafetensors } from "../../models/checkpoint/safetensors.ts";
import { Weights } from "../../models/weights.ts";
import { pixels } from "../../ops/pixels.ts";
import { softmax } from "../../ops/softmax.ts";
import { decodeImage, type Image, resizeImage } from "../../wasm/image.ts";
import { testData } from "../data/support.ts";
import { openTestDevices } from "../laws/devices.ts";
import { drawing } from "../laws/drawing.ts";

const folder = await testData("imagenet");
const { isSlow } = drawing();
const devices = await openTestDevices();

type Top = readonly (readonly [label: string, probability: number])[];
type Expected = Readonly<Record<string, Readonly<Record<string, Top>>>>;

/** A 24-bit BMP: rows from the bottom up, blue first, padded to fours. */
function decodeBmp(bytes: Uint8Array<ArrayBuffer>): Image {
  const view = new DataView(bytes.buffer), start = view.getUint32(10, true);
  const width = view.getInt32(18, true), height = view.getInt32(22, true);
  assert.equal(view.getUint16(28, true), 24);
  const data = new Uint8Array(width * height * 4), stride = Math.ceil(width * 3 / 4) * 4;
  for (let k = 0; k < width * height; k++) {
    const row = height - 1 - Math.floor(k / width), at = start + row * stride + k % width * 3;
    data.set([bytes[at + 2], bytes[at + 1], bytes[at], 255], k * 4);
  }
  return { width, height, data };
}

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
];

async function check(device: Device, { name, file, reference, first }: typeof nets[number]) {
  const entry = models[name], { width, height, filter, mean, std } = entry.preparation;
  const model = entry.create({ classes: entry.classes });
  assert.deepEqual([height, width], [model.inputSize, model.inputSize]);
  using weights = new Weights(device, model);
  weights.load(parseSafetensors(await Deno.readFile(`${folder}/${file}`), file), {}, file);
  const labels = (await Deno.readTextFile(`${folder}/imagenet_labels.txt`)).split("\n");
  const expected: Expected = JSON.parse(await Deno.readTextFile(`${folder}/expected_top3.json`));
  const picture = input([1, height, width], "picture", "u32");
  const x = pixels(picture, { mean, std }), pass = new Pass({ train: false });
  const probabilities = softmax(model.forward(x, pass));
  using plan = await device.compile({ outputs: [probabilities] }, { stores: weights.stores });
  assert(filter !== "lanczos3" && Object.keys(expected).length === 4);
  for (const [photo, tops] of Object.entries(expected)) {
    const bytes = await Deno.readFile(`${folder}/${photo}`);
    const image = photo.endsWith(".bmp") ? decodeBmp(bytes) : decodeImage(bytes);
    const { data } = resizeImage(image, width, height, { filter });
    plan.run([[picture, new Uint32Array(Uint8Array.from(data).buffer)]]);
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
