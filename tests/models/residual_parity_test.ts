/**
 * Five steps of a residual net beside PyTorch, from the same weights over the same batches: losses,
 * every weight and running statistic, and what evaluation makes of them.
 */
import assert from "node:assert/strict";
import type { Device, Elements } from "../../core/device.ts";
import { input } from "../../core/structure.ts";
import { Pass } from "../../models/pass.ts";
import { parseSafetensors, type SafeTensors } from "../../models/checkpoint/safetensors.ts";
import { toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { Weights } from "../../models/weights.ts";
import { pixels as unpack } from "../../ops/pixels.ts";
import { sgd } from "../../train/optimizer.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";
import { classifierStep } from "../end_to_end/classifiers.ts";
import { ResidualNet } from "./residual_net.ts";

/** What `make.py` noted of PyTorch's run. */
interface Recorded {
  readonly recipe: {
    readonly batch_size: number;
    readonly lr: number;
    readonly momentum: number;
    readonly weight_decay: number;
  };
  /** RGB bytes of each batch in hexadecimal digits. */
  readonly images: readonly string[];
  readonly labels: readonly (readonly number[])[];
  readonly losses: readonly number[];
  readonly logits_before: readonly (readonly number[])[];
  readonly logits_after: readonly (readonly number[])[];
  readonly noise: { readonly loss_relative: number; readonly weights_absolute: number };
  readonly max_weight_change: Readonly<Record<string, number>>;
}

const fixture = (name: string): URL => new URL(`../fixtures/models/${name}`, import.meta.url);
const recorded = JSON.parse(await Deno.readTextFile(fixture("residual.json"))) as Recorded;
const initial = parseSafetensors(await Deno.readFile(fixture("residual_initial.safetensors")));
const final = parseSafetensors(await Deno.readFile(fixture("residual_final.safetensors")));
const scaling = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** A batch as `u32` pixels. */
function pixelsOf(hex: string): Uint32Array<ArrayBuffer> {
  const bytes = Uint8Array.fromHex(hex);
  return Uint32Array.from(
    { length: bytes.length / 3 },
    (_, k) => bytes[3 * k] | bytes[3 * k + 1] << 8 | bytes[3 * k + 2] << 16 | 0xff << 24,
  );
}

async function evaluate(device: Device, weights: Weights): Promise<Elements> {
  const images = input([recorded.recipe.batch_size, 12, 12], "pixels", "u32");
  const logits = weights.model.forward(unpack(images, scaling), new Pass({ train: false }));
  using plan = await device.compile({ outputs: [logits] }, { stores: weights.stores });
  plan.run([[images, pixelsOf(recorded.images[0])]]);
  return await plan.read(logits);
}

interface Ours {
  readonly losses: readonly number[];
  readonly logitsBefore: Elements;
  readonly logitsAfter: Elements;
  readonly weights: SafeTensors["tensors"];
}

async function retrace(device: Device): Promise<Ours> {
  const { batch_size: batchSize, lr, momentum, weight_decay: weightDecay } = recorded.recipe;
  using weights = new Weights(device, new ResidualNet());
  weights.load(initial);
  const logitsBefore = await evaluate(device, weights);
  const rule = sgd({ momentum, weightDecay });
  using step = await classifierStep(device, weights, rule, { batchSize });
  const losses: number[] = [];
  for (const [k, images] of recorded.images.entries()) {
    const labels = Int32Array.from(recorded.labels[k]);
    step.run({ pixels: pixelsOf(images), labels }, lr);
    losses.push((await step.metrics()).loss);
  }
  const logitsAfter = await evaluate(device, weights);
  return { losses, logitsBefore, logitsAfter, weights: new Map(await weights.save()) };
}

/** Largest absolute difference allowed to a weight. */
const weightTolerance = 1e-5;

Deno.test("residual parity: the tolerances stand well above the noise of f32", () => {
  const { noise, max_weight_change: moved } = recorded;
  assert(noise.loss_relative < 1e-6 && noise.weights_absolute < 0.1 * weightTolerance);
  // And well below what the steps did, so that a tensor that stood still is found.
  for (const [tensor, by] of Object.entries(moved)) assert(by > 100 * weightTolerance, tensor);
});

const devices = await openTestDevices();

devices.test("residual parity: losses, weights and running statistics", async (device) => {
  const ours = await retrace(device);
  assertClose(ours.logitsBefore, recorded.logits_before.flat(), {
    atol: 1e-5,
    what: "logits before",
  });
  assertClose(ours.losses, recorded.losses, { rtol: 1e-5, what: "the loss" });
  const names = [...final.tensors.keys()].filter((name) => !name.endsWith("num_batches_tracked"));
  assert.deepEqual([...ours.weights.keys()].sort(), names.sort());
  let worst = 0;
  for (const name of names) {
    const expected = toFloat32(name, final.tensors.get(name)!), stored = ours.weights.get(name)!;
    const found = toFloat32(name, stored);
    assert.deepEqual(stored.shape, final.tensors.get(name)!.shape, name);
    worst = Math.max(worst, ...found.map((value, k) => Math.abs(value - expected[k])));
    assertClose(found, expected, { atol: weightTolerance, what: name });
  }
  console.log(`${device.kind}: worst weight or statistic off by ${worst.toExponential(2)}`);
  assertClose(ours.logitsAfter, recorded.logits_after.flat(), { atol: 1e-5, what: "logits after" });
});
