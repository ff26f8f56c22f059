/** Model files: what is written about a model is read again, and anything missing is named. */
import assert from "node:assert/strict";
import { CheckpointError, DataError } from "../../core/errors.ts";
import {
  decodeCheckpoint,
  encodeCheckpoint,
  loadModel,
  type ModelUsage,
} from "../../models/checkpoint.ts";
import { parseSafetensors, serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { models } from "../../models/models.ts";
import type { Preparation } from "../../models/preparation.ts";
import { tutorialCnnCifar10 } from "../../models/pretrained/tutorial_cnn_cifar10.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { openTestDevices } from "../laws/devices.ts";
import { ResidualNet } from "./residual_net.ts";

const [device] = (await openTestDevices()).all;

const usage: ModelUsage = {
  classes: ["Käfer", "猫", 'a "b"'],
  preparation: {
    ...{ height: 32, width: 32, fit: "pad", share: 0.875, filter: "bicubic", channels: 3 },
    ...{ mean: [0.25, 0.5, 1 / 3], std: [0.1, 1e-3, 2] },
  },
};

async function encoded(options = usage, channels = 3): Promise<Uint8Array<ArrayBuffer>> {
  const model = models["tutorial-cnn"].create({ classes: options.classes.length, channels });
  using weights = initialWeights(device, model, 1);
  return await encodeCheckpoint(weights, options, {
    metadata: { test_accuracy: "0.5", model: "not this one" },
  });
}

const saved = await encoded();

Deno.test("checkpoint: what is written is read again", async () => {
  const { model, content, file, ...found } = decodeCheckpoint(saved, "a.safetensors");
  assert.deepEqual(found, usage);
  assert.equal(file, "a.safetensors");
  assert.deepEqual([model.name, model.classes, model.channels, model.inputSize], [
    ...["tutorial-cnn", 3, 3, 32],
  ]);
  assert.equal(content.metadata.test_accuracy, "0.5");
  assert.equal(content.metadata.format, "fovea/2");
  using weights = new Weights(device, model);
  weights.load(content);
  const expected = parseSafetensors(saved).tensors;
  for (const [path, { bytes }] of await weights.save()) {
    assert.deepEqual(bytes, new Uint8Array(expected.get(path)!.bytes), path);
  }
});

const grey: ModelUsage = {
  classes: ["a", "b"],
  preparation: { ...usage.preparation, channels: 1, mean: [0.5], std: [0.25] },
};

Deno.test("checkpoint: a grey model", async () => {
  const { model, preparation } = decodeCheckpoint(await encoded(grey, 1), "grey");
  assert.deepEqual([model.channels, preparation], [1, grey.preparation]);
});

Deno.test("checkpoint: half precision is half the size, rounded once, and what is too large is named", async () => {
  const model = models["tutorial-cnn"].create({ classes: 3 });
  using weights = initialWeights(device, model, 1);
  const half = await encodeCheckpoint(weights, usage, { dtype: "F16" });
  const { tensors } = parseSafetensors(half), whole = parseSafetensors(saved).tensors;
  assert(half.length < 0.52 * saved.length, `${half.length} of ${saved.length}`);
  for (const [path, stored] of tensors) {
    assert.equal(stored.dtype, "F16");
    const elements = toFloat32(path, whole.get(path)!);
    assert.deepEqual(toFloat32(path, stored), Float32Array.from(elements, Math.f16round), path);
  }
  using again = new Weights(device, decodeCheckpoint(half, "half").model);
  again.load(decodeCheckpoint(half, "half").content);
  const bias = weights.parameters.get("conv2.bias")!;
  weights.write(bias, new Float32Array(16).fill(65_520));
  await assert.rejects(encodeCheckpoint(weights, usage, { dtype: "F16" }), (error) => {
    assert(error instanceof CheckpointError && error.key === "conv2.bias", `${error}`);
    assert.match(error.message, /^Cannot save conv2\.bias as F16: it holds 65520, at most 65,504/);
    return true;
  });
  weights.write(bias, new Float32Array(16).fill(65_519.99)); // rounds down to the largest
  await encodeCheckpoint(weights, usage, { dtype: "F16" });
});

/** The file with some metadata changed, or left out where undefined. */
function changed(
  entries: Readonly<Record<string, string | undefined>>,
  metadata = parseSafetensors(saved).metadata,
): Uint8Array<ArrayBuffer> {
  const all = Object.entries({ ...metadata, ...entries });
  const kept = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return serializeSafetensors(parseSafetensors(saved).tensors, Object.fromEntries(kept));
}

/** Metadata as version 0.1 wrote them. */
const first: Readonly<Record<string, string>> = {
  ...{ format: "fovea/1", model: "tutorial-cnn", input_size: "32", channels: "3" },
  ...{ classes: JSON.stringify(usage.classes), content_size: "28" },
  ...{ mean: "[0.25,0.5,0.125]", std: "[0.1,0.001,2]" },
};

Deno.test("checkpoint: files of the first format are read", () => {
  const expected: Preparation = {
    ...{ height: 32, width: 32, fit: "pad", share: 0.875, filter: "bilinear", channels: 3 },
    ...{ mean: [0.25, 0.5, 0.125], std: [0.1, 0.001, 2] },
  };
  for (const format of ["fovea/1", undefined]) {
    const found = decodeCheckpoint(changed({ format }, first), "x");
    assert.deepEqual([found.classes, found.preparation], [usage.classes, expected]);
  }
  const whole = decodeCheckpoint(changed({ content_size: undefined }, first), "x");
  assert.equal(whole.preparation.share, 1);
});

const isPreparation = (change: Record<string, unknown>): string =>
  JSON.stringify({ ...usage.preparation, ...change });

const wrong: Readonly<Record<string, readonly (string | undefined)[]>> = {
  model: [undefined, "", "resnet999", "toString", "__proto__"],
  classes: [undefined, "", "[]", "{}", "a,b", "[1,2]", '["a"', '["a",null]', "null"],
  preparation: [undefined, "", "[]", "null", "{}", '{"a":1}', isPreparation({ fit: "zoom" })],
  format: ["pt", "fovea/3", ""],
};

const firstWrong: typeof wrong = {
  ...{ model: wrong.model, classes: wrong.classes, format: wrong.format },
  channels: [undefined, "", "0", "2", "4", "-1", "1.5", "three", "NaN"],
  mean: [undefined, "", "[]", "[0.5]", "[0,0,0,0]", '["0","0","0"]', "[0,0,null]", "[0,0,1e999]"],
  std: [undefined, "", "[]", "[0.5]", "[1,1,0]", "[1,1,-1]", "[1,1,null]"],
  content_size: ["", "0", "-1", "33", "1.5", "all", "NaN", "Infinity"],
};

Deno.test("checkpoint: metadata that are missing or wrong are named", () => {
  for (const [metadata, faults] of [[undefined, wrong], [first, firstWrong]] as const) {
    for (const [key, value] of Object.entries(faults).flatMap(([k, vs]) => vs.map((v) => [k, v]))) {
      const what = `${key} = ${value}`;
      const read = () => decodeCheckpoint(changed({ [key!]: value }, metadata), "x.safetensors");
      assert.throws(read, (error) => {
        assert(error instanceof CheckpointError, `${what}: ${error}`);
        assert.equal(error.key, key, what);
        const isInside = key === "preparation" && value !== undefined;
        const found = value === undefined ? "is missing" : "is ";
        const text = isInside ? "its preparation" : `its metadata entry "${key}" ${found}`;
        assert(error.message.startsWith(`Cannot use x.safetensors: ${text}`), error.message);
        assert.match(error.message, / (is|are) wanted$|unknown field "a"$/);
        return true;
      }, what);
    }
  }
});

Deno.test("checkpoint: a damaged file is a DataError, weights of another model do not load", () => {
  assert.throws(() => decodeCheckpoint(saved.subarray(0, -1), "x"), DataError);
  const other = decodeCheckpoint(changed({ classes: '["a","b"]' }), "x");
  using weights = new Weights(device, other.model);
  assert.throws(() => weights.load(other.content, {}, "x"), {
    name: "CheckpointError",
    message: "Cannot load x into tutorial-cnn with 2 classes: fc3.weight has shape [3,84], " +
      "[2,84] is wanted",
  });
});

Deno.test("checkpoint: a model of one's own needs no table", async () => {
  const preparation: Preparation = { ...usage.preparation, fit: "crop", share: 1 };
  const classes = ["a", "b", "c", "d", "e"];
  using weights = initialWeights(device, new ResidualNet(), 3);
  const file = await encodeCheckpoint(weights, { classes, preparation });
  assert.throws(() => decodeCheckpoint(file, "own"), (error) => {
    assert(error instanceof CheckpointError && error.key === "model");
    assert.match(error.message, /"model" is residual, one of .*handed in as \{ model \}/);
    return true;
  });
  const model = new ResidualNet(), found = loadModel(file, { model });
  assert.deepEqual([found.model, found.classes, found.preparation], [model, classes, preparation]);
  using loaded = new Weights(device, model);
  assert.equal(loaded.load(found.content).loaded.length, weights.parameters.size);
  const isRefusal = (key: string, message: RegExp) => (error: unknown): boolean => {
    assert(error instanceof CheckpointError && error.key === key, `${error}`);
    assert.match(error.message, message);
    return true;
  };
  const other = models["tutorial-cnn"].create({ classes: 5 });
  assert.throws(
    () => loadModel(file, { model: other }),
    isRefusal("model", /is residual, tutorial-cnn is wanted/),
  );
  const two = { model, classes: ["a", "b"], file: "own" };
  assert.throws(() => loadModel(file, two), isRefusal("classes", /^Cannot use own: 2 classes/));
  const alien = { model, preparation: grey.preparation };
  assert.throws(
    () => loadModel(file, alien),
    isRefusal("preparation", /1 channels, residual wants 3/),
  );
});

Deno.test("checkpoint: a file of another library, with a model handed in", async () => {
  using weights = initialWeights(device, new ResidualNet(), 3);
  const named = (await weights.save()).map(([path, t]) => [`module.net.${path}`, t] as const);
  const file = serializeSafetensors(named, { format: "pt", classes: "five", model: "mine" });
  const model = new ResidualNet(), { preparation } = usage;
  const rename = (name: string): string => name.replace(/^net\./, "");
  const found = loadModel(file, { model, preparation, rename });
  assert.deepEqual(found.classes, ["class 0", "class 1", "class 2", "class 3", "class 4"]);
  assert.deepEqual(found.content.unwrapped, ["module."]);
  using loaded = new Weights(device, model);
  loaded.load(found.content);
  assert.deepEqual(await loaded.save(), await weights.save());
  assert.throws(() => loadModel(file, { model }), (error) => {
    assert(error instanceof CheckpointError && error.key === "preparation", `${error}`);
    assert.match(error.message, /"preparation" is missing/);
    return true;
  });
  // A model of the table's name brings its preparation.
  const cnn = models["tutorial-cnn"].create({ classes: 3 });
  const bare = serializeSafetensors(parseSafetensors(saved).tensors);
  assert.deepEqual(loadModel(bare, { model: cnn }).preparation, models["tutorial-cnn"].preparation);
});

Deno.test("checkpoint: the built-in weights decode and load", async () => {
  const found = decodeCheckpoint(tutorialCnnCifar10(), "built-in");
  assert.deepEqual([found.model.name, found.model.channels], ["tutorial-cnn", 3]);
  assert.deepEqual(found.classes, [
    ...["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  ]);
  assert(Number(found.content.metadata.test_accuracy) > 0.5);
  using weights = new Weights(device, found.model);
  weights.load(found.content);
  for (const [path, t] of weights.parameters) {
    const elements = await weights.read(t);
    assert(elements.every(Number.isFinite) && elements.some((v) => v !== 0), path);
  }
});
