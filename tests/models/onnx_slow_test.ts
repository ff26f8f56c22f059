/**
 * ONNX files in ONNX Runtime, checked by ONNX's own checker: every model of the table, and a hundred
 * real pictures. It needs `deno run -A tests/fixtures/onnx/setup.ts` once.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deviceOn } from "../../core/device.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import type { Layer } from "../../models/layers.ts";
import { type ModelName, models } from "../../models/models.ts";
import { exportOnnx, type ExportOnnxOptions } from "../../models/onnx.ts";
import type { Preparation } from "../../models/preparation.ts";
import { openPretrained, type PretrainedName } from "../../models/pretrained.ts";
import { Weights } from "../../models/weights.ts";
import { softmax } from "../../ops/softmax.ts";
import { fitLinearHead } from "../../train/linear_head.ts";
import { openWasm } from "../../wasm/backend.ts";
import { assertClose } from "../assert.ts";
import { temporaryFolder } from "../data/support.ts";
import { check, venvPython } from "../fixtures/onnx/venv.ts";
import {
  drawnWeights,
  EveryOperation,
  EveryPrimitive,
  logitsOf,
  tableNet,
  unitPictures,
} from "./onnx_nets.ts";

const script = fileURLToPath(new URL("../fixtures/onnx/run.py", import.meta.url));

async function isThere(): Promise<boolean> {
  try {
    const args = ["-c", check];
    return (await new Deno.Command(venvPython, { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

const isOn = Deno.env.get("FOVEA_SLOW") === "1";
const ignore = !isOn || !await isThere();
if (ignore) {
  const reason = "no ONNX Runtime; deno run -A tests/fixtures/onnx/setup.ts installs it";
  console.log(`skipped: ${isOn ? reason : "FOVEA_SLOW is not 1"}`);
}
const options = { ignore, sanitizeOps: false, sanitizeResources: false };

const device = deviceOn(openWasm());
globalThis.addEventListener("unload", () => device[Symbol.dispose]());

/** What ONNX Runtime makes of a file, and of the same with other options. */
interface Runs {
  readonly logits: Float32Array;
  readonly probabilities: Float32Array;
}

async function runs(
  weights: Weights,
  preparation: Preparation,
  pictures: Float32Array,
  variants: Readonly<Record<string, ExportOnnxOptions>>,
): Promise<Map<string, Runs>> {
  await using folder = await temporaryFolder();
  const place = (name: string): string => join(folder.path, name);
  const { classes: count } = weights.model, cases = Object.keys(variants);
  const usage = { classes: Array.from({ length: count }, (_, k) => `class ${k}`), preparation };
  for (const [name, options] of Object.entries(variants)) {
    await Deno.writeFile(place(`${name}.onnx`), await exportOnnx(weights, usage, options));
    await Deno.writeFile(place(`${name}.pixels`), new Uint8Array(pictures.slice().buffer));
  }
  const { code, stderr } = await new Deno.Command(venvPython, {
    args: [script, folder.path, ...cases],
    signal: AbortSignal.timeout(300_000),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const read = async (name: string): Promise<Float32Array> =>
    new Float32Array((await Deno.readFile(place(name))).buffer);
  const found = new Map<string, Runs>();
  for (const name of cases) {
    const logits = await read(`${name}.logits`),
      probabilities = await read(`${name}.probabilities`);
    found.set(name, { logits, probabilities });
  }
  return found;
}

const largest = (list: Float32Array): number => list.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

async function checkModel(weights: Weights, preparation: Preparation): Promise<void> {
  const pictures = unitPictures(2, preparation);
  const expected = await logitsOf(device, weights, preparation, pictures);
  const found = await runs(weights, preparation, pictures, {
    folded: {},
    kept: { keepBatchNorm: true },
  });
  for (const [what, { logits }] of found) {
    assertClose(logits, expected, { atol: 1e-4 * largest(expected), what });
  }
}

for (const name of Object.keys(models) as ModelName[]) {
  Deno.test(`ONNX Runtime computes what ${name} does`, options, async () => {
    const { inputSize } = models[name].create({ classes: 1 }), { classes } = models[name];
    const { weights, preparation } = tableNet(device, name, [inputSize, inputSize], classes);
    using _ = weights;
    await checkModel(weights, preparation);
  });
}

Deno.test("ONNX Runtime computes what a net of every operation does", options, async () => {
  using weights = drawnWeights(device, new EveryOperation());
  await checkModel(weights, { ...models["resnet18"].preparation, height: 12, width: 10 });
});

Deno.test("ONNX Runtime computes pointwise operations of one's own", options, async () => {
  using weights = drawnWeights(device, new EveryPrimitive());
  await checkModel(weights, { ...models["resnet18"].preparation, height: 8, width: 8 });
});

/** A hundred pictures of clothes, enlarged to what the net sees, as ONNX has them. */
async function realPictures(preparation: Preparation): Promise<Float32Array> {
  const { test } = await openFashionMini(), { height, width } = preparation;
  const count = 100, places = height * width, source = test.source(preparation);
  const { pixels } = await source.batch(Uint32Array.from({ length: count }, (_, k) => k), 0);
  return Float32Array.from({ length: count * 3 * places }, (_, k) => {
    const n = Math.floor(k / (3 * places)), c = Math.floor(k / places) % 3;
    return (pixels[n * places + k % places] >> 8 * c & 255) / 255;
  });
}

/** What a part of a net computes of a hundred pictures, a few at a time. */
async function computed(
  weights: Weights,
  preparation: Preparation,
  pictures: Float32Array,
  part: Layer["forward"],
): Promise<Float32Array> {
  const each = pictures.length / 100, result: number[] = [];
  for (let n = 0; n < 100; n += 20) {
    const few = pictures.subarray(n * each, (n + 20) * each);
    result.push(...await logitsOf(device, weights, preparation, few, part));
  }
  return Float32Array.from(result);
}

/** The likeliest class of each picture. */
function best(probabilities: Float32Array, classes: number): number[] {
  return Array.from({ length: probabilities.length / classes }, (_, n) => {
    const row = probabilities.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
}

async function checkPictures(weights: Weights, preparation: Preparation): Promise<void> {
  const pictures = await realPictures(preparation), { classes } = weights.model;
  const { model } = weights,
    probabilities: Layer["forward"] = (x, pass) => softmax(model.forward(x, pass));
  const expected = await computed(weights, preparation, pictures, probabilities);
  const found = await runs(weights, preparation, pictures, {
    unit: {},
    kept: { keepBatchNorm: true },
  });
  for (const [what, { probabilities }] of found) {
    assertClose(probabilities, expected, { atol: 1e-4, what });
    assert.deepEqual(best(probabilities, classes), best(expected, classes), what);
  }
  assert(new Set(best(expected, classes)).size > 3, "pictures that are told apart");
}

for (const name of ["tf_efficientnet_lite0", "tutorial-cnn"] satisfies PretrainedName[]) {
  Deno.test(`ONNX Runtime names what ${name} does on 100 pictures`, options, async () => {
    const { model, content, preparation, file } = await openPretrained(name);
    using weights = new Weights(device, model);
    weights.load(content, {}, file);
    await checkPictures(weights, preparation);
  });
}

Deno.test("ONNX Runtime names what resnet18 does on 100 pictures", options, async () => {
  const { weights, preparation } = tableNet(device, "resnet18", [224, 224], 10);
  using _ = weights;
  // As drawn it would call all of them the same: its head learns them.
  const { model, parameters } = weights, pictures = await realPictures(preparation);
  const features = await computed(
    weights,
    preparation,
    pictures,
    (x, pass) => model.features(x, pass),
  );
  const labels = (await openFashionMini()).test.labels.slice(0, 100);
  const head = await fitLinearHead(device, { features, labels }, { classes: 10, l2: 0.1 });
  weights.write(parameters.get("fc.weight")!, head.weight);
  weights.write(parameters.get("fc.bias")!, head.bias);
  await checkPictures(weights, preparation);
});
