/** Export as a user runs it: from nets that ship, runs and foreign files, to both formats. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { deviceOn } from "../../core/device.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../models/checkpoint.ts";
import { serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { models } from "../../models/models.ts";
import { toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { initialWeights } from "../../models/weights.ts";
import { runFiles } from "../../train/run_folder.ts";
import { openWasm } from "../../wasm/backend.ts";
import { namesIn } from "../data/support.ts";
import { readOnnx } from "../reference/onnx_file.ts";
import { command, lastObject, type Result } from "./processes.ts";

const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const at = (...names: string[]): string => join(folder, ...names);

const run = (...words: string[]): Promise<Result> =>
  command("export", words, { writable: folder, cwd: folder });

const { create, preparation } = models["resnet20"], classes = ["left", "right"];
{
  using device = deviceOn(openWasm());
  using weights = initialWeights(device, create({ classes: 2 }), 1);
  await Deno.mkdir(at("run"));
  const bytes = await encodeCheckpoint(weights, { classes, preparation });
  await Deno.writeFile(at("run", runFiles.best), bytes);
  await Deno.writeFile(at("foreign.safetensors"), serializeSafetensors(await weights.save()));
  await Deno.writeTextFile(at("labels.txt"), classes.join("\n"));
}

Deno.test("export: a net that ships, as ONNX, where the user stands", async () => {
  const { code, out, err } = await run("tutorial-cnn");
  assert.equal(code, 0, err);
  assert.match(
    out,
    /^tutorial-cnn\.onnx {2}onnx, 250 kB\n {2}pixels \[batch,3,32,32\], RGB, 0 to 1\n/,
  );
  const { nodes, metadata } = readOnnx(await Deno.readFile(at("tutorial-cnn.onnx")));
  assert.equal(nodes.filter(({ op }) => op === "Gemm").length, 3);
  assert.equal(JSON.parse(metadata.classes)[3], "cat");
});

Deno.test("export: the best weights of a run, with the options of the format", async () => {
  const options = ["--half", "--pixels", "bytes", "--keep-batch-norm", "--size", "40", "--json"];
  const { code, out, err } = await run("run", "-o", "x.onnx", ...options);
  assert.equal(code, 0, err);
  const { nodes, metadata, inputs } = readOnnx(await Deno.readFile(at("x.onnx")));
  assert.equal(nodes.filter(({ op }) => op === "BatchNormalization").length, 19);
  assert.deepEqual(JSON.parse(metadata.classes), classes);
  assert.deepEqual([metadata.pixels, metadata.model], ["bytes", "resnet20"]);
  assert.deepEqual([...inputs.values()], [["batch", 3, 40, 40]]);
  const said = lastObject(out), { size } = await Deno.stat(at("x.onnx"));
  assert.deepEqual(said, { file: "x.onnx", format: "onnx", model: "resnet20", bytes: size });
  assert(size < 700_000, "half of 1.1 MB");
});

Deno.test("export: a foreign file becomes one that says what it is for", async () => {
  const words = ["foreign.safetensors", "--model", "resnet20", "--labels", "labels.txt", "--half"];
  const { code, err } = await run(...words, "-o", "resnet20.safetensors");
  assert.equal(code, 0, err);
  const bytes = await Deno.readFile(at("resnet20.safetensors"));
  const found = decodeCheckpoint(bytes, "resnet20.safetensors");
  assert.deepEqual([found.model.name, found.classes], ["resnet20", classes]);
  assert.deepEqual(found.preparation, preparation);
  const own = decodeCheckpoint(await Deno.readFile(at("run", runFiles.best)), "best");
  for (const [path, stored] of own.content.tensors) {
    const half = found.content.tensors.get(path)!,
      wanted = new Float16Array(toFloat32(path, stored));
    assert.deepEqual([half.dtype, new Float16Array(toFloat32(path, half))], ["F16", wanted], path);
  }
});

Deno.test("export: what cannot be, is refused before anything is written", async () => {
  const before = await namesIn(folder);
  for (
    const [words, wanted] of [
      [
        ["foreign.safetensors", "--model", "resnet20", "-o", "./foreign.safetensors"],
        /it is the file/,
      ],
      [
        ["run", "--weights", "tutorial-cnn"],
        /Cannot export run and tutorial-cnn: one net at a time/,
      ],
      [["foreign.safetensors"], /it does not say which architecture/],
      [["gone.pth"], /gone\.pth does not exist/],
      [["tutorial-cnn", "-o", "gone/x.onnx"], /gone.* does not exist/],
    ] as const
  ) {
    const { code, err } = await run(...words);
    assert.notEqual(code, 0);
    assert.match(err, wanted);
  }
  assert.deepEqual(await namesIn(folder), before);
});
