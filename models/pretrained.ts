/**
 * Nets with weights that come with Fovea, and the names of ImageNet's classes. An entry of its own:
 * whoever imports it fetches 9 MB with it.
 *
 * @module
 */
import { type Checkpoint, decodeCheckpoint } from "./checkpoint.ts";
import type { ModelName } from "./models.ts";

export { imagenetLabels, imagenetLabelsWithBackground } from "./pretrained/imagenet_labels.ts";

/** Names of the nets that come with weights, as in the table of models. */
export type PretrainedName = "tf_efficientnet_lite0" | "tutorial-cnn";

/** The bytes of each net's model file, from a module that is loaded when it is asked for. */
const files = {
  "tf_efficientnet_lite0": async () =>
    (await import("./pretrained/efficientnet_lite0.ts")).efficientnetLite0Imagenet(),
  "tutorial-cnn": async () =>
    (await import("./pretrained/tutorial_cnn_cifar10.ts")).tutorialCnnCifar10(),
} as const satisfies Record<PretrainedName & ModelName, () => Promise<Uint8Array>>;

/** All of them. */
export const pretrainedNames: readonly PretrainedName[] = Object.keys(files) as PretrainedName[];

/** True for the name of a net that comes with weights. */
export function isPretrainedName(name: string): name is PretrainedName {
  return Object.hasOwn(files, name);
}

/**
 * A net with its weights, names of classes and preparation, for `Predictor.create`, or to be
 * fine-tuned. It takes no permission, from a disk or a URL.
 *
 * @param name `tf_efficientnet_lite0`, ImageNet's thousand classes (9 MB, half precision), or
 *   `tutorial-cnn`, CIFAR-10's ten (0.2 MB, test accuracy 56 %)
 * @throws {DataError} when the file was exchanged for another
 * @example What is on a picture
 * ```ts
 * import { openDevice, Predictor } from "../mod.ts";
 * import { openPretrained } from "./pretrained.ts";
 * using device = await openDevice();
 * using predictor = await Predictor.create(device, await openPretrained("tutorial-cnn"));
 * const grey = { width: 40, height: 30, data: new Uint8Array(40 * 30 * 4).fill(128) };
 * const [best] = await predictor.predict(grey, { top: 1 });
 * console.log(best.label, best.probability > 0.1); // a name of CIFAR-10's, true
 * ```
 */
export async function openPretrained(
  name: PretrainedName = "tf_efficientnet_lite0",
): Promise<Checkpoint> {
  return decodeCheckpoint(await files[name](), `the built-in weights of ${name}`);
}
