/** Batch norm in training: the running statistics follow PyTorch's rule, and the net learns. */
import assert from "node:assert/strict";
import type { Elements } from "../../core/device.ts";
import { input } from "../../core/structure.ts";
import { BatchNorm2d } from "../../models/layers.ts";
import { Pass } from "../../models/pass.ts";
import { initialWeights } from "../../models/weights.ts";
import { pixels as unpack } from "../../ops/pixels.ts";
import { sgd } from "../../train/optimizer.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";
import { classifierStep } from "./classifiers.ts";
import { batchOf, pick, smallDataset } from "./images.ts";
import { ResidualNet } from "./tiny_nets.ts";

const devices = await openTestDevices();
const { train } = await smallDataset(48, 1);
const scaling = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** Every fourth pixel of pictures of 32: so few that n and n − 1 differ. */
function shrunk(pixels: Uint32Array): Uint32Array<ArrayBuffer> {
  return pixels.filter((_, k) => k % 4 === 0 && (k >> 5) % 4 === 0) as Uint32Array<ArrayBuffer>;
}

/** PyTorch's statistics of a batch `[…,channels]` in float64: mean, and variance by n − 1. */
function statisticsOf(values: Elements, channels: number): { mean: number[]; variance: number[] } {
  const n = values.length / channels, mean = new Array<number>(channels).fill(0);
  values.forEach((value, k) => mean[k % channels] += value / n);
  const variance = new Array<number>(channels).fill(0);
  values.forEach((value, k) => variance[k % channels] += (value - mean[k % channels]) ** 2);
  return { mean, variance: variance.map((sum) => sum / (n - 1)) };
}

const moved = (from: readonly number[], to: readonly number[]): number[] =>
  from.map((value, k) => 0.9 * value + 0.1 * to[k]);

devices.test("batch norm: running statistics follow PyTorch's rule", async (device) => {
  const model = new ResidualNet(8), batchSize = 4;
  using weights = initialWeights(device, model, 2);
  using step = await classifierStep(device, weights, sgd({ momentum: 0.9 }), { batchSize });
  const images = input([batchSize, 8, 8], "pixels", "u32");
  const x = unpack(images, { channels: 3, ...scaling });
  const { taps } = model.tapped(x, new Pass({ train: true }));
  using plan = await device.compile({ outputs: [...taps.values()] }, { stores: weights.stores });
  const norms = { bn1: model.bn1, bn2: model.bn2, bn3: model.bn3 };
  const all = { ...norms, "downsample.1": model.downsample[1] };
  const expected = new Map(
    Object.entries(all).map(([name, { weight }]) => {
      const channels = weight.shape[0];
      return [name, { mean: Array(channels).fill(0), variance: Array(channels).fill(1) }];
    }),
  );
  for (let k = 0; k < 3; k++) {
    const indices = Array.from({ length: batchSize }, (_, i) => k * batchSize + i);
    const { pixels: large, labels } = await batchOf(pick(train, indices)), pixels = shrunk(large);
    // The weights of this moment decide the batch's statistics; the step then moves them.
    plan.run([[images, pixels]]);
    for (const [name, tap] of taps) {
      const { mean, variance } = statisticsOf(await plan.read(tap), tap.shape[3]);
      const old = expected.get(name)!;
      expected.set(name, { mean: moved(old.mean, mean), variance: moved(old.variance, variance) });
    }
    step.run({ pixels, labels }, 0.05);
    for (const [name, { running_mean, running_var }] of Object.entries(all)) {
      const { mean, variance } = expected.get(name)!, tolerance = { rtol: 1e-5, atol: 1e-6 };
      assertClose(await weights.read(running_mean), mean, { ...tolerance, what: `${name} mean` });
      assertClose(await weights.read(running_var), variance, { ...tolerance, what: `${name} var` });
    }
  }
});

devices.test("batch norm: a residual net learns a batch", async (device) => {
  const model = new ResidualNet();
  assert(model.bn1 instanceof BatchNorm2d);
  using weights = initialWeights(device, model, 2);
  using step = await classifierStep(device, weights, sgd({ momentum: 0.9 }), { batchSize: 16 });
  const { pixels, labels } = await batchOf(pick(train, [...Array(16).keys()]));
  const losses: number[] = [];
  for (let k = 0; k < 12; k++) {
    step.run({ pixels, labels }, 0.05);
    losses.push((await step.metrics()).loss);
  }
  assert(losses.at(-1)! < 0.6 * losses[0], `losses ${losses.map((l) => l.toFixed(2)).join(" ")}`);
});
