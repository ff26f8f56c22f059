/**
 * Turns the published file into the one that ships with Fovea: weights in half precision, as a
 * section of a WebAssembly module.
 *
 *     deno run --allow-read --allow-write=models/pretrained tools/make_efficientnet_lite0.ts FILE.pth
 */
import { packSections } from "./wasm_container.ts";
import { openWasm } from "../wasm/backend.ts";
import { deviceOn } from "../core/device.ts";
import { encodeCheckpoint } from "../models/checkpoint.ts";
import { readStateDict } from "../models/checkpoint/state_dict.ts";
import { efficientnetLite0 as entry } from "../models/efficientnet_lite.ts";
import type { Preparation } from "../models/preparation.ts";
import { Weights } from "../models/weights.ts";
import { imagenetLabels as classes } from "../models/pretrained/imagenet_labels.ts";

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
const metadata = { source: file.split("/").at(-1)! };
const bytes = await encodeCheckpoint(weights, usage, { metadata, dtype: "F16" });
const target = new URL(
  "../models/pretrained/efficientnet_lite0/weights.wasm",
  import.meta.url,
);
await Deno.writeFile(target, packSections({ "model.safetensors": bytes }).stream());
console.log(`${target.pathname}: ${bytes.length} bytes`);
