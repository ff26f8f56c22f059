/** What surroundings do to a command: names that a terminal would obey, a disk that is full. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodes } from "../../cli/exit.ts";
import { isPrintable, printable } from "../../cli/printable.ts";
import { deviceOn } from "../../core/device.ts";
import { fashionClasses } from "../../data/idx.ts";
import { encodeCheckpoint } from "../../models/checkpoint.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { openWasm } from "../../wasm/backend.ts";
import { squares } from "./classifiers.ts";
import { command, type CommandName, deno, lastObject } from "./processes.ts";

const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const preprocessing = { preparation: squares(32, 28) };

Deno.test("checks: a run folder is made for a run that can begin", async () => {
  const runs = at("unmade");
  for (const args of [["--batch-size", "20000"], ["--max-memory", "1"]]) {
    const { code, err } = await command("train", ["--runs", runs, ...args], { writable: folder });
    assert.notEqual(code, 0, err);
    await assert.rejects(Deno.stat(runs), Deno.errors.NotFound);
  }
});

Deno.test("full disk: it is told with the path", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await Deno.mkdir(at("full"));
  const program = fileURLToPath(new URL("fixtures/full_disk.ts", import.meta.url));
  const { code, out, err } = await deno(["run", "--allow-all", program, at("full")]);
  assert.deepEqual({ code, out }, { code: 0, out: "told\n" }, err);
});

Deno.test("hostile names: those that a terminal would obey are shown instead", async () => {
  const { failed, usage } = exitCodes, evil = "\x1b[2J\u202egnp";
  const classes = fashionClasses.map((name) => `${name}${evil}`);
  using device = deviceOn(openWasm());
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 0);
  const model = at(`${evil}.safetensors`), picture = at(`${evil}.png`), text = at(`${evil}.txt`);
  await Deno.writeFile(model, await encodeCheckpoint(weights, { ...preprocessing, classes }));
  await Deno.copyFile("examples/pictures/bag.png", picture);
  await Deno.copyFile("deno.json", text);
  const runs = at(`${evil} runs`);
  const uses: readonly (readonly [CommandName, readonly string[], number])[] = [
    ["predict", ["--weights", model, picture], 0],
    ["predict", ["--weights", model, "--json", picture], 0],
    ["predict", ["--weights", model, "--json", text], failed],
    ["predict", [`--${evil}`], usage],
    ["evaluate", ["--weights", model], usage],
    ["train", ["--resume", runs], usage],
    ["train", ["--epochs", "1", "--runs", runs], 0],
  ];
  for (const [verb, args, ends] of uses) {
    const { code, out, err } = await command(verb, args, { writable: folder });
    assert.equal(code, ends, err);
    for (const line of `${out}${err}`.split("\n")) assert(isPrintable(line), printable(line));
  }
  const { out, err } = await command("evaluate", ["--weights", model, "--json"]);
  assert.match(err, /\\x1b\[2J\\u202egnp/);
  assert.equal(lastObject(out).code, usage);
});
