/** Model files: what is written about a model is read again, and anything missing is named. */
import assert from "node:assert/strict";
import { CheckpointError, DataError } from "../../core/errors.ts";
import { decodeCheckpoint, encodeCheckpoint, type Preprocessing } from "../../models/checkpoint.ts";
import { models } from "../../models/models.ts";
import { tutorialCnnCifar10 } from "../../models/pretrained/tutorial_cnn_cifar10.ts";
import { parseSafetensors, serializeSafetensors } from "../../models/safetensors.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { openTestDevices } from "../laws/devices.ts";

const [device] = (await openTestDevices()).all;

const preprocessing: Preprocessing = {
  classes: ["Käfer", "猫", 'a "b"'],
  mean: [0.25, 0.5, 1 / 3],
  std: [0.1, 1e-3, 2],
  contentSize: 28,
};

async function encoded(options = preprocessing, channels = 3): Promise<Uint8Array<ArrayBuffer>> {
  const model = models["tutorial-cnn"].create({ classes: options.classes.length, channels });
  using weights = initialWeights(device, model, 1);
  return await encodeCheckpoint(weights, options, { test_accuracy: "0.5", model: "not this one" });
}

const image = await encoded();

Deno.test("checkpoint: what is written is read again", async () => {
  const { model, content, file, ...found } = decodeCheckpoint(image, "a.safetensors");
  assert.deepEqual(found, preprocessing);
  assert.equal(file, "a.safetensors");
  assert.deepEqual([model.name, model.classes, model.channels, model.inputSize], [
    ...["tutorial-cnn", 3, 3, 32],
  ]);
  assert.equal(content.metadata.test_accuracy, "0.5");
  assert.equal(content.metadata.format, "fovea/1");
  using weights = new Weights(device, model);
  weights.load(content);
  const expected = parseSafetensors(image).tensors;
  for (const [path, { bytes }] of await weights.save()) {
    assert.deepEqual(bytes, new Uint8Array(expected.get(path)!.bytes), path);
  }
});

Deno.test("checkpoint: a grey model, and a picture that fills its square", async () => {
  const grey = { classes: ["a", "b"], mean: [0.5], std: [0.25] };
  const found = decodeCheckpoint(await encoded(grey, 1), "grey");
  assert.deepEqual([found.model.channels, found.mean, found.std], [1, [0.5], [0.25]]);
  assert.equal(found.contentSize, 32);
});

/** The file with some metadata changed, or left out where undefined. */
function changed(entries: Readonly<Record<string, string | undefined>>): Uint8Array<ArrayBuffer> {
  const { tensors, metadata } = parseSafetensors(image);
  const all = Object.entries({ ...metadata, ...entries });
  const kept = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return serializeSafetensors(tensors, Object.fromEntries(kept));
}

const wrong: Readonly<Record<string, readonly (string | undefined)[]>> = {
  model: [undefined, "", "resnet999", "toString", "__proto__"],
  classes: [undefined, "", "[]", "{}", "a,b", "[1,2]", '["a"', '["a",null]', "null"],
  channels: [undefined, "", "0", "2", "4", "-1", "1.5", "three", "NaN"],
  mean: [undefined, "", "[]", "[0.5]", "[0,0,0,0]", '["0","0","0"]', "[0,0,null]", "[0,0,1e999]"],
  std: [undefined, "", "[]", "[0.5]", "[1,1,0]", "[1,1,-1]", "[1,1,null]"],
  content_size: ["", "0", "-1", "33", "1.5", "all", "NaN", "Infinity"],
};

Deno.test("checkpoint: metadata that are missing or wrong are named", () => {
  for (const [key, values] of Object.entries(wrong)) {
    for (const value of values) {
      const what = `${key} = ${value}`;
      assert.throws(() => decodeCheckpoint(changed({ [key]: value }), "x.safetensors"), (error) => {
        assert(error instanceof CheckpointError, `${what}: ${error}`);
        assert.equal(error.key, key, what);
        const found = value === undefined ? "is missing" : "is ";
        const text = `Cannot use x.safetensors: its metadata entry "${key}" ${found}`;
        assert(error.message.startsWith(text), `${what}: ${error.message}`);
        assert.match(error.message, / (is|are) wanted$/);
        return true;
      }, what);
    }
  }
});

Deno.test("checkpoint: a file of a later format is refused", () => {
  for (const format of ["pt", "fovea/2"]) {
    assert.throws(() => decodeCheckpoint(changed({ format }), "x.safetensors"), (error) => {
      assert(error instanceof CheckpointError, `${error}`);
      assert.equal(error.key, "format");
      return true;
    });
  }
});

Deno.test("checkpoint: a content size that is missing is the whole square", () => {
  assert.equal(decodeCheckpoint(changed({ content_size: undefined }), "x").contentSize, 32);
});

Deno.test("checkpoint: a damaged file is a DataError, weights of another model do not load", () => {
  assert.throws(() => decodeCheckpoint(image.subarray(0, -1), "x"), DataError);
  const other = decodeCheckpoint(changed({ classes: '["a","b"]' }), "x");
  using weights = new Weights(device, other.model);
  assert.throws(() => weights.load(other.content, "x"), {
    name: "CheckpointError",
    message: "Cannot load x into tutorial-cnn with 2 classes: fc3.weight has shape [3,84], " +
      "[2,84] is wanted",
  });
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
