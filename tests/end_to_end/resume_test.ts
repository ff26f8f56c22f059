/** A run that was interrupted and resumed ends where an uninterrupted one ends, bit for bit. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { CheckpointError } from "../../core/errors.ts";
import type { Recipe } from "../../data/dataset.ts";
import type { Model } from "../../models/model.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { Run } from "../../train/run.ts";
import { runFiles, RunFolder } from "../../train/run_folder.ts";
import { type FitEvent, Trainer } from "../../train/trainer.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { openTestDevices } from "../laws/devices.ts";
import { smallDataset } from "./images.ts";
import { ResidualNet } from "./tiny_nets.ts";
import { bitsOf, checksum } from "./weights.ts";

const devices = await openTestDevices();
const dataset = await smallDataset(256, 64);
/** Eight steps an epoch, four epochs. */
const base: Recipe = { ...dataset.recipe, batchSize: 32, epochs: 4, seed: 7 };

/** What is trained: its kind of optimiser state and of weights. */
interface Setting {
  readonly make: () => Model;
  readonly recipe: Recipe;
}

const cnnWithAdam: Setting = { make: () => new TutorialCnn({ classes: 10 }), recipe: base };
const residualWithMomentum: Setting = {
  make: () => new ResidualNet(),
  recipe: { ...base, optimizer: "sgd", lr: 0.05, schedule: "cosine" },
};

/** Where a session ends: told of every event, true to leave. */
type Stop = (event: FitEvent) => boolean;

/** One session of a run in a folder, begun or resumed; returns the bits of its weights. */
async function session(
  device: Device,
  { make, recipe }: Setting,
  folder: RunFolder,
  options: { readonly resume: boolean; readonly stop?: Stop },
): Promise<Map<string, string>> {
  // Weights drawn from another seed: resuming has to overwrite all of them.
  const seed = options.resume ? 1000 : recipe.seed;
  using weights = initialWeights(device, make(), seed);
  using trainer = await Trainer.create({ device, weights, dataset, recipe, readingMs: 0 });
  const run = options.resume
    ? await Run.resume(trainer, folder)
    : await Run.begin(trainer, folder, {
      version: "0",
      device: device.name,
      dataset: dataset.name,
      model: "tutorial-cnn",
      classes: dataset.classes,
      recipe,
      parameters: weights.size,
    });
  for await (const event of run.train()) {
    if (!options.stop?.(event)) continue;
    await run.save();
    break;
  }
  return await bitsOf(weights);
}

/** A row of `metrics.jsonl`. */
interface Row {
  readonly epoch: number;
  readonly loss: number;
  readonly top1: number;
}

/** Weights, optimiser state and epochs at the end of sessions that end at `stops`, then at the end. */
async function trainIn(device: Device, setting: Setting, stops: readonly Stop[]) {
  await using root = await temporaryFolder();
  const folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  let bits = await session(device, setting, folder, { resume: false, stop: stops[0] });
  for (let k = 1; k <= stops.length; k++) {
    bits = await session(device, setting, folder, { resume: true, stop: stops[k] });
  }
  assert.deepEqual(await namesIn(folder.path), Object.values(runFiles).sort());
  const rows = (await Deno.readTextFile(folder.file("metrics"))).trim().split("\n");
  const epochs = rows.map((row) => JSON.parse(row) as Row);
  const state = checksum(await Deno.readFile(folder.file("state")));
  const best = checksum(await Deno.readFile(folder.file("best")));
  // Rates depend on the clock; losses of a resumed epoch are those of all of it.
  const told = epochs.map(({ epoch, loss, top1 }) => [epoch, Number(loss).toFixed(9), top1]);
  return { bits, state, best, epochs: told };
}

const afterEpoch = (epoch: number): Stop => (event) =>
  event.kind === "epoch" && event.epoch === epoch;
const afterBatch = (epoch: number, batch: number): Stop => (event) =>
  event.kind === "step" && event.epoch === epoch && event.batch === batch;

const wasm = devices.all.find(({ kind }) => kind === "wasm")!;

for (const [name, setting] of Object.entries({ cnnWithAdam, residualWithMomentum })) {
  Deno.test(`resume: 2 + 2 epochs are 4 epochs, bit for bit: ${name}`, async () => {
    const whole = await trainIn(wasm, setting, []);
    assert.deepEqual(whole.epochs.map(([epoch]) => epoch), [1, 2, 3, 4]);
    assert.deepEqual(await trainIn(wasm, setting, [afterEpoch(1)]), whole);
  });

  Deno.test(`resume: stopped within epochs, bit for bit: ${name}`, async () => {
    const whole = await trainIn(wasm, setting, []);
    const stops = [afterBatch(0, 3), afterBatch(0, 8), afterBatch(2, 1), afterEpoch(2)];
    assert.deepEqual(await trainIn(wasm, setting, stops), whole);
  });
}

devices.test("resume: stopped within an epoch, bit for bit", async (device) => {
  const setting: Setting = { ...cnnWithAdam, recipe: { ...base, batchSize: 64, epochs: 2 } };
  assert.deepEqual(
    await trainIn(device, setting, [afterBatch(1, 2)]),
    await trainIn(device, setting, []),
  );
});

Deno.test("resume: a run that had ended stays as it is", async () => {
  await using root = await temporaryFolder();
  const folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  const first = await session(wasm, cnnWithAdam, folder, { resume: false });
  const events: FitEvent[] = [];
  const stop: Stop = (event) => events.push(event) < 0;
  assert.deepEqual(await session(wasm, cnnWithAdam, folder, { resume: true, stop }), first);
  assert.deepEqual(events, []);
});

Deno.test("resume: the state of another optimiser is refused", async () => {
  await using root = await temporaryFolder();
  const folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  await session(wasm, cnnWithAdam, folder, { resume: false, stop: afterBatch(0, 1) });
  const other: Setting = { ...cnnWithAdam, recipe: { ...base, optimizer: "sgd" } };
  await assert.rejects(session(wasm, other, folder, { resume: true }), (error) => {
    assert(error instanceof CheckpointError);
    assert.match(
      error.message,
      /^Cannot resume from .*state\.safetensors: .* adam, sgd is wanted$/,
    );
    return true;
  });
});
