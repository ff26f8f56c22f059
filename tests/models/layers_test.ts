/** Layers against their formulas, written out. */
import assert from "node:assert/strict";
import type { Device, Elements } from "../../core/device.ts";
import { ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { tensor } from "../../core/structure.ts";
import { fill } from "../../models/init.ts";
import { BatchNorm2d, Conv2d, flatten, type Layer, Linear } from "../../models/layers.ts";
import { Pass } from "../../models/pass.ts";
import { parametersOf } from "../../models/parameter.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const close = { rtol: 1e-5, atol: 1e-5 };

/** Numbers from −2 to 2. */
function numbers(count: number, site: string): Float32Array<ArrayBuffer> {
  const random = new Random(1, site);
  return Float32Array.from({ length: count }, () => 4 * random.uniform() - 2);
}

/** A layer with random parameters on a device, and their elements by path. */
function onDevice(device: Device, layer: Layer, positive: readonly string[] = []) {
  const parameters = parametersOf(layer), store = new Store(device, [...parameters.values()]);
  const elements = new Map([...parameters].map(([path, t]) => {
    const drawn = numbers(sizeOf(t.shape), path);
    if (positive.includes(path)) drawn.forEach((v, k) => drawn[k] = Math.abs(v) + 0.1);
    store.write(t, drawn);
    return [path, drawn] as const;
  }));
  return { store, elements, [Symbol.dispose]: () => store[Symbol.dispose]() };
}

const norm = (): BatchNorm2d => new BatchNorm2d(3, { eps: 0.01, momentum: 0.25 });
const shape = [2, 2, 2, 3], x = numbers(sizeOf(shape), "x"), rows = x.length / 3;

/** Means and biased variances of the channels of `x`. */
const means = [0, 1, 2].map((c) => x.reduce((sum, v, k) => k % 3 === c ? sum + v / rows : sum, 0));
const variances = means.map((m, c) =>
  x.reduce((sum, v, k) => k % 3 === c ? sum + (v - m) ** 2 / rows : sum, 0)
);

devices.test("BatchNorm2d: training normalises by the batch and observes it", async (device) => {
  const layer = norm(), pass = new Pass({ train: true });
  using own = onDevice(device, layer, ["running_var"]);
  const y = layer.forward(tensor(x, shape), pass);
  const [gamma, beta] = ["weight", "bias"].map((path) => own.elements.get(path)!);
  const expected = x.map((v, k) =>
    (v - means[k % 3]) / Math.sqrt(variances[k % 3] + 0.01) * gamma[k % 3] + beta[k % 3]
  );
  assertClose(await device.read(y, { stores: [own.store] }), expected, close);
  const [mean, variance] = pass.observed;
  assert.equal(pass.observed.length, 2);
  assert.deepEqual([mean.statistic, variance.statistic], [layer.running_mean, layer.running_var]);
  assert.deepEqual([mean.momentum, variance.momentum], [0.25, 0.25]);
  assertClose(await device.read(mean.value, { stores: [own.store] }), means, close);
  // Unbiased, as PyTorch keeps it: divided by one less than the number of rows.
  const unbiased = variances.map((v) => v * rows / (rows - 1));
  assertClose(await device.read(variance.value, { stores: [own.store] }), unbiased, close);
});

devices.test("BatchNorm2d: evaluation uses the running statistics, observes nothing", async (device) => {
  const layer = norm(), pass = new Pass({ train: false });
  using own = onDevice(device, layer, ["running_var"]);
  const y = layer.forward(tensor(x, shape), pass);
  const [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
    .map((path) => own.elements.get(path)!);
  const expected = x.map((v, k) =>
    (v - mean[k % 3]) / Math.sqrt(variance[k % 3] + 0.01) * gamma[k % 3] + beta[k % 3]
  );
  assertClose(await device.read(y, { stores: [own.store] }), expected, close);
  assert.deepEqual(pass.observed, []);
});

/** Convolution of one picture by its definition, with padding of zeros. */
function convolve(
  picture: Elements,
  [h, w, channels]: readonly [number, number, number],
  weight: Elements,
  [kh, kw, out]: readonly [number, number, number],
  padding: number,
): number[] {
  const at = (y: number, x: number, c: number): number =>
    y < 0 || x < 0 || y >= h || x >= w ? 0 : picture[(y * w + x) * channels + c];
  const result: number[] = [];
  for (let y = -padding; y + kh <= h + padding; y++) {
    for (let x = -padding; x + kw <= w + padding; x++) {
      for (let o = 0; o < out; o++) {
        let sum = 0;
        for (let k = 0; k < kh * kw * channels; k++) {
          const c = k % channels,
            dx = Math.floor(k / channels) % kw,
            dy = Math.floor(k / channels / kw);
          sum += at(y + dy, x + dx, c) * weight[k * out + o];
        }
        result.push(sum);
      }
    }
  }
  return result;
}

devices.test("Conv2d: oblong filters, padding, and a bias for each channel", async (device) => {
  const picture = numbers(4 * 5 * 2, "picture");
  for (const bias of [true, false]) {
    const layer = new Conv2d(2, 3, [3, 2], { padding: 1, bias });
    assert.deepEqual([layer.weight.shape, layer.bias?.shape], [
      [3, 2, 2, 3],
      bias ? [3] : undefined,
    ]);
    using own = onDevice(device, layer);
    const y = layer.forward(tensor(picture, [1, 4, 5, 2]));
    assert.deepEqual(y.shape, [1, 4, 6, 3]);
    const added = own.elements.get("bias") ?? [0, 0, 0];
    const expected = convolve(picture, [4, 5, 2], own.elements.get("weight")!, [3, 2, 3], 1)
      .map((v, k) => v + added[k % 3]);
    assertClose(await device.read(y, { stores: [own.store] }), expected, close);
  }
});

devices.test("Linear: x·W + b", async (device) => {
  const inputs = numbers(2 * 4, "inputs");
  for (const bias of [true, false]) {
    const layer = new Linear(4, 3, { bias });
    using own = onDevice(device, layer);
    const weight = own.elements.get("weight")!, added = own.elements.get("bias") ?? [0, 0, 0];
    assert.equal(own.elements.size, bias ? 2 : 1);
    const expected = Array.from({ length: 6 }, (_, k) => {
      const row = Math.floor(k / 3), o = k % 3;
      return [0, 1, 2, 3].reduce(
        (sum, i) => sum + inputs[row * 4 + i] * weight[i * 3 + o],
        added[o],
      );
    });
    const y = layer.forward(tensor(inputs, [2, 4]));
    assertClose(await device.read(y, { stores: [own.store] }), expected, close);
  }
});

Deno.test("layers: initialisers are those given, or PyTorch's", () => {
  const init = (t: Tensor): Float32Array => {
    const layer = { t };
    return (parametersOf(layer).get("t")!.node.attrs as { init: ReturnType<typeof fill> })
      .init(t.shape, new Random(1));
  };
  const conv = new Conv2d(4, 6, 3, { groups: 2, init: fill(2) });
  assert.deepEqual(conv.weight.shape, [3, 3, 2, 6]);
  assert(init(conv.weight).every((v) => v === 2));
  // The bias' bound is by the inputs that one filter sees: 3·3 pixels of 2 channels.
  const bound = 1 / Math.sqrt(18);
  assert(init(conv.bias!).every((v) => Math.abs(v) <= bound && v !== 0));
});

Deno.test("layers: flatten keeps the batch", () => {
  assert.deepEqual(flatten(tensor(x, shape)).shape, [2, 12]);
});

Deno.test("layers: sizes that do not fit are refused where the layer is made", () => {
  assert.throws(() => new Linear(10, 2, { flattened: [2, 2, 3] }), {
    name: "ShapeError",
    message: "Cannot make a Linear: [2,2,3] does not flatten to 10",
  });
  for (const make of [() => new Linear(0, 2), () => new Conv2d(3, 4, 3, { groups: 2 })]) {
    assert.throws(make, ShapeError);
  }
});
