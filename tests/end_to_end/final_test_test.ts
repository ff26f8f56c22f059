/** The test at the end of a run: by the best weights, which the last ones survive bit for bit. */
import assert from "node:assert/strict";
import { DataError } from "../../core/errors.ts";
import { input } from "../../core/structure.ts";
import type { Source } from "../../data/source.ts";
import { parseSafetensors, serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { Linear } from "../../models/layers.ts";
import { initialWeights } from "../../models/weights.ts";
import { mean, sum } from "../../ops/reduce.ts";
import { recipes } from "../../train/recipes.ts";
import { Run, type RunConfig } from "../../train/run.ts";
import { RunFolder } from "../../train/run_folder.ts";
import type { Task } from "../../train/task.ts";
import { Trainer } from "../../train/trainer.ts";
import { temporaryFolder } from "../data/support.ts";
import { openTestDevices } from "../laws/devices.ts";
import { leftovers } from "./run_sessions.ts";

const devices = await openTestDevices();
const device = devices.all.find(({ kind }) => kind === "wasm")!;
const recipe = { ...recipes.cifar10, epochs: 3, batchSize: 2, lr: 0.25, momentum: 0 };

/** One weight w; the loss is w and so falls by half in each epoch of two steps. */
class Falling {
  readonly name = "falling";
  readonly layer = new Linear(1, 1, { bias: false });
}

/** The score is w too: the first epoch of all is the best one. */
const task = (net: Falling): Task => (pass) => {
  const x = input([pass.batchSize, 1], "x"), y = net.layer.forward(x);
  return {
    inputs: { x },
    loss: mean(y),
    sums: { top1: { total: sum(y), count: pass.batchSize } },
  };
};

const ones = (size: number): Source => ({
  size,
  batch: (indices) => Promise.resolve({ x: new Float32Array(indices.length).fill(1) }),
});

/** Opens the folder's run, begun with w = 4, and does something with it. */
async function withRun<T>(
  folder: RunFolder,
  { resume, epochs = 3, test = ones(3), lr = 0.25 }: {
    readonly resume: boolean;
    readonly epochs?: number;
    readonly test?: Source;
    readonly lr?: number;
  },
  use: (run: Run, w: () => Promise<number>) => Promise<T>,
): Promise<T> {
  const net = new Falling();
  using weights = initialWeights(device, net, 0);
  weights.write(net.layer.weight, Float32Array.of(resume ? NaN : 4));
  using trainer = await Trainer.create({
    ...{ device, weights, task: task(net), train: ones(4), validation: ones(5), test },
    recipe: { ...recipe, epochs, lr },
    readingMs: 0,
  });
  const config: RunConfig = {
    ...{ version: "0", started: "2026-01-31T12:00:00.000Z", device: device.name, dataset: "ones" },
    ...{ model: net.name, classes: ["one"], recipe: { ...recipe, epochs }, parameters: 1 },
  };
  const run = resume
    ? await Run.resume(trainer, folder, config)
    : await Run.begin(trainer, folder, config);
  return await use(run, async () => (await weights.read(net.layer.weight))[0]);
}

async function trainedFolder(root: string): Promise<RunFolder> {
  const folder = await RunFolder.create(root, "falling", "ones", new Date());
  await withRun(folder, { resume: false }, async (run, w) => {
    for await (const _ of run.train());
    assert.equal(await w(), 2.5);
  });
  return folder;
}

/** The weight in each of the folder's files. */
async function weightsIn(folder: RunFolder): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of ["best", "last", "state"] as const) {
    const { tensors } = parseSafetensors(await Deno.readFile(folder.file(name)));
    const [, { bytes }] = [...tensors].find(([path]) => path.endsWith("layer.weight"))!;
    found[name] = new Float32Array(bytes.slice().buffer)[0];
  }
  return found;
}

const kindsOf = async (folder: RunFolder): Promise<string> =>
  (await leftovers(folder)).rows.map(({ kind, epoch }) => `${kind} ${epoch}`).join(", ");

const trained = "epoch 1, epoch 2, epoch 3", files = { best: 3.5, last: 2.5, state: 2.5 };

Deno.test("run: the best weights are tested, an own net's too, and the last ones stay", async () => {
  await using root = await temporaryFolder();
  using folder = await trainedFolder(root.path);
  assert.deepEqual(await weightsIn(folder), files);
  await withRun(folder, { resume: true }, async (run, w) => {
    const result = await run.test();
    assert.deepEqual([result?.loss, result?.size], [3.5, 3]);
    assert.equal(await w(), 2.5);
    assert.equal(await run.test(), undefined, "once");
  });
  assert.deepEqual(await weightsIn(folder), files);
  assert.equal(await kindsOf(folder), `${trained}, test 1`);
  const before = await leftovers(folder);
  await withRun(folder, { resume: true }, async (run, w) => {
    for await (const _ of run.train());
    assert.equal(await run.test(), undefined);
    assert.equal(await w(), 2.5);
  });
  assert.deepEqual(await leftovers(folder), before);
  await withRun(folder, { resume: true, epochs: 4 }, async (run, w) => {
    for await (const _ of run.train());
    assert.equal(await w(), 2);
    assert.equal((await run.test())?.loss, 3.5);
  });
  assert.equal(await kindsOf(folder), `${trained}, test 1, epoch 4, test 1`);
  assert.deepEqual(await weightsIn(folder), { best: 3.5, last: 2, state: 2 });
});

Deno.test("run: a test that ends early leaves the run as it was, to be tested later", async () => {
  await using root = await temporaryFolder();
  using folder = await trainedFolder(root.path);
  const before = await leftovers(folder);
  const torn: Source = {
    size: 3,
    batch: () => Promise.reject(new DataError("Cannot read c.png: it is torn")),
  };
  await withRun(folder, { resume: true, test: torn }, async (run, w) => {
    await assert.rejects(run.test(), /c\.png/);
    assert.equal(await w(), 2.5);
    await run.save();
  });
  assert.deepEqual(await leftovers(folder), before);
  const reason = new Error("interrupted"), interrupt = new AbortController();
  const slow: Source = {
    ...ones(3),
    batch(indices, epoch) {
      interrupt.abort(reason);
      return ones(3).batch(indices, epoch);
    },
  };
  await withRun(folder, { resume: true, test: slow }, async (run, w) => {
    await assert.rejects(run.test(interrupt.signal), (error) => error === reason);
    assert.equal(await w(), 2.5);
    await run.save();
  });
  assert.deepEqual(await leftovers(folder), before);
  await withRun(folder, { resume: true }, async (run) => {
    assert.equal((await run.test())?.loss, 3.5);
  });
});

Deno.test("run: saved within an epoch, the best weights stay those of their epoch", async () => {
  await using root = await temporaryFolder();
  using folder = await RunFolder.create(root.path, "falling", "ones", new Date());
  await withRun(folder, { resume: false }, async (run, w) => {
    for await (const event of run.train()) {
      if (event.kind === "step" && event.epoch === 1) break;
    }
    await run.save();
    assert.equal(await w(), 3.25);
  });
  assert.deepEqual(await weightsIn(folder), { best: 3.5, last: 3.25, state: 3.25 });
});

Deno.test("run: of epochs that are as good as each other the first is the best", async () => {
  await using root = await temporaryFolder();
  using folder = await RunFolder.create(root.path, "falling", "ones", new Date());
  await withRun(folder, { resume: false, lr: 0 }, async (run) => {
    for await (const _ of run.train());
    await run.test();
  });
  assert.equal(await kindsOf(folder), `${trained}, test 1`);
});

Deno.test("run: a state whose sums are another task's is refused", async () => {
  await using root = await temporaryFolder();
  using folder = await trainedFolder(root.path);
  const file = folder.file("state");
  const { tensors, metadata } = parseSafetensors(await Deno.readFile(file));
  const progress = { ...JSON.parse(metadata.progress), held: { steps: 1, values: [1, 2, 3, 4] } };
  const changed = { ...metadata, progress: JSON.stringify(progress) };
  await Deno.writeFile(file, serializeSafetensors(tensors, changed));
  await assert.rejects(
    withRun(folder, { resume: true }, () => Promise.resolve()),
    /^CheckpointError: Cannot resume from .*: it does not say where the run stood$/,
  );
});

Deno.test("run: a loss of the test that is no number comes after the last epoch", async () => {
  await using root = await temporaryFolder();
  using folder = await trainedFolder(root.path);
  const bad: Source = { size: 1, batch: () => Promise.resolve({ x: Float32Array.of(Infinity) }) };
  await withRun(folder, { resume: true, test: bad }, async (run) => {
    await assert.rejects(run.test(), /no finite number on the test examples after epoch 3,/);
  });
});

Deno.test("run: without best weights to test, nothing is lost", async () => {
  await using root = await temporaryFolder();
  using folder = await trainedFolder(root.path);
  await Deno.remove(folder.file("best"));
  await withRun(folder, { resume: true }, async (run, w) => {
    await assert.rejects(run.test(), /best\.safetensors does not exist/);
    assert.equal(await w(), 2.5);
  });
});
