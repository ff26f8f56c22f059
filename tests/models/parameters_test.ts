/** What a model is made of: paths as torchvision's, shapes on disk, and how they begin. */
import assert from "node:assert/strict";
import type { Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { diskShape } from "../../models/layout.ts";
import { models } from "../../models/models.ts";
import { asParameter, initialElements, parametersOf } from "../../models/parameter.ts";

const resnet18 = parametersOf(models.resnet18.create({ classes: 1000 }));
const tutorialCnn = parametersOf(models["tutorial-cnn"].create({ classes: 10 }));

const trained = (parameters: ReadonlyMap<string, Tensor>): number =>
  [...parameters.values()].filter((t) => asParameter(t)!.trainable)
    .reduce((sum, t) => sum + sizeOf(t.shape), 0);

/** Paths and shapes of torchvision's resnet18 in the order of its state dict, by rule. */
function torchvisionResnet18(): [path: string, shape: number[]][] {
  const norm = (path: string, channels: number): [string, number[]][] =>
    ["weight", "bias", "running_mean", "running_var"].map((n) => [`${path}.${n}`, [channels]]);
  const block = (path: string, from: number, to: number): [string, number[]][] => [
    [`${path}.conv1.weight`, [to, from, 3, 3]],
    ...norm(`${path}.bn1`, to),
    [`${path}.conv2.weight`, [to, to, 3, 3]],
    ...norm(`${path}.bn2`, to),
    ...(from === to ? [] : [
      [`${path}.downsample.0.weight`, [to, from, 1, 1]] as [string, number[]],
      ...norm(`${path}.downsample.1`, to),
    ]),
  ];
  const stages = [64, 128, 256, 512].flatMap((to, k) => [
    ...block(`layer${k + 1}.0`, k === 0 ? 64 : to / 2, to),
    ...block(`layer${k + 1}.1`, to, to),
  ]);
  return [
    ["conv1.weight", [64, 3, 7, 7]],
    ...norm("bn1", 64),
    ...stages,
    ["fc.weight", [1000, 512]],
    ["fc.bias", [1000]],
  ];
}

Deno.test("parameters: resnet18 has torchvision's paths, order and shapes on disk", () => {
  const expected = torchvisionResnet18();
  // 122 entries of the state dict, but the counters of its 20 batch norms.
  assert.equal(expected.length, 122 - 20);
  const found = [...resnet18].map(([path, t]) =>
    [path, [...diskShape(t.shape, asParameter(t)!.layout)]] as const
  );
  assert.deepEqual(found, expected);
});

Deno.test("parameters: as many trained elements as torchvision and the tutorial say", () => {
  assert.equal(trained(resnet18), 11_689_512);
  assert.equal(trained(parametersOf(models.resnet18.create({ classes: 10 }))), 11_181_642);
  assert.equal(trained(tutorialCnn), 62_006);
  // The small stem has 3·3 instead of 7·7 weights for each pair of channels.
  const small = parametersOf(models["resnet18-small"].create({ classes: 10 }));
  assert.equal(trained(small), 11_181_642 - 64 * 3 * (49 - 9));
});

Deno.test("parameters: the tutorial's CNN has the tutorial's paths and shapes on disk", () => {
  const found = [...tutorialCnn].map(([path, t]) =>
    [path, [...diskShape(t.shape, asParameter(t)!.layout)]] as const
  );
  assert.deepEqual(found, [
    ["conv1.weight", [6, 3, 5, 5]],
    ["conv1.bias", [6]],
    ["conv2.weight", [16, 6, 5, 5]],
    ["conv2.bias", [16]],
    ["fc1.weight", [120, 400]],
    ["fc1.bias", [120]],
    ["fc2.weight", [84, 120]],
    ["fc2.bias", [84]],
    ["fc3.weight", [10, 84]],
    ["fc3.bias", [10]],
  ]);
});

Deno.test("parameters: running statistics are not trained, everything else is", () => {
  for (const [path, t] of [...resnet18, ...tutorialCnn]) {
    assert.equal(asParameter(t)!.trainable, !/running_(mean|var)$/.test(path), path);
    assert.equal(asParameter(t)!.label, path, "errors name the layer by it");
  }
});

Deno.test("parameters: a grey model differs in its first layer alone", () => {
  const grey = parametersOf(models["tutorial-cnn"].create({ classes: 10, channels: 1 }));
  const changed = [...grey].filter(([path, t]) =>
    t.shape.join() !== tutorialCnn.get(path)!.shape.join()
  );
  assert.deepEqual(changed.map(([path, t]) => [path, t.shape]), [["conv1.weight", [5, 5, 1, 6]]]);
});

/** Mean, standard deviation and extremes. */
function statistics(values: Float32Array) {
  const n = values.length, mean = values.reduce((sum, v) => sum + v / n, 0);
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2 / n, 0));
  const low = values.reduce((a, b) => Math.min(a, b)),
    high = values.reduce((a, b) => Math.max(a, b));
  return { n, mean, deviation, low, high };
}

const begin = (parameters: ReadonlyMap<string, Tensor>, path: string, seed = 1) =>
  initialElements(parameters.get(path)!, new Random(seed, path));

Deno.test("init: PyTorch's default is uniform within 1/√fan_in", () => {
  const fanIns = { conv1: 75, conv2: 150, fc1: 400, fc2: 120, fc3: 84 };
  for (const [layer, fanIn] of Object.entries(fanIns)) {
    for (const part of ["weight", "bias"]) {
      const s = statistics(begin(tutorialCnn, `${layer}.${part}`)), bound = 1 / Math.sqrt(fanIn);
      assert(s.low >= -bound && s.high <= bound, `${layer}.${part}: ${s.low} to ${s.high}`);
      if (part === "bias") continue;
      // Five standard errors of a uniform distribution's mean, deviation and extremes.
      const deviation = bound / Math.sqrt(3), error = 5 * deviation / Math.sqrt(s.n);
      assert(Math.abs(s.mean) < error, `${layer}: mean ${s.mean}`);
      assert(Math.abs(s.deviation - deviation) < error, `${layer}: deviation ${s.deviation}`);
      assert(s.high > bound * (1 - 20 / s.n) && s.low < -bound * (1 - 20 / s.n), layer);
    }
  }
});

Deno.test("init: convolutions of a residual net are normal with variance 2/fan_out", () => {
  const fanOuts = {
    "conv1.weight": 49 * 64,
    "layer1.0.conv1.weight": 9 * 64,
    "layer2.0.downsample.0.weight": 128,
  };
  for (const [path, fanOut] of Object.entries(fanOuts)) {
    const { n, mean, deviation, low, high } = statistics(begin(resnet18, path));
    const wanted = Math.sqrt(2 / fanOut), error = 5 * wanted / Math.sqrt(n);
    assert(Math.abs(mean) < error, `${path}: mean ${mean}`);
    assert(Math.abs(deviation - wanted) < error, `${path}: deviation ${deviation}`);
    // Normal, not uniform: of so many some lie beyond three deviations, none beyond six.
    assert(Math.min(-low, high) > 3 * wanted && Math.max(-low, high) < 6 * wanted, path);
  }
});

Deno.test("init: batch norm begins as the identity", () => {
  const first = { weight: 1, bias: 0, running_mean: 0, running_var: 1 };
  for (const [part, value] of Object.entries(first)) {
    const elements = begin(resnet18, `layer3.1.bn2.${part}`);
    assert.deepEqual(elements, new Float32Array(256).fill(value), part);
  }
});

Deno.test("init: a pure function of seed and path", () => {
  const path = "conv2.weight", again = parametersOf(models["tutorial-cnn"].create({ classes: 10 }));
  assert.deepEqual(begin(tutorialCnn, path), begin(again, path));
  assert.notDeepEqual(begin(tutorialCnn, path), begin(tutorialCnn, path, 2));
  const other = initialElements(tutorialCnn.get(path)!, new Random(1, "conv1.weight"));
  assert.notDeepEqual(begin(tutorialCnn, path), other);
  // Another number of classes leaves the layers below as they are.
  const more = parametersOf(models["tutorial-cnn"].create({ classes: 100 }));
  assert.deepEqual(begin(tutorialCnn, path), begin(more, path));
});
