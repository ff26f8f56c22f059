/** Weights on a device: saved and loaded bit for bit, and refused whole when one tensor is wrong. */
import assert from "node:assert/strict";
import { CheckpointError } from "../../core/errors.ts";
import { Random } from "../../core/rng.ts";
import { fill } from "../../models/init.ts";
import { BatchNorm2d, Linear } from "../../models/layers.ts";
import type { Net } from "../../models/model.ts";
import { initialElements, parameter } from "../../models/parameter.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import {
  parseSafetensors,
  type SafeTensors,
  serializeSafetensors,
} from "../../models/checkpoint/safetensors.ts";
import type { StoredTensor } from "../../models/checkpoint/stored_tensor.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { openTestDevices } from "../laws/devices.ts";
import { ResidualNet } from "./residual_net.ts";

const devices = await openTestDevices();
const [device] = devices.all;

/** All bytes by path. */
async function bytesOf(weights: Weights): Promise<Map<string, number[]>> {
  return new Map((await weights.save()).map(([path, { bytes }]) => [path, [...bytes]]));
}

/** A file of a model's first weights. */
async function fileOf(seed: number): Promise<SafeTensors> {
  using weights = initialWeights(device, new ResidualNet(), seed);
  return parseSafetensors(serializeSafetensors(await weights.save()));
}

devices.test("weights: saved and loaded they are the same bits", async (device) => {
  for (const make of [() => new ResidualNet(), () => new TutorialCnn({ classes: 10 })]) {
    using weights = initialWeights(device, make(), 7);
    // Bits that arithmetic would not keep.
    const first = [...weights.parameters.values()][0], elements = await weights.read(first);
    new Uint32Array(elements.buffer).set([0x80000000, 1, 0x7f800000, 0xff800000]);
    weights.write(first, elements);
    const saved = serializeSafetensors(await weights.save());
    using loaded = new Weights(device, make());
    loaded.load(parseSafetensors(saved));
    assert.deepEqual(await bytesOf(loaded), await bytesOf(weights));
    for (const [path, t] of weights.parameters) {
      const found = await loaded.read(loaded.parameters.get(path)!);
      assert.deepEqual(
        new Uint32Array(found.buffer),
        new Uint32Array((await weights.read(t)).buffer),
      );
    }
    assert.deepEqual(serializeSafetensors(await loaded.save()), saved);
  }
});

devices.test("weights: initial ones are a pure function of the seed", async (device) => {
  using one = initialWeights(device, new ResidualNet(), 3);
  using same = initialWeights(device, new ResidualNet(), 3);
  using other = initialWeights(device, new ResidualNet(), 4);
  assert.deepEqual(await bytesOf(one), await bytesOf(same));
  assert.notDeepEqual(await bytesOf(one), await bytesOf(other));
  // By path, too: parameters of one shape begin differently.
  for (const [path, t] of one.parameters) {
    assert.deepEqual(await one.read(t), initialElements(t, new Random(3, path)), path);
  }
  assert.equal(one.size, 216 + 16 + 2 * 576 + 2 * 16 + 1152 + 2304 + 2 * 32 + 128 + 32 + 80 + 5);
});

devices.test("weights: disposed they leave no memory behind", (device) => {
  const before = device.liveBytes;
  const weights = new Weights(device, new ResidualNet());
  assert(device.liveBytes >= before + 4 * weights.size);
  weights[Symbol.dispose]();
  assert.equal(device.liveBytes, before);
  return Promise.resolve();
});

/** Loads a file that does not fit: an error of this kind and message, and not a bit changed. */
async function refuses(
  tensors: ReadonlyMap<string, StoredTensor>,
  message: RegExp,
  key: string,
): Promise<void> {
  using weights = initialWeights(device, new ResidualNet(), 5);
  const before = await bytesOf(weights);
  assert.throws(
    () => weights.load({ tensors }, {}, "x.safetensors"),
    (error: unknown) => {
      assert(error instanceof CheckpointError, `${error}`);
      assert.match(error.message, message);
      assert.equal(error.key, key);
      return true;
    },
  );
  assert.deepEqual(await bytesOf(weights), before);
}

const head = /^Cannot load x\.safetensors into residual with 5 classes: /.source;

Deno.test("weights: a file that lacks a tensor is refused whole", async () => {
  const { tensors } = await fileOf(6);
  for (const path of ["conv1.weight", "layer2.0.downsample.1.running_var", "fc.bias"]) {
    const lacking = new Map(tensors);
    lacking.delete(path);
    await refuses(lacking, new RegExp(`${head}it lacks ${path}$`), path);
  }
});

Deno.test("weights: a file with a tensor too many is refused whole", async () => {
  const { tensors } = await fileOf(6);
  const stored: StoredTensor = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) };
  const more = new Map([["fc.scale", stored], ...tensors]);
  await refuses(more, new RegExp(`${head}it holds fc\\.scale$`), "fc.scale");
});

Deno.test("weights: a tensor of another shape is refused, even with as many elements", async () => {
  const { tensors } = await fileOf(6);
  const shapes = { "fc.weight": [16, 5], "conv1.weight": [3, 3, 3, 8], "fc.bias": [5, 1] };
  for (const [path, shape] of Object.entries(shapes)) {
    const wrong = new Map(tensors).set(path, { ...tensors.get(path)!, shape });
    const { shape: wanted } = tensors.get(path)!;
    const found = `${path} has shape [${shape}], [${wanted}] is wanted`.replace(/[[\].]/g, "\\$&");
    await refuses(wrong, new RegExp(`${head}${found}$`), path);
  }
});

Deno.test("weights: a tensor of whole numbers is refused whole", async () => {
  const { tensors } = await fileOf(6);
  const wrong = new Map(tensors).set("fc.bias", { ...tensors.get("fc.bias")!, dtype: "I32" });
  await refuses(
    wrong,
    new RegExp(`${head}fc\\.bias holds I32, F32, F64, F16 or BF16 is wanted$`),
    "fc.bias",
  );
});

Deno.test("weights: PyTorch's counters of batches do not disturb", async () => {
  const { tensors } = await fileOf(6);
  const counter: StoredTensor = { dtype: "I64", shape: [], bytes: new Uint8Array(8) };
  const counted = new Map(tensors).set("bn1.num_batches_tracked", counter)
    .set("layer2.0.downsample.1.num_batches_tracked", counter);
  using weights = new Weights(device, new ResidualNet());
  weights.load({ tensors: counted });
  using expected = initialWeights(device, new ResidualNet(), 6);
  assert.deepEqual(await bytesOf(weights), await bytesOf(expected));
});

Deno.test("weights: half precision is read", async () => {
  const { tensors } = await fileOf(6);
  const bytes = new Uint8Array(Float16Array.of(1, -2, 0.5, 0, 3).buffer);
  const halved = new Map(tensors).set("fc.bias", { dtype: "F16", shape: [5], bytes });
  using weights = new Weights(device, new ResidualNet());
  weights.load({ tensors: halved });
  assert.deepEqual([...await weights.read(weights.parameters.get("fc.bias")!)], [1, -2, 0.5, 0, 3]);
});

Deno.test("weights: a layer of running statistics alone is frozen by its own path", () => {
  const centre = () => ({ running_mean: parameter([2], { init: fill(0), trainable: false }) });
  const net = {
    ...{ name: "net", stem: new Linear(2, 2), first: centre() },
    block: { linear: new Linear(2, 2), centre: centre(), norm: new BatchNorm2d(2) },
    ...{ second: centre(), last: new Linear(2, 2) },
  };
  const { block: { linear, centre: inner, norm }, stem, first, second, last } = net;
  const layers = Object.entries({ stem, first, linear, inner, norm, second, last });
  const frozen = (trains: (path: string) => boolean): string => {
    using weights = new Weights<Net>(device, net, { trains });
    return layers.filter(([, layer]) => weights.frozenLayers.has(layer)).map(([name]) => name)
      .join(" ");
  };
  assert.equal(frozen(() => true), "");
  assert.equal(frozen((path) => !path.startsWith("stem")), "stem");
  assert.equal(frozen((path) => !/^(stem|first)/.test(path)), "stem first");
  assert.equal(frozen((path) => !/norm\.(weight|bias)/.test(path)), "norm");
  assert.equal(frozen((path) => path.startsWith("last")), "stem first linear inner norm second");
});
