/** Fovea by URL: from an empty folder and an empty cache, with no flag but the one for importing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { openGpu } from "../../gpu/backend.ts";
import { imagenetLabels } from "../../models/pretrained/imagenet_labels.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { pngOf } from "./images.ts";
import { deno, lastObject } from "./processes.ts";
import { serveRepository } from "./repository_server.ts";

const gpu = await openGpu();
gpu?.close();
const kinds = gpu ? ["wasm", "webgpu"] : ["wasm"];
if (!gpu) console.log("skipped: importing by URL on webgpu, since there is no adapter");

/** Ten lines: trains a net to tell dark from light, then asks it about a light picture. */
const program = (url: string): string =>
  `import { adam, classification, compileStep, decodeCheckpoint, encodeCheckpoint, initialWeights, models, openDevice, Predictor } from "${url}";
const entry = models["tutorial-cnn"], { preparation } = entry;
using device = await openDevice(Deno.args[0]);
using weights = initialWeights(device, entry.create({ classes: 2 }), 0);
using step = await compileStep(device, weights, adam(), classification(weights.model, preparation), { batchSize: 8 });
const pixels = Uint32Array.from({ length: 8 * 1024 }, (_, k) => (k >> 10) % 2 ? 0xffd0d0d0 : 0xff202020);
for (let k = 0; k < 30; k++) step.run({ pixels, labels: Int32Array.from([0, 1, 0, 1, 0, 1, 0, 1]) }, 0.002);
using predictor = await Predictor.create(device, decodeCheckpoint(await encodeCheckpoint(weights, { classes: ["dark", "light"], preparation }), "mine"));
const [best] = await predictor.predict({ width: 9, height: 9, data: new Uint8Array(9 * 9 * 4).fill(220) });
console.log(JSON.stringify({ kind: device.kind, ...await step.metrics(), ...best }));
`;

/**
 * An empty cache for Deno, so that every file comes over http. Packages from npm are this
 * machine's: they are no part of the repository.
 */
async function emptyCache(folder: string): Promise<Record<string, string>> {
  const cache = join(folder, "cache");
  await Deno.mkdir(cache);
  const { denoDir } = JSON.parse((await deno(["info", "--json"])).out) as { denoDir: string };
  const packages = join(denoDir, "npm");
  const isThere = await Deno.stat(packages).then(() => true, () => false);
  if (isThere) await Deno.symlink(packages, join(cache, "npm"));
  return { DENO_DIR: cache, DENO_NO_PROMPT: "1", DENO_NO_UPDATE_CHECK: "1" };
}

Deno.test("URL: ten lines train and predict, with no flag but --allow-import", async () => {
  await using server = await serveRepository();
  await using folder = await temporaryFolder();
  const env = await emptyCache(folder.path), cwd = join(folder.path, "empty");
  await Deno.mkdir(cwd);
  await Deno.writeTextFile(join(cwd, "try.ts"), program(`http://${server.host}/mod.ts`));
  for (const kind of kinds) {
    const flags = [`--allow-import=${server.host}`, "--no-config", "--no-lock"];
    const { code, out, err } = await deno(["run", ...flags, "try.ts", kind], { cwd, env });
    assert.equal(code, 0, err);
    const found = lastObject(out);
    assert.deepEqual([found.kind, found.label, found.steps], [kind, "light", 30]);
    assert(Number(found.probability) > 0.9 && Number(found.loss) < 0.5, out);
  }
  assert(server.asked.includes("wasm/pkg/tensor_bg.wasm"));
  // The built-in images are an entry of their own: nobody pays for them who does not ask.
  assert(!server.asked.some((path) => /^(cli|tests|data\/fashion_mini)\//.test(path)));
  assert.deepEqual(await namesIn(cwd), ["try.ts"]);
});

Deno.test("URL: a net that comes with weights names a picture, with no permission", async () => {
  await using server = await serveRepository();
  await using folder = await temporaryFolder();
  const env = await emptyCache(folder.path), url = `http://${server.host}`;
  const text = `import { openDevice, Predictor } from "${url}/mod.ts";
import { imagenetLabels, openPretrained } from "${url}/models/pretrained.ts";
using device = await openDevice("wasm");
using predictor = await Predictor.create(device, await openPretrained("tf_efficientnet_lite0"));
const picture = { width: 9, height: 9, data: new Uint8Array(9 * 9 * 4).fill(220) };
const [{ label }] = await predictor.predict(picture);
console.log(JSON.stringify({ known: imagenetLabels.includes(label) }));
`;
  await Deno.writeTextFile(join(folder.path, "try.ts"), text);
  const flags = [`--allow-import=${server.host}`, "--no-config", "--no-lock"];
  const { code, out, err } = await deno(["run", ...flags, "try.ts"], { cwd: folder.path, env });
  assert.equal(code, 0, err);
  assert.deepEqual(lastObject(out), { known: true });
});

Deno.test("URL: the program type-checks for those who import it", async () => {
  await using server = await serveRepository();
  await using folder = await temporaryFolder();
  const env = await emptyCache(folder.path);
  const text = `import { openDevice, ops, tensor } from "http://${server.host}/mod.ts";
using device = await openDevice("wasm");
const sums: Float32Array = await device.read(ops.add(tensor([1, 2]), 1)) as Float32Array;
console.log(sums);
`;
  await Deno.writeTextFile(join(folder.path, "try.ts"), text);
  const flags = [`--allow-import=${server.host}`, "--no-config", "--no-lock"];
  const { code, err } = await deno(["check", ...flags, "try.ts"], { cwd: folder.path, env });
  assert.equal(code, 0, err);
});

Deno.test("URL: predict needs the permission to read the picture, and no other", async () => {
  await using server = await serveRepository();
  await using folder = await temporaryFolder();
  const env = await emptyCache(folder.path), cwd = join(folder.path, "empty");
  await Deno.mkdir(cwd);
  const { test } = await openFashionMini();
  await Deno.writeFile(join(cwd, "img.png"), pngOf(test, 0));
  const words = ["--allow-read=img.png", `http://${server.host}/cli/predict.ts`, "img.png"];
  const { code, out, err } = await deno(["run", ...words, "--json"], { cwd, env });
  assert.equal(code, 0, err);
  const { image, predictions } = lastObject(out) as {
    readonly image: string;
    readonly predictions: readonly { readonly label: string; readonly probability: number }[];
  };
  assert.equal(image, "img.png");
  assert.equal(predictions.length, 5);
  assert(predictions.every(({ label }) => imagenetLabels.includes(label)), out);
  assert.deepEqual(await namesIn(cwd), ["img.png"]);
});
