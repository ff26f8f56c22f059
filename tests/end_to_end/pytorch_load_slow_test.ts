/** Files we save, read by PyTorch: the same logits there, so the flatten before fc1 is right too. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deviceOn } from "../../core/device.ts";
import { input } from "../../core/structure.ts";
import { encodeCheckpoint } from "../../models/checkpoint.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { pixels as unpack } from "../../ops/pixels.ts";
import { adam } from "../../train/optimizer.ts";
import { openWasm } from "../../wasm/backend.ts";
import { assertClose } from "../assert.ts";
import { temporaryFolder } from "../data/support.ts";
import { classifierStep, squares } from "./classifiers.ts";
import { batchOf, pick, smallDataset } from "./images.ts";

const python = "/usr/bin/python3";
const checkLoad = fileURLToPath(new URL("../fixtures/tutorial_cnn/check_load.py", import.meta.url));

/** Whether the system's Python has PyTorch (Debian: python3-torch, python3-pil). */
async function hasTorch(): Promise<boolean> {
  try {
    const args = ["-c", "import torch, PIL"];
    return (await new Deno.Command(python, { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

const isOn = Deno.env.get("FOVEA_SLOW") === "1";
const ignore = !isOn || !await hasTorch();
if (ignore) {
  console.log(`skipped: ${isOn ? `no PyTorch for ${python} here` : "FOVEA_SLOW is not 1"}`);
}

Deno.test("PyTorch loads what we save and computes the same logits", { ignore }, async () => {
  await using folder = await temporaryFolder();
  using device = deviceOn(openWasm());
  const { train, test, classes } = await smallDataset(64, 200), indices = [0, 7, 50, 123, 199];
  const preparation = squares(32, 28);
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 5);
  {
    // Trained a little, so that logits are large and no tensor is as it was drawn.
    using step = await classifierStep(device, weights, adam(), { batchSize: 64 });
    const batch = await batchOf(train);
    for (let k = 0; k < 20; k++) step.run(batch, 0.003);
  }
  const file = join(folder.path, "saved.safetensors");
  await Deno.writeFile(file, await encodeCheckpoint(weights, { classes, preparation }));

  const images = input([indices.length, 32, 32], "pixels", "u32");
  const logits = weights.model.forward(unpack(images, preparation));
  using plan = await device.compile({ outputs: [logits] }, { stores: weights.stores });
  plan.run([[images, (await batchOf(pick(test, indices))).pixels]]);
  const ours = await plan.read(logits);

  const { code, stdout, stderr } = await new Deno.Command(python, {
    args: [checkLoad, file, ...indices.map(String)],
    signal: AbortSignal.timeout(120_000),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const said = JSON.parse(new TextDecoder().decode(stdout)) as { readonly logits: number[][] };
  const theirs = said.logits.flat();
  assert(Math.max(...theirs) - Math.min(...theirs) > 1, "logits that tell classes apart");
  assertClose(ours, theirs, { atol: 2e-5, rtol: 1e-5, what: "our logits" });
});
