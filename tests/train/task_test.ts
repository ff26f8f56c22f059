/** Tasks of other kinds than classification: pixel labels, own losses, frozen parts. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import type { Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { input, reshape, tensor } from "../../core/structure.ts";
import type { Fields, Source } from "../../data/source.ts";
import { BatchNorm2d, Conv2d, Dropout } from "../../models/layers.ts";
import type { Model } from "../../models/model.ts";
import { initialElements } from "../../models/parameter.ts";
import { Pass } from "../../models/pass.ts";
import { Weights } from "../../models/weights.ts";
import { crossEntropy } from "../../ops/cross_entropy.ts";
import { max } from "../../ops/max.ts";
import { add, equal, mul, relu, sub, toFloat } from "../../ops/pointwise.ts";
import { sum } from "../../ops/reduce.ts";
import { compileEvaluation } from "../../train/evaluator.ts";
import { sgd } from "../../train/optimizer.ts";
import { recipes } from "../../train/recipes.ts";
import { means, type Task } from "../../train/task.ts";
import { Trainer } from "../../train/trainer.ts";
import { compileStep } from "../../train/training_step.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const side = 6, classes = 3, ignored = -100;

/** Two convolutions that say a class for each pixel. */
class PixelNet implements Model {
  readonly name = "pixel-net";
  readonly classes = classes;
  readonly channels = 3;
  readonly inputSize = side;
  readonly stem = [new Conv2d(2, 4, 3, { padding: 1, bias: false }), new BatchNorm2d(4)] as const;
  readonly drop: Dropout;
  readonly last = new Conv2d(4, classes, 1);

  constructor(rate = 0) {
    this.drop = new Dropout(rate);
  }

  forward(x: Tensor, pass: Pass): Tensor {
    const [conv, norm] = this.stem;
    const seen = relu(norm.forward(conv.forward(x), pass));
    return this.last.forward(this.drop.forward(seen, pass));
  }
}

function weightsOf(device: Device, trains?: (path: string) => boolean, rate = 0): Weights {
  const weights = new Weights(device, new PixelNet(rate), { trains });
  for (const [path, t] of weights.parameters) {
    weights.write(t, initialElements(t, new Random(1, path)));
  }
  return weights;
}

/** Cross-entropy of every pixel that is labelled; intersection and union of each class. */
const pixelTask = (model: Model): Task => (pass) => {
  const n = pass.batchSize, pixels = n * side * side;
  const image = input([n, side, side, 2], "image"), mask = input([n, side, side], "mask", "i32");
  const logits = reshape(model.forward(image, pass), [pixels, classes]);
  const labels = reshape(mask, [pixels]);
  const known = sub(1, equal(toFloat(reshape(labels, [pixels, 1])), ignored));
  const largest = equal(logits, max(logits, { axes: [1], keepDims: true }));
  const truth = equal(toFloat(reshape(labels, [pixels, 1])), tensor([0, 1, 2], [1, classes]));
  const both = sum(mul(largest, truth), { axes: [0] });
  const either = sub(sum(add(mul(largest, known), truth), { axes: [0] }), both);
  const loss = crossEntropy(logits, labels), count = sum(known);
  return {
    inputs: { image, mask },
    loss,
    sums: {
      loss: { total: crossEntropy(logits, labels, { reduction: "sum" }), count },
      iou: { total: both, count: either },
    },
    outputs: { logits },
  };
};

/** Noise, and masks that follow the first channel; a share of the pixels has no label. */
function pictures(size: number, unlabelled = 0.1): Source {
  const random = new Random(5, "pictures"), count = size * side * side;
  const image = Float32Array.from({ length: 2 * count }, () => 2 * random.uniform() - 1);
  const mask = Int32Array.from({ length: count }, (_, k) => {
    const value = image[2 * k];
    return random.uniform() < unlabelled ? ignored : value < -0.3 ? 0 : value < 0.3 ? 1 : 2;
  });
  const pick = <T extends Float32Array | Int32Array>(of: T, indices: Uint32Array): number[] => {
    const each = of.length / size;
    return [...indices].flatMap((k) => [...of.subarray(k * each, (k + 1) * each)]);
  };
  return {
    size,
    padding: { mask: ignored },
    batch: (indices) =>
      Promise.resolve({
        image: Float32Array.from(pick(image, indices)),
        mask: Int32Array.from(pick(mask, indices)),
      }),
  };
}

const all = async (source: Source): Promise<Fields> =>
  await source.batch(Uint32Array.from({ length: source.size }, (_, k) => k), 0);

/** Loss, and intersection and union by class, counted pixel by pixel. */
function countedByHand(logits: ArrayLike<number>, mask: ArrayLike<number>) {
  const both = [0, 0, 0], either = [0, 0, 0];
  let loss = 0, count = 0;
  for (let k = 0; k < mask.length; k++) {
    if (mask[k] === ignored) continue;
    const row = [0, 1, 2].map((c) => logits[k * classes + c]), label = mask[k];
    const guess = row.indexOf(Math.max(...row));
    loss += Math.log(row.reduce((s, v) => s + Math.exp(v), 0)) - row[label];
    count++;
    for (let c = 0; c < classes; c++) {
      if (guess === c && label === c) both[c]++;
      if (guess === c || label === c) either[c]++;
    }
  }
  return { loss: loss / count, both, either };
}

devices.test("tasks: pixel labels are counted as by hand, the padding is not", async (device) => {
  using weights = weightsOf(device);
  const source = pictures(7), task = pixelTask(weights.model), fields = await all(source);
  const { inputs, outputs } = task(new Pass({ train: false, batchSize: 7 }));
  using plan = await device.compile({ outputs: [outputs!.logits] }, { stores: weights.stores });
  plan.run([[inputs.image, fields.image]]);
  const wanted = countedByHand(await plan.read(outputs!.logits), fields.mask);
  using evaluator = await compileEvaluation(device, weights, task, { batchSize: 3 });
  const { loss, metrics, totals, size } = await evaluator.run(source);
  assert.equal(size, 7);
  assertClose([loss], [wanted.loss], { rtol: 1e-5, what: "the loss" });
  assert.deepEqual([...totals.iou.total], wanted.both);
  assert.deepEqual([...totals.iou.count], wanted.either);
  const shares = wanted.both.map((n, c) => n / wanted.either[c]);
  assertClose([metrics.iou], [shares.reduce((a, b) => a + b) / 3], { rtol: 1e-6, what: "mIoU" });
});

devices.test("tasks: micro-batches sum to the counts of the whole batch", async (device) => {
  const fields = await all(pictures(6)), found = [];
  for (const microBatch of [6, 2]) {
    // Batch norm sees what is there at once: frozen, it sees neither.
    using weights = weightsOf(device, (path) => path.startsWith("last"));
    const options = { batchSize: 6, microBatch };
    using step = await compileStep(device, weights, sgd(), pixelTask(weights.model), options);
    step.run(fields, 0.1);
    step.run(fields, 0.1);
    const sums = await step.readSums(), { iou, loss } = step.named(sums);
    found.push({ iou, count: loss.count, steps: sums.steps });
  }
  assert.deepEqual(found[1], found[0]);
  assert.equal(found[0].steps, 2);
});

devices.test("tasks: what drops at random depends on seed, step and example alone", async (device) => {
  // All pixels count, so that the mean over a batch is that of its parts' means.
  const fields = await all(pictures(6, 0));
  /** The last layer after three steps; the third one can be taken by a step of its own. */
  const trained = async (microBatch: number, seed: number, resumed: boolean) => {
    using weights = weightsOf(device, (path) => path.startsWith("last"), 0.5);
    const options = { batchSize: 6, microBatch, seed }, task = pixelTask(weights.model);
    {
      using step = await compileStep(device, weights, sgd(), task, options);
      for (let k = resumed ? 1 : 0; k < 3; k++) step.run(fields, 0.5);
    }
    if (resumed) {
      using step = await compileStep(device, weights, sgd(), task, options);
      step.steps = 2;
      step.run(fields, 0.5);
    }
    return [...await weights.read(weights.parameters.get("last.weight")!)];
  };
  const whole = await trained(6, 1, false);
  assert.deepEqual(await trained(6, 1, true), whole);
  assertClose(await trained(2, 1, false), whole, { atol: 1e-5, what: "cut into micro-batches" });
  assert.notDeepEqual(await trained(6, 2, false), whole);
});

devices.test("tasks: a frozen part neither moves nor looks at the batch", async (device) => {
  using weights = weightsOf(device, (path) => !path.startsWith("stem"));
  assert.equal(weights.size, 4 * classes + classes);
  const stem = new Set<object>(weights.model instanceof PixelNet ? weights.model.stem : []);
  assert(stem.size === 2 && [...stem].every((layer) => weights.frozenLayers.has(layer)));
  const before = new Map(await weights.save()), fields = await all(pictures(4));
  using step = await compileStep(device, weights, sgd(), pixelTask(weights.model), {
    batchSize: 4,
  });
  assert.equal(step.hasBatchStatistics, false);
  for (let k = 0; k < 3; k++) step.run(fields, 0.5);
  for (const [path, { bytes }] of await weights.save()) {
    const same = bytes.every((byte, k) => byte === before.get(path)!.bytes[k]);
    assert.equal(same, path.startsWith("stem"), path);
  }
});

Deno.test("tasks: a net learns masks, by an optimiser and a schedule of one's own", async () => {
  const [device] = devices.all, rates: number[] = [];
  using weights = weightsOf(device);
  const source = pictures(48), held = pictures(8), recipe = { ...recipes.cifar10, lr: 0.5 };
  using trainer = await Trainer.create({
    ...{ device, weights, task: pixelTask(weights.model), train: source, validation: held },
    recipe: { ...recipe, epochs: 8, batchSize: 4 },
    optimizer: sgd({ momentum: 0.9, nesterov: true }),
    schedule: (step, total) => 1 - step / total,
    readingMs: 0,
  });
  const ious: number[] = [];
  for await (const event of trainer.fit()) {
    if (event.kind === "step") rates.push(event.learningRate);
    if (event.kind === "epoch") ious.push(event.validation!.metrics.iou);
  }
  assertClose([rates[0], rates.at(-1)!], [0.5, 0.5 / 96], { rtol: 1e-12 });
  assert(ious.at(-1)! > 0.6 && ious.at(-1)! > ious[0], ious.map((x) => x.toFixed(2)).join(" "));
  await assert.rejects(trainer.test(), /the trainer was given no test examples/);
});

Deno.test("tasks: the mean of several shares leaves out those of nothing", () => {
  const of = (total: number[], count: number[]) => ({
    total: Float64Array.from(total),
    count: Float64Array.from(count),
  });
  const found = means({
    iou: of([1, 0, 3], [2, 0, 4]),
    alike: of([1, 2, 6], [2]),
    none: of([0, 0], [0, 0]),
    nothing: of([0], [0]),
  });
  assert.deepEqual(found, { iou: 0.625, alike: 1.5, none: NaN, nothing: NaN });
});

Deno.test("tasks: what does not fit is refused by name", async () => {
  const [device] = devices.all;
  using weights = weightsOf(device);
  const task = pixelTask(weights.model), options = { batchSize: 2 };
  const compile = (other: Task) => compileStep(device, weights, sgd(), other, options);
  const changed = (change: Partial<ReturnType<Task>>): Task => (pass) => ({
    ...task(pass),
    ...change,
  });
  const total = tensor([1, 2, 3]);
  await assert.rejects(
    compile(changed({ sums: { iou: { total, count: tensor([1]) } } })),
    /Cannot sum the metric iou: its total \[3\] has the count \[1\], the same shape is wanted/,
  );
  await assert.rejects(
    compile(changed({ loss: total })),
    /the loss has shape \[3\], one number is wanted/,
  );
  const image = input([3, side, side, 2], "image");
  await assert.rejects(compile(changed({ inputs: { image } })), /\[3,6,6,2\], 2 examples along/);
  using step = await compile(task);
  const { mask } = await all(pictures(2));
  assert.throws(() => step.run({ mask }, 1), {
    name: "ShapeError",
    message: "Cannot take step 1: the batch has mask, image is wanted",
  });
  assert.equal(step.steps, 0);
});
