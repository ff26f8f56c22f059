/** A run that was interrupted and resumed ends where an uninterrupted one ends, bit for bit. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { CheckpointError } from "../../core/errors.ts";
import type { Model } from "../../models/model.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { type Recipe, recipes } from "../../train/recipes.ts";
import { runFiles, RunFolder } from "../../train/run_folder.ts";
import type { FitEvent } from "../../train/fit_events.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { openTestDevices } from "../laws/devices.ts";
import { pick, smallDataset } from "./images.ts";
import { leftovers, session, type Stop } from "./run_sessions.ts";
import { ResidualNet } from "./tiny_nets.ts";

const devices = await openTestDevices();
const small = await smallDataset(256, 64);
/** What is best shows on the validation pictures. */
const dataset = { ...small, validation: pick(small.test, [...Array(40).keys()]) };
/** Eight steps an epoch, four epochs. */
const base: Recipe = { ...recipes["fashion-mini"], batchSize: 32, epochs: 4, seed: 7 };

interface Net {
  readonly make: () => Model;
  readonly recipe: Recipe;
}

const cnnWithAdam: Net = { make: () => new TutorialCnn({ classes: 10 }), recipe: base };
const residualWithMomentum: Net = {
  make: () => new ResidualNet(),
  recipe: { ...base, optimizer: "sgd", lr: 0.05, schedule: "cosine" },
};

/** What sessions leave that end at `stops`, then at the end. */
async function trainIn(device: Device, net: Net, stops: readonly Stop[]) {
  await using root = await temporaryFolder();
  using folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  const setting = { device, dataset, ...net };
  // When sums are read must not show in them.
  const readingMs = stops.length > 0 ? 0 : 1e6;
  let bits = await session(setting, folder, { resume: false, stop: stops[0], readingMs });
  for (let k = 1; k <= stops.length; k++) {
    bits = await session(setting, folder, { resume: true, stop: stops[k] });
  }
  folder[Symbol.dispose]();
  assert.deepEqual(await namesIn(folder.path), Object.values(runFiles).sort());
  return { bits, ...await leftovers(folder) };
}

const afterEpoch = (epoch: number): Stop => (event) =>
  event.kind === "epoch" && event.epoch === epoch;
const afterBatch = (epoch: number, batch: number): Stop => (event) =>
  event.kind === "step" && event.epoch === epoch && event.batch === batch;

const wasm = devices.all.find(({ kind }) => kind === "wasm")!;

for (const [name, setting] of Object.entries({ cnnWithAdam, residualWithMomentum })) {
  Deno.test(`resume: 2 + 2 epochs are 4 epochs, bit for bit: ${name}`, async () => {
    const whole = await trainIn(wasm, setting, []);
    const epochs = whole.rows.filter(({ kind }) => kind === "epoch");
    assert.deepEqual(epochs.map(({ epoch }) => epoch), [1, 2, 3, 4]);
    assert.equal(whole.rows.length, 4 + 4 * 2 + 1, "two log lines an epoch, and the test");
    assert.deepEqual(await trainIn(wasm, setting, [afterEpoch(1)]), whole);
  });

  Deno.test(`resume: stopped within epochs, bit for bit: ${name}`, async () => {
    const whole = await trainIn(wasm, setting, []);
    const stops = [afterBatch(0, 3), afterBatch(0, 8), afterBatch(2, 1), afterEpoch(2)];
    assert.deepEqual(await trainIn(wasm, setting, stops), whole);
  });
}

Deno.test("resume: stopped in an evaluation, which is then the first thing done", async () => {
  const whole = await trainIn(wasm, cnnWithAdam, []);
  await using root = await temporaryFolder();
  using folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  const setting = { device: wasm, dataset, ...cnnWithAdam };
  await session(setting, folder, { resume: false, abort: afterBatch(1, 8) });
  assert.equal((await leftovers(folder)).rows.at(-1)!.kind, "log", "the epoch was not measured");
  const events: FitEvent[] = [];
  const stop: Stop = (event) => events.push(event) < 0;
  const bits = await session(setting, folder, { resume: true, stop });
  assert.deepEqual([events[0].kind, events[0].epoch], ["epoch", 1]);
  assert.deepEqual({ bits, ...await leftovers(folder) }, whole);
});

devices.test("resume: stopped within an epoch, bit for bit", async (device) => {
  const setting: Net = { ...cnnWithAdam, recipe: { ...base, batchSize: 64, epochs: 2 } };
  assert.deepEqual(
    await trainIn(device, setting, [afterBatch(1, 2)]),
    await trainIn(device, setting, []),
  );
});

Deno.test("resume: a run that had ended stays as it is", async () => {
  await using root = await temporaryFolder();
  using folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  const first = await session({ device: wasm, dataset, ...cnnWithAdam }, folder, { resume: false });
  const events: FitEvent[] = [];
  const stop: Stop = (event) => events.push(event) < 0;
  assert.deepEqual(
    await session({ device: wasm, dataset, ...cnnWithAdam }, folder, { resume: true, stop }),
    first,
  );
  assert.deepEqual(events, []);
});

Deno.test("resume: the state of another optimiser is refused", async () => {
  await using root = await temporaryFolder();
  using folder = await RunFolder.create(root.path, "net", dataset.name, new Date());
  await session({ device: wasm, dataset, ...cnnWithAdam }, folder, {
    resume: false,
    stop: afterBatch(0, 1),
  });
  const other: Net = { ...cnnWithAdam, recipe: { ...base, optimizer: "sgd" } };
  await assert.rejects(
    session({ device: wasm, dataset, ...other }, folder, { resume: true }),
    (error) => {
      assert(error instanceof CheckpointError);
      assert.match(
        error.message,
        /^Cannot resume from .*state\.safetensors: .* adam, sgd is wanted$/,
      );
      return true;
    },
  );
});
