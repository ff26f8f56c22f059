/**
 * Turns the published file into the one that ships with Fovea: weights in half precision, as a
 * section of a WebAssembly module.
 *
 *     deno run --allow-read --allow-write=models/pretrained models/pretrained/efficientnet_lite0/make.ts FILE.pth
 */
import { packSections } from "../../../tools/wasm_container.ts";
import { openWasm } from "../../../wasm/backend.ts";
import { deviceOn } from "../../../core/device.ts";
import { encodeCheckpoint } from "../../checkpoint.ts";
import { readStateDict } from "../../checkpoint/state_dict.ts";
import { efficientnetLite0 as entry } from "../../efficientnet_lite.ts";
import type { Preparation } from "../../preparation.ts";
import { Weights } from "../../weights.ts";
import { imagenetLabels as classes } from "../imagenet_labels.ts";

const [file] = Deno.args, model = entry.create({ classes: classes.length });
using device = deviceOn(openWasm());
using weights = new Weights(device, model);
weights.load(
  readStateDict(await Deno.readFile(file), file),
  { rename: entry.rename?.(model) },
  file,
);
// The whole picture, stretched: what people want to have named is not always in the middle.
const preparation: Preparation = { ...entry.preparation, fit: "stretch", share: 1 };
const usage = { classes, preparation };
const bytes = await encodeCheckpoint(weights, usage, { source: file.split("/").at(-1)! }, {
  dtype: "F16",
});
const target = new URL("weights.wasm", import.meta.url);
await Deno.writeFile(target, packSections({ "model.safetensors": bytes }).stream());
console.log(`${target.pathname}: ${bytes.length} bytes`);
