/**
 * Every model of the table: shapes, gradients, files, heads, frozen parts. A plain run takes the small
 * ones, `-- --slow` all of them on every device.
 */
import assert from "node:assert/strict";
import type { Device, Elements, Plan } from "../../core/device.ts";
import { grad } from "../../core/grad.ts";
import { ancestors, type Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { tensor } from "../../core/structure.ts";
import type { Classifier } from "../../models/model.ts";
import { type ModelName, models } from "../../models/models.ts";
import { parametersOf } from "../../models/parameter.ts";
import { Pass } from "../../models/pass.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { crossEntropy } from "../../ops/cross_entropy.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";
import { drawing } from "../laws/drawing.ts";

const { isSlow } = drawing();
const devices = await openTestDevices();
const names = Object.keys(models) as ModelName[];

/** A plain run meets each kind of net on the CPU; a software GPU is slow at making kernels. */
const usual: Readonly<Record<Device["kind"], readonly ModelName[]>> = {
  wasm: [
    ...["tutorial-cnn", "resnet20", "resnet18", "mobilenet_v2", "tf_mobilenet_v2"] as const,
    ...["squeezenet1_0_caffe", "squeezenet1_1", "tf_efficientnet_lite0"] as const,
  ],
  webgpu: ["tutorial-cnn", "resnet20"],
};

const batch = 2, classes = 5;
const labels = tensor(Int32Array.of(1, 4));
const evaluation = () => new Pass({ train: false, batchSize: batch });

/** Pictures as small as the net takes with more than one place left at its end. */
function picturesFor(name: ModelName, { channels, inputSize }: Classifier): Tensor {
  const size = inputSize === 32 ? 32 : 64, random = new Random(1, name);
  const elements = Float32Array.from({ length: batch * size * size * channels }, () => {
    return random.normal();
  });
  return tensor(elements, [batch, size, size, channels]);
}

interface Ready extends Disposable {
  readonly model: Classifier;
  readonly x: Tensor;
  readonly weights: Weights;
}

function ready(device: Device, name: ModelName): Ready {
  const model = models[name].create({ classes });
  const weights = initialWeights(device, model, 1);
  const close = () => weights[Symbol.dispose]();
  return { model, x: picturesFor(name, model), weights, [Symbol.dispose]: close };
}

/** Runs a graph once, at step 0 where something is drawn. */
async function run(
  device: Device,
  { stores }: Weights,
  outputs: readonly Tensor[],
  pass = evaluation(),
): Promise<Elements[]> {
  using plan: Plan = await device.compile({ outputs }, { stores });
  plan.run(pass.counter ? [[pass.counter, Uint32Array.of(0, 0)]] : []);
  return await Promise.all(outputs.map((t) => plan.read(t)));
}

async function checkForward(device: Device, { model, x, weights }: Ready): Promise<void> {
  const logits = model.forward(x, evaluation()), features = model.features(x, evaluation());
  assert.deepEqual(logits.shape, [batch, classes]);
  assert.deepEqual([features.shape.length, features.shape[0]], [2, batch]);
  const [whole, seen] = await run(device, weights, [logits, features]);
  assert(whole.every(Number.isFinite) && whole.some((v) => v !== 0));
  const head = model.head(tensor(seen, features.shape), evaluation());
  const [apart] = await run(device, weights, [head]);
  assertClose(apart, whole, { rtol: 1e-4, atol: 1e-4, what: "head of features" });
  const [again] = await run(device, weights, [model.forward(x, evaluation())]);
  assert.deepEqual(again, whole, "an evaluation draws nothing");
}

async function checkFiles(device: Device, { model, weights }: Ready): Promise<void> {
  const saved = await weights.save();
  using loaded = new Weights(device, model);
  loaded.load({ tensors: new Map(saved) });
  for (const [path, t] of weights.parameters) {
    assert.deepEqual(await loaded.read(t), await weights.read(t), path);
  }
}

/** Sum of squares. */
function norm2(list: readonly Elements[]): number {
  let sum = 0;
  for (const elements of list) for (const v of elements) sum += v * v;
  return sum;
}

/** A step against the gradient, so small that the loss falls as the gradient says. */
async function checkStep(device: Device, { model, x, weights }: Ready): Promise<void> {
  const pass = new Pass({ train: true, batchSize: batch, seed: 1 });
  const loss = crossEntropy(model.forward(x, pass), labels);
  const trained = weights.trainable.blocks.flatMap((b) => b.variables);
  const [[before], ...gradients] = await run(
    device,
    weights,
    [loss, ...grad(loss, trained)],
    pass,
  );
  assert(Number.isFinite(before));
  for (const [k, g] of gradients.entries()) {
    assert(g.every(Number.isFinite), `${trained[k]} has a gradient that is no number`);
  }
  const size = norm2(gradients), promised = 0.002 * before, rate = promised / size;
  for (const [k, t] of trained.entries()) {
    const old = await weights.read(t);
    weights.write(t, Float32Array.from(old, (v, i) => v - rate * gradients[k][i]));
  }
  const [[after]] = await run(device, weights, [loss], pass);
  const kept = (before - after) / promised;
  assert(kept > 0.5 && kept < 1.5, `the loss falls by ${kept} of what its gradient says`);
}

/** What {@link Classifier.resetHead} exchanges is the head; all else is frozen here. */
async function checkHead(device: Device, { model, x, weights }: Ready): Promise<void> {
  const old = new Set(parametersOf(model).values());
  model.resetHead(3);
  assert.equal(model.classes, 3);
  const changed = [...parametersOf(model)].filter(([, t]) => !old.has(t)), body = old.size;
  assert.deepEqual(parametersOf(model).size, body, "as many parameters as before");
  assert(changed.length > 0 && changed.every(([, t]) => t.shape.at(-1) === 3));
  const head = new Set(changed.map(([path]) => path));
  using fresh = new Weights(device, model, { trains: (path) => head.has(path) });
  const pass = new Pass({ train: true, batchSize: batch, frozen: fresh.frozenLayers });
  const features = model.features(x, pass);
  assert.deepEqual(pass.observed, [], "frozen batch norms use their statistics");
  assert.equal(pass.counter, undefined, "frozen parts drop nothing");
  const trained = fresh.trainable.blocks.flatMap((b) => b.variables);
  assert.deepEqual(new Set(trained), new Set(changed.map(([, t]) => t)));
  const loss = crossEntropy(model.head(features, pass), tensor(Int32Array.of(0, 2)));
  const gradients = grad(loss, trained);
  const made = new Set(ancestors(gradients).map((node) => node.op.name));
  assert(!made.has("conv2dInputGrad"), "the frozen part is not differentiated");
  for (const [path, t] of fresh.parameters) {
    if (old.has(t)) fresh.write(t, await weights.read(t));
    else fresh.write(t, new Float32Array(sizeOf(t.shape)).fill(path.endsWith("bias") ? 0 : 0.01));
  }
  const [seen, ...values] = await run(device, fresh, [features, ...gradients], pass);
  const wanted = model.features(x, evaluation());
  assertClose(seen, (await run(device, fresh, [wanted]))[0], { rtol: 1e-5, atol: 1e-5 });
  assert(values.every((g) => g.every(Number.isFinite) && g.some((v) => v !== 0)));
}

async function checkAll(device: Device, name: ModelName): Promise<void> {
  using own = ready(device, name);
  await checkForward(device, own);
  await checkFiles(device, own);
  await checkHead(device, own);
  own.model.resetHead(classes);
  using again = initialWeights(device, own.model, 1);
  await checkStep(device, { ...own, weights: again });
}

for (const name of names) {
  for (const device of devices.all) {
    Deno.test({
      name: `${name}: shapes, files, a step, and its head on ${device.kind}`,
      ignore: !isSlow && !usual[device.kind].includes(name),
      // Threads and compiled kernels outlive a test on purpose.
      ...{ sanitizeOps: false, sanitizeResources: false },
      fn: () => checkAll(device, name),
    });
  }
}
