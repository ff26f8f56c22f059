/** Training on a person's terminal: Ctrl-C saves, resuming goes on, nothing is asked. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { quote } from "../../cli/shell.ts";
import { deviceOn } from "../../core/device.ts";
import { fashionClasses } from "../../data/idx.ts";
import { encodeCheckpoint } from "../../models/checkpoint.ts";
import { models } from "../../models/models.ts";
import { initialWeights } from "../../models/weights.ts";
import { openWasm } from "../../wasm/backend.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { squares } from "./classifiers.ts";
import {
  command,
  commandWords,
  interrupted,
  lastObject,
  type Result,
  root,
  spawn,
} from "./processes.ts";

/** Batches of 64 in nine tenths of 10,000 images. */
const perEpoch = 140;

/** Starts `train` and sends Ctrl-C once the first reading has been printed. */
async function interruptedTraining(args: readonly string[], folder: string): Promise<Result> {
  return await interrupted(spawn([Deno.execPath(), ...commandWords("train", args, folder)]));
}

Deno.test({
  name: "Ctrl-C: the run is saved, ends with 130, and --resume goes on to the end",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    const runs = join(folder.path, "runs");
    const args = ["--runs", runs, "--epochs", "2", "--json"];
    const stopped = await interruptedTraining(args, folder.path);
    assert.equal(stopped.code, 130, stopped.err);
    assert.equal(stopped.out, "");
    assert.match(stopped.err, /finishing the step and saving; Ctrl-C again stops at once/);
    const said =
      /saved after step ([\d,]+); deno run .*cli\/train\.ts --json --resume (\S+) goes on/
        .exec(stopped.err);
    assert(said, stopped.err);
    const [, step, run] = said, steps = Number(step.replace(",", ""));
    assert(steps > 0 && steps < 2 * perEpoch, `${steps} steps`);
    const names = await namesIn(run);
    assert(names.includes("last.safetensors") && names.includes("state.safetensors"), `${names}`);
    assert(!names.some((name) => name.endsWith(".part")));

    const { code, out, err } = await command("train", ["--resume", run, "--json"], {
      writable: folder.path,
    });
    assert.equal(code, 0, err);
    assert.match(
      err,
      new RegExp(
        `resume {2}at batch ${steps % perEpoch} of epoch ${1 + Math.floor(steps / perEpoch)}`,
      ),
    );
    assert.equal(lastObject(out).run, run);
    const rows = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trimEnd().split("\n");
    assert.deepEqual(
      rows.map((row) => JSON.parse(row)).filter(({ kind }) => kind === "epoch")
        .map(({ epoch }) => epoch),
      [1, 2],
    );
    for (const row of rows) assert(JSON.parse(row).loss > 0, row);
  },
});

/** A model file of a net that takes its time, without a training. */
async function deepWeights(file: string): Promise<void> {
  using device = deviceOn(openWasm());
  const model = models["resnet18-small"].create({ classes: 10 });
  using weights = initialWeights(device, model, 0);
  await Deno.writeFile(
    file,
    await encodeCheckpoint(weights, {
      classes: fashionClasses,
      preparation: squares(32, 28),
    }),
  );
}

Deno.test({
  name: "Ctrl-C: an evaluation ends within a second, with 130 and JSON",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "deep.safetensors");
    await deepWeights(file);
    // The quickest of a few: where other tests take the processor, every batch is slow.
    let quickestMs = Infinity;
    for (let attempt = 0; attempt < 5 && quickestMs > 1000; attempt++) {
      const words = ["--weights", file, "--device", "wasm", "--json"];
      const child = spawn([Deno.execPath(), ...commandWords("evaluate", words)]);
      const out = new Response(child.stdout).text();
      let err = "", sentAtMs = Infinity;
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        err += text;
        if (sentAtMs < Infinity || !/evaluate \d+ %/.test(err)) continue;
        child.kill("SIGINT");
        sentAtMs = performance.now();
      }
      const { code } = await child.status;
      quickestMs = Math.min(quickestMs, performance.now() - sentAtMs);
      assert.equal(code, 130, err);
      assert.match(err, /^error: Cannot go on: it was interrupted$/m);
      assert.equal(lastObject(await out).code, 130);
    }
    assert(quickestMs < 1000, `${quickestMs} ms`);
  },
});

/** Whether there is util-linux's `script`, which runs a command under a pseudo-terminal. */
async function hasScript(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    return (await new Deno.Command("script", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

const ignore = !await hasScript();
if (ignore) console.log("skipped: there is no `script` command for a pseudo-terminal");

Deno.test("pseudo-terminal: training draws a bar and asks for nothing", { ignore }, async () => {
  await using folder = await temporaryFolder();
  const args = ["--runs", join(folder.path, "runs"), "--epochs", "1"];
  const words = commandWords("train", args, folder.path).filter((word) => word !== "--no-prompt");
  const line = [Deno.execPath(), ...words].map(quote).join(" ");
  const { code, stdout } = await new Deno.Command("script", {
    args: ["-qec", `stty cols 120 rows 30; ${line}`, "/dev/null"],
    cwd: root,
    env: { NO_COLOR: "" },
    stdin: "null",
    stderr: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text);
  assert.doesNotMatch(text, /requests|Allow\?|ermission/);
  const escape = "\u001b", frames = text.split(`\r${escape}[K`);
  assert(frames.length > 5, `${frames.length} frames`);
  assert(frames.some((frame) => frame.includes("━") && frame.includes("img/s")), text);
  assert(text.includes(`${escape}[32mdone${escape}[39m`), "colours");
  assert.match(text, /try {5}deno run --allow-read cli\/predict\.ts --weights /);
});
