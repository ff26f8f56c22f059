/** Grad-CAM: PyTorch's, the closed form of nets that end in a mean, and pictures of it. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import type { Device } from "../../core/device.ts";
import type { Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { Conv2d, flatten, Linear } from "../../models/layers.ts";
import type { Classifier } from "../../models/model.ts";
import { type ModelName, models } from "../../models/models.ts";
import { initialWeights, type Weights } from "../../models/weights.ts";
import { pixels as unpack } from "../../ops/pixels.ts";
import { relu } from "../../ops/pointwise.ts";
import { mean } from "../../ops/reduce.ts";
import { tensor } from "../../core/structure.ts";
import { GradCam } from "../../train/grad_cam.ts";
import { overlayHeat, resizeHeat, turbo } from "../../train/heat_overlay.ts";
import { assertClose } from "../assert.ts";
import { squares } from "../end_to_end/classifiers.ts";
import { TinyNet } from "../end_to_end/tiny_nets.ts";
import { openTestDevices } from "../laws/devices.ts";
import { drawnWeights, signed } from "../models/drawn_weights.ts";

type Map = readonly (readonly number[])[];
interface Expected {
  readonly side: number;
  readonly nets: Readonly<
    Record<string, {
      readonly classes: number;
      readonly logits: readonly number[];
      readonly heats: Readonly<Record<string, Map>>;
    }>
  >;
  readonly small: Map;
  readonly large: Map;
}
const fixture = new URL("../fixtures/grad_cam/expected.json", import.meta.url);
const expected: Expected = JSON.parse(await Deno.readTextFile(fixture));
const devices = await openTestDevices();

/** Opaque pixels from channels, three a pixel. */
const packed = (channels: ArrayLike<number>): Uint32Array<ArrayBuffer> =>
  Uint32Array.from(
    { length: channels.length / 3 },
    (_, k) =>
      (0xff000000 | channels[3 * k] | channels[3 * k + 1] << 8 | channels[3 * k + 2] << 16) >>> 0,
  );

function noise(side: number, seed: number): Uint32Array<ArrayBuffer> {
  const random = new Random(seed, "noise");
  return packed(Uint8Array.from({ length: 3 * side * side }, () => random.word() & 255));
}

Deno.test("Grad-CAM: torchvision's nets, as PyTorch's hooks have it", async () => {
  const [device] = devices.all, { side } = expected;
  const drawn = signed("pixels", 3 * side * side).map((v) => Math.floor(128 * (v + 1)));
  for (const [name, { classes, logits, heats }] of Object.entries(expected.nets)) {
    using weights = drawnWeights(device, name as ModelName, classes);
    using cam = await GradCam.of(weights, squares(side));
    for (const [label, map] of Object.entries(heats)) {
      const { height, width, values } = await cam.explain(packed(drawn), Number(label));
      assert.deepEqual([height, width], [map.length, map[0].length]);
      const atol = 1e-4 * Math.max(...map.flat());
      assertClose(values, map.flat(), { atol, what: `${name}, class ${label}` });
    }
    const best = await cam.explain(packed(drawn));
    assert.equal(best.label, logits.indexOf(Math.max(...logits)), name);
    assert.deepEqual(best, await cam.explain(packed(drawn), best.label));
  }
});

/** Two convolutions, the mean of each channel, and a linear head. */
class MeanNet implements Classifier {
  readonly name = "mean";
  readonly inputSize = 12;
  readonly channels = 3;
  readonly classes = 4;
  readonly conv1 = new Conv2d(3, 5, 3, { stride: 2 });
  readonly conv2 = new Conv2d(5, 6, 2);
  readonly fc = new Linear(6, 4);

  map(x: Tensor): Tensor {
    return relu(this.conv2.forward(relu(this.conv1.forward(x))));
  }
  features(x: Tensor): Tensor {
    return mean(this.map(x), { axes: [1, 2] });
  }
  head(features: Tensor): Tensor {
    return this.fc.forward(features);
  }
  forward(x: Tensor): Tensor {
    return this.head(this.features(x));
  }
  resetHead(): void {}
}

/** A net that sees pixels and no map. */
class FlatNet extends MeanNet {
  readonly fc1 = new Linear(3 * 12 * 12, 6);

  override features(x: Tensor): Tensor {
    return this.fc1.forward(flatten(x));
  }
}

/** max(0, Σ_k w[k,label] · A[i,j,k]) / (h·w): Zhou's map, over the number of places. */
async function classMap(
  device: Device,
  weights: Weights<MeanNet>,
  pixels: Uint32Array<ArrayBuffer>,
  label: number,
): Promise<number[]> {
  const { model, stores } = weights, { mean, std } = squares(12);
  const x = unpack(tensor(pixels, [1, 12, 12]), { channels: 3, mean, std });
  const map = model.map(x), [, h, w, k] = map.shape;
  const values = await device.read(map, { stores }), by = await weights.read(model.fc.weight);
  return Array.from({ length: h * w }, (_, at) => {
    let sum = 0;
    for (let c = 0; c < k; c++) sum += by[c * model.classes + label] * values[at * k + c];
    return Math.max(0, sum) / (h * w);
  });
}

devices.test("Grad-CAM: of a mean and a linear head it is the class map", async (device) => {
  for (const seed of [1, 2, 3]) {
    using weights = initialWeights(device, new MeanNet(), seed);
    using cam = await GradCam.of(weights, squares(12));
    const pixels = noise(12, seed);
    for (const label of [0, 3]) {
      const { values } = await cam.explain(pixels, label);
      const wanted = await classMap(device, weights, pixels, label);
      assertClose(values, wanted, { atol: 1e-6, rtol: 1e-4 });
    }
    // As the weights are by then.
    weights.write(weights.model.fc.weight, new Float32Array(24).fill(-1));
    assert((await cam.explain(pixels, 0)).values.every((v) => v === 0), "nothing speaks for it");
  }
});

Deno.test("Grad-CAM: two maps asked for at once do not meet", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new MeanNet(), 1);
  using cam = await GradCam.of(weights, squares(12));
  const ask = (seed: number) => cam.explain(noise(12, seed));
  const both = await Promise.all([ask(1), ask(2)]);
  assert.deepEqual(both, [await ask(1), await ask(2)]);
});

Deno.test("Grad-CAM: every net of the table has a map", async () => {
  const [device] = devices.all;
  for (
    const name of ["tutorial-cnn", "resnet20", "squeezenet1_1", "tf_efficientnet_lite0"] as const
  ) {
    const { create, preparation } = models[name], model = create({ classes: 3 });
    using weights = initialWeights(device, model, 1);
    using cam = await GradCam.of(weights, preparation);
    const { height, width, values } = await cam.explain(noise(preparation.height, 1), 1);
    const sides = { "tutorial-cnn": 5, "resnet20": 8, "squeezenet1_1": 13 };
    const side = Object.entries(sides).find(([key]) => key === name)?.[1] ?? 7;
    assert.deepEqual([height, width, values.length], [side, side, side * side], name);
    assert(values.every((v) => v >= 0));
  }
});

Deno.test("Grad-CAM: what cannot be explained is refused", async () => {
  const [device] = devices.all;
  using whole = initialWeights(device, new TinyNet(), 1);
  await assert.rejects(GradCam.of(whole, squares(8)), {
    name: "UsageError",
    message: "Cannot explain by tiny: it is a net in one part, one with features and a head is " +
      "wanted",
  });
  using flat = initialWeights(device, new FlatNet(), 1);
  await assert.rejects(GradCam.of(flat, squares(12)), /made of no map of several pixels/);
  using weights = initialWeights(device, new MeanNet(), 1);
  using cam = await GradCam.of(weights, squares(12));
  for (const label of [-1, 4, 0.5, NaN]) {
    await assert.rejects(cam.explain(noise(12, 1), label), { name: "UsageError" });
  }
  await assert.rejects(cam.explain(noise(11, 1), 1), { name: "ShapeError" });
});

Deno.test("heat: enlarged as by PyTorch", () => {
  const { small, large } = expected;
  const map = { height: 3, width: 4, values: Float32Array.from(small.flat()) };
  const { height, width, values } = resizeHeat(map, large.length, large[0].length);
  assert.deepEqual([height, width], [10, 9]);
  assertClose(values, large.flat(), { atol: 1e-6 });
});

const sides = fc.integer({ min: 1, max: 6 });

Deno.test("heat: enlarging keeps bounds, constants and its own size", () => {
  fc.assert(fc.property(sides, sides, sides, sides, fc.integer(), (h, w, toH, toW, seed) => {
    const random = new Random(seed >>> 0, "heat");
    const values = Float32Array.from({ length: h * w }, () => (random.word() & 255) / 4);
    const map = { height: h, width: w, values }, large = resizeHeat(map, toH, toW);
    assert.equal(large.values.length, toH * toW);
    assert(large.values.every((v) => v >= Math.min(...values) && v <= Math.max(...values)));
    assert.deepEqual(resizeHeat(map, h, w), map);
  }));
});

Deno.test("heat: laid over a picture, cold places stay as they are, the hottest is red", () => {
  const data = new Uint8Array(4 * 6).fill(100), picture = { width: 3, height: 2, data };
  const values = Float32Array.of(0, 0, 0, 0, 0, 8), heat = { width: 3, height: 2, values };
  const drawn = overlayHeat(picture, heat, { alpha: 0.5 });
  assert.deepEqual([...drawn.data.slice(0, 4)], [100, 100, 100, 255]);
  const [red, green, blue] = turbo(1).map((part) => Math.round(50 + part / 2));
  assert.deepEqual([...drawn.data.slice(20)], [red, green, blue, 255]);
  assert(red > green && red > blue);
  const large = overlayHeat(picture, heat, { scale: 4 });
  assert.deepEqual([large.width, large.height, large.data.length], [12, 8, 4 * 96]);
  const cold = overlayHeat(picture, { ...heat, values: new Float32Array(6) });
  assert(cold.data.every((v, k) => v === (k % 4 === 3 ? 255 : 100)), "no heat, no colour");
});

Deno.test("heat: the colours are Turbo's", () => {
  // From the table that the polynomial was fitted to.
  const table = [[0.25, 40, 188, 235], [0.5, 164, 252, 60], [0.75, 251, 126, 33]];
  for (const [x, ...rgb] of table) assertClose(turbo(x), rgb, { atol: 32 });
  assert.deepEqual([turbo(-1), turbo(2)], [turbo(0), turbo(1)]);
});

Deno.test("heat: sizes and shares that fit nothing are refused", () => {
  const map = { height: 2, width: 2, values: new Float32Array(4) };
  const picture = { width: 2, height: 2, data: new Uint8Array(16) };
  assert.throws(() => resizeHeat(map, 0, 2), { name: "ShapeError" });
  assert.throws(() => resizeHeat({ ...map, width: 3 }, 2, 2), /with 4 values/);
  assert.throws(() => overlayHeat(picture, map, { alpha: 1.5 }), { name: "UsageError" });
  assert.throws(() => overlayHeat(picture, map, { scale: 0 }), { name: "UsageError" });
  assert.throws(() => overlayHeat({ ...picture, width: 1 }, map), { name: "ShapeError" });
});
