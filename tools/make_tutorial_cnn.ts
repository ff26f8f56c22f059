/**
 * Turns a model file into the module that ships with Fovea, importable without a permission:
 *
 *     deno task train --dataset cifar10 --data-dir DIR --seed 2
 *     deno run --allow-read --allow-write tools/make_tutorial_cnn.ts runs/…/last.safetensors
 */
import { decodeCheckpoint } from "../models/checkpoint.ts";

const [file] = Deno.args, bytes = await Deno.readFile(file);
const { model, content: { metadata } } = decodeCheckpoint(bytes, file);
const target = new URL("../models/pretrained/tutorial_cnn_cifar10.ts", import.meta.url);
const accuracy = metadata.test_accuracy ?? "unknown";
await Deno.writeTextFile(
  target,
  `// Made by tools/make_tutorial_cnn.ts; do not edit.
// deno-fmt-ignore-file
/** Weights of the tutorial's CNN for CIFAR-10, ${metadata.epoch} epochs, test accuracy ${accuracy}. */

const base64 =
  "${bytes.toBase64()}";

/** The model file's bytes, for \`decodeCheckpoint\`. */
export function tutorialCnnCifar10(): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(base64);
}
`,
);
console.log(`${target.pathname}: ${model.name}, ${bytes.length} bytes of weights`);
