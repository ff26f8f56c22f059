/**
 * Fifty steps of SGD beside PyTorch, from the same weights over the same batches: losses, and above
 * all every weight at the end. Losses alone would not tell a gradient that is zero.
 */
import assert from "node:assert/strict";
import type { Device, Elements } from "../../core/device.ts";
import { input } from "../../core/structure.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { batches } from "../../data/source.ts";
import { Pass } from "../../models/pass.ts";
import { parseSafetensors, type SafeTensors } from "../../models/checkpoint/safetensors.ts";
import { toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { Weights } from "../../models/weights.ts";
import { pixels as unpack } from "../../ops/pixels.ts";
import { sgd } from "../../train/optimizer.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";
import { classifierStep, squares } from "./classifiers.ts";
import { batchOf, pick } from "./images.ts";

/** What `make.py` noted of PyTorch's run. */
interface Recorded {
  readonly recipe: { readonly batch_size: number; readonly lr: number; readonly momentum: number };
  readonly indices: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly f32: {
    readonly losses: readonly number[];
    readonly logits_before: readonly (readonly number[])[];
    readonly logits_after: readonly (readonly number[])[];
  };
  readonly max_weight_change: Readonly<Record<string, number>>;
}

const fixture = (name: string): URL => new URL(`../fixtures/tutorial_cnn/${name}`, import.meta.url);
const recorded = JSON.parse(await Deno.readTextFile(fixture("trace.json"))) as Recorded;
const initial = parseSafetensors(await Deno.readFile(fixture("initial.safetensors")));
const final = parseSafetensors(await Deno.readFile(fixture("final.safetensors")));
const mini = await openFashionMini();
const scaling = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** What a run came to, to be laid beside {@link Recorded}. */
interface Ours {
  readonly losses: readonly number[];
  readonly logitsBefore: Elements;
  readonly logitsAfter: Elements;
  /** In PyTorch's names and order. */
  readonly weights: SafeTensors["tensors"];
}

/** The recorded run on a device; the parameter `frozen` is put back after every step. */
async function retrace(device: Device, frozen?: string): Promise<Ours> {
  const { batch_size: batchSize, lr, momentum } = recorded.recipe;
  using weights = new Weights(device, new TutorialCnn({ classes: 10 }));
  weights.load(initial);
  const kept = frozen === undefined ? undefined : weights.parameters.get(frozen)!;
  const keptElements = kept && await weights.read(kept);
  const logitsBefore = await logitsOf(device, weights);
  using step = await classifierStep(device, weights, sgd({ momentum }), { batchSize });
  const pictures = pick(mini.train, recorded.indices.flat()), losses: number[] = [];
  const source = pictures.source(squares(32, 28));
  for await (const { fields } of batches(source, { batchSize, last: "drop" })) {
    assert.deepEqual([...fields.labels], recorded.labels[losses.length]);
    step.run(fields, lr);
    losses.push((await step.metrics()).loss);
    if (kept && keptElements) weights.write(kept, keptElements);
  }
  const logitsAfter = await logitsOf(device, weights);
  return { losses, logitsBefore, logitsAfter, weights: new Map(await weights.save()) };
}

/** Logits of the first four test images. */
async function logitsOf(device: Device, weights: Weights): Promise<Elements> {
  const { pixels } = await batchOf(pick(mini.test, [0, 1, 2, 3]));
  const images = input([4, 32, 32], "pixels", "u32");
  const x = unpack(images, { channels: 3, ...scaling });
  const logits = weights.model.forward(x, new Pass({ train: false }));
  using plan = await device.compile({ outputs: [logits] }, { stores: weights.stores });
  plan.run([[images, pixels]]);
  return await plan.read(logits);
}

/** A tensor and the largest absolute difference of its elements. */
interface Deviation {
  readonly tensor: string;
  readonly by: number;
}

/** Per tensor of `final`, how far `weights` are from those of a file; the farthest first. */
function deviations(weights: SafeTensors["tensors"], from: SafeTensors): Deviation[] {
  assert.deepEqual([...weights.keys()].sort(), [...from.tensors.keys()].sort());
  return [...from.tensors].map(([tensor, stored]) => {
    const ours = weights.get(tensor)!;
    assert.deepEqual(ours.shape, stored.shape, tensor);
    const a = toFloat32(tensor, ours), b = toFloat32(tensor, stored);
    // NaN must not hide: Math.max hands it on.
    return { tensor, by: a.reduce((most, value, k) => Math.max(most, Math.abs(value - b[k])), 0) };
  }).sort((a, b) => b.by - a.by);
}

/** Largest absolute difference allowed to a weight; the noise of f32 is about 1e-7. */
const weightTolerance = 1e-5;

const devices = await openTestDevices();

devices.test("PyTorch parity: losses, logits and every weight after 50 steps", async (device) => {
  const ours = await retrace(device), { f32 } = recorded;
  assertClose(ours.logitsBefore, f32.logits_before.flat(), { atol: 1e-5, what: "logits before" });
  assertClose(ours.losses, f32.losses, { rtol: 1e-5, what: "the loss" });
  const found = deviations(ours.weights, final), [worst] = found;
  const lossError = Math.max(...ours.losses.map((l, k) => Math.abs(l / f32.losses[k] - 1)));
  console.log(
    `${device.kind}: worst weight off by ${worst.by.toExponential(2)} in ${worst.tensor}, ` +
      `worst loss by ${lossError.toExponential(2)} relative`,
  );
  for (const { tensor, by } of found) assert(by <= weightTolerance, `${tensor} is off by ${by}`);
  assertClose(ours.logitsAfter, f32.logits_after.flat(), { atol: 1e-5, what: "logits after" });
});

devices.test("PyTorch parity: each tensor moved as far as PyTorch's", async (device) => {
  const moved = deviations((await retrace(device)).weights, initial);
  for (const { tensor, by } of moved) {
    const wanted = recorded.max_weight_change[tensor];
    // A hundred times the tolerance: a tensor that stood still cannot pass for one that moved.
    assert(wanted >= 100 * weightTolerance, `${tensor} moved by ${wanted} in PyTorch`);
    assert(Math.abs(by - wanted) <= weightTolerance, `${tensor} moved by ${by}, not ${wanted}`);
  }
});

Deno.test("PyTorch parity: one tensor whose gradient is zero is found", async () => {
  const device = devices.all.find(({ kind }) => kind === "wasm")!;
  for (const frozen of initial.tensors.keys()) {
    const [worst] = deviations((await retrace(device, frozen)).weights, final);
    assert.equal(worst.tensor, frozen);
    assert(worst.by > 10 * weightTolerance, `${frozen} is off by ${worst.by} only`);
  }
});
