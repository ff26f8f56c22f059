/** `train --resume`: what can be changed is written to the run, what cannot is refused by name. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseSafetensors, serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { command, commandWords, spawn } from "./processes.ts";

const quick = ["--batch-size", "2500", "--device", "wasm"];

/** A run of one epoch in a folder; its path. */
async function shortRun(folder: string, ...more: readonly string[]): Promise<string> {
  const args = ["--runs", folder, "--epochs", "1", ...quick, ...more];
  const { code, err } = await command("train", args, { writable: folder });
  assert.equal(code, 0, err);
  return join(folder, (await namesIn(folder))[0]);
}

async function configOf(run: string): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(join(run, "config.json")));
}

Deno.test("resume: options are written to the run, or refused by name", async () => {
  await using folder = await temporaryFolder();
  const run = await shortRun(folder.path), before = await configOf(run);
  const resume = async (...args: readonly string[]) =>
    await command("train", ["--resume", run, "--device", "wasm", ...args], {
      writable: folder.path,
    });
  const fixed = [
    ["--seed", "3", "it has 0"],
    ["--dataset", "mnist", "it has fashion-mini"],
    ["--model", "resnet18", "it has tutorial-cnn"],
    ["--optimizer", "sgd", "it has adam"],
    ["--batch-size", "4", "it has 2500"],
    ["--validation", "0.2", "it has 0.1"],
    ["--runs", "elsewhere", "it stays in its folder"],
  ];
  for (const [option, value, has] of fixed) {
    const { code, err } = await resume(option, value);
    assert.equal(code, 2, err);
    assert(err.includes(`with ${option} ${value}: ${has}`), err);
  }
  assert.deepEqual(await configOf(run), before, "a refused option changes nothing");

  await Deno.writeFile(join(run, "metrics.jsonl"), new Uint8Array(9), { append: true });
  const { code, err } = await resume("--epochs", "2", "--lr", "0.0005", "--seed", "0");
  assert.equal(code, 0, err);
  assert.match(err, /metrics\.jsonl: rows written after the last save were dropped/);
  const after = await configOf(run);
  assert.deepEqual(after.recipe, { ...before.recipe as object, epochs: 2, lr: 0.0005 });
  assert.equal(after.started, before.started);
  assert(Date.parse(`${after.resumed}`) > Date.parse(`${after.started}`));
  const rows = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trimEnd().split("\n");
  assert.deepEqual(
    rows.map((row) => JSON.parse(row)).map(({ kind, epoch }) => `${kind} ${epoch}`),
    ["epoch 1", "test 1", "epoch 2", "test 2"],
  );
});

Deno.test("resume: a run of the version before is refused with a word, and left as it is", async () => {
  await using folder = await temporaryFolder();
  const run = await shortRun(folder.path), config = join(run, "config.json");
  const file = join(run, "state.safetensors"), state = await Deno.readFile(file);
  const resume = async () => {
    const { code, err } = await command("train", ["--resume", run, "--epochs", "2"], {
      writable: folder.path,
    });
    return { code, err };
  };
  const { tensors, metadata } = parseSafetensors(state);
  await Deno.writeFile(
    file,
    serializeSafetensors(tensors, { ...metadata, format: "fovea-state/2" }),
  );
  const byState = await resume();
  assert.equal(byState.code, 1, byState.err);
  assert.match(byState.err, /its format is fovea-state\/2, fovea-state\/3 is wanted/);
  await Deno.writeFile(file, state);
  const { recipe: { preparation: _, validation: __, ...recipe }, ...rest } = JSON.parse(
    await Deno.readTextFile(config),
  );
  const old = JSON.stringify({ ...rest, recipe: { ...recipe, imageSize: 32 } });
  await Deno.writeTextFile(config, old);
  const byConfig = await resume();
  assert.equal(byConfig.code, 2, byConfig.err);
  assert.match(byConfig.err, /is of another version of Fovea, whose recipes had other fields/);
  assert.equal(await Deno.readTextFile(config), old);
});

Deno.test("resume: a run that is being trained is refused, with its process", async () => {
  await using folder = await temporaryFolder();
  const run = await shortRun(folder.path);
  const args = ["--resume", run, "--device", "wasm", "--epochs", "500"];
  const owner = spawn([Deno.execPath(), ...commandWords("train", args, folder.path)]);
  const out = new Response(owner.stdout).text();
  let told = "", second: Awaited<ReturnType<typeof command>> | undefined;
  for await (const text of owner.stderr.pipeThrough(new TextDecoderStream())) {
    told += text;
    if (second || !/epoch +2\//.test(told)) continue;
    second = await command("train", args, { writable: folder.path });
    owner.kill("SIGTERM");
  }
  const { code } = await owner.status;
  await out;
  assert.equal(second?.code, 2, second?.err);
  assert.match(second!.err, new RegExp(`process ${owner.pid} is training in it`));
  assert.equal(code, 143, told);
  assert.equal(
    (await command("train", [...args.slice(0, -1), "2"], { writable: folder.path })).code,
    0,
  );
});

Deno.test("train: weights that are no numbers end it with 4, and never become the best", async () => {
  await using folder = await temporaryFolder();
  const args = ["--runs", folder.path, "--epochs", "2", "--optimizer", "sgd", "--lr", "1e30"];
  // One step an epoch: its loss was measured before the update that spoils the weights.
  const { code, err } = await command("train", [
    ...args,
    "--batch-size",
    "9000",
    "--validation",
    "0.1",
  ], {
    writable: folder.path,
  });
  assert.equal(code, 4, err);
  assert.match(err, /error: Cannot go on training: .* (no finite number|lower learning rate)/);
  const run = join(folder.path, (await namesIn(folder.path))[0]);
  assert(!(await namesIn(run)).includes("best.safetensors"));
});
