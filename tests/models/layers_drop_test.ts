/** Layers that drop at random: PyTorch's scaling, nothing in evaluation, whole examples by DropPath. */
import assert from "node:assert/strict";
import { grad } from "../../core/grad.ts";
import type { Tensor } from "../../core/graph.ts";
import { tensor } from "../../core/structure.ts";
import type { Device } from "../../core/device.ts";
import { Dropout, DropPath, type Layer, Linear, Sequential } from "../../models/layers.ts";
import { Pass } from "../../models/pass.ts";

import { layersWithout, parametersOf } from "../../models/parameter.ts";
import { mul, sum } from "../../ops/mod.ts";
import { openTestDevices } from "../laws/devices.ts";
import { keyOf, uniformAt } from "../reference/uniform.ts";

const devices = await openTestDevices();
const x = Float32Array.from({ length: 600 }, (_, k) => k + 1);

/** Runs a graph at a step. */
async function at(device: Device, pass: Pass, outputs: readonly Tensor[], step = 0) {
  using plan = await device.compile({ outputs });
  plan.run(pass.counter ? [[pass.counter, Uint32Array.of(step, 0)]] : []);
  return await Promise.all(outputs.map(async (t) => [...await plan.read(t)]));
}

devices.test("Dropout: what is drawn below the rate is 0, the rest is scaled", async (device) => {
  const pass = new Pass({ train: true, seed: 5 });
  const input = tensor(x, [6, 100]), y = new Dropout(0.25).forward(input, pass);
  const second = new Dropout(0.25).forward(input, pass);
  const [found, other] = await at(device, pass, [y, second], 3);
  const key = keyOf(5, 0);
  const kept = x.map((_, k) => uniformAt(key, 3, k) >= 0.25 ? 1 : 0);
  assert.deepEqual(found, [...x.map((v, k) => v * kept[k] * Math.fround(1 / 0.75))]);
  const share = kept.reduce((a, b) => a + b) / kept.length;
  assert(Math.abs(share - 0.75) < 5 * Math.sqrt(0.75 * 0.25 / 600), `${share} are kept`);
  assert.notDeepEqual(other, found, "another place drops others");
  assert.notDeepEqual((await at(device, pass, [y], 4))[0], found, "another step drops others");
});

devices.test("Dropout: the gradient goes where the values went", async (device) => {
  const pass = new Pass({ train: true }), weights = tensor(x.toReversed(), [6, 100]);
  const input = tensor(x, [6, 100]), y = new Dropout().forward(input, pass);
  const [dx] = grad(sum(mul(y, weights)), [input]);
  const [forward, backward] = await at(device, pass, [y, dx]);
  const expected = forward.map((v, k) => v === 0 ? 0 : 2 * x[x.length - 1 - k]);
  assert.deepEqual(backward, expected);
});

devices.test("DropPath: whole examples, scaled", async (device) => {
  const pass = new Pass({ train: true, seed: 2 ** 40 });
  const y = new DropPath(0.5).forward(tensor(x, [100, 1, 2, 3]), pass);
  const [found] = await at(device, pass, [y]);
  const key = keyOf(2 ** 40, 0);
  const expected = x.map((v, k) => uniformAt(key, 0, Math.floor(k / 6)) >= 0.5 ? 2 * v : 0);
  assert.deepEqual(found, [...expected]);
  assert(expected.some((v) => v === 0) && expected.some((v) => v > 0));
});

devices.test("Dropout: a rate of 1 leaves zeros, also of the gradient", async (device) => {
  const pass = new Pass({ train: true }), input = tensor(x, [6, 100]);
  const y = new Dropout(1).forward(input, pass), [dx] = grad(sum(y), [input]);
  for (const list of await at(device, pass, [y, dx])) assert(list.every((v) => v === 0));
});

Deno.test("drop layers: evaluation, a rate of 0 and frozen layers give back x", () => {
  const input = tensor(x, [6, 100]);
  const layers = (rate: number): Layer[] => [new Dropout(rate), new DropPath(rate)];
  for (const layer of layers(0.5)) {
    assert.equal(layer.forward(input, new Pass({ train: false })), input);
    const frozen = new Pass({ train: true, frozen: new Set([layer]) });
    assert.equal(layer.forward(input, frozen), input);
    assert.equal(frozen.counter, undefined, "nothing is to be fed");
  }
  for (const layer of layers(0)) {
    assert.equal(layer.forward(input, new Pass({ train: true })), input);
  }
});

Deno.test("drop layers: inside a frozen part they are frozen, behind it they are not", () => {
  const inner = new Dropout(), outer = new Dropout();
  const body = new Sequential(new Linear(2, 2), inner, new Linear(2, 2)), head = new Linear(2, 2);
  const model = { body, outer, head }, trained = new Set(parametersOf(head).values());
  const frozen = layersWithout(model, trained);
  assert.deepEqual([inner, outer, body, head].map((part) => frozen.has(part)), [
    ...[true, false, true, false],
  ]);
});

Deno.test("drop layers: a rate that is no share is refused", () => {
  for (const rate of [-0.1, 1.1, NaN]) {
    assert.throws(() => new Dropout(rate), {
      name: "ShapeError",
      message: `Cannot make a Dropout: rate is ${rate}, a number from 0 to 1 is wanted`,
    });
    assert.throws(() => new DropPath(rate), { name: "ShapeError" });
  }
});
