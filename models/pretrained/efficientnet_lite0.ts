/** EfficientNet-Lite0 with ImageNet's thousand classes: the net that comes with Fovea. */
import { DataError } from "../../core/errors.ts";
import { weights } from "./efficientnet_lite0/weights.js";

/**
 * The model file's bytes, for `decodeCheckpoint`: 9.3 MB, weights in half precision. Importing this
 * module loads them, with no permission, from a disk or a URL.
 *
 * @throws {DataError} when the file was exchanged for another
 * @source Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite"; ported by ML
 *   Illustrated (Apache-2.0, see the licence beside the weights)
 */
export function efficientnetLite0Imagenet(): Uint8Array<ArrayBuffer> {
  const found = WebAssembly.Module.customSections(weights, "model.safetensors");
  if (found.length === 1) return new Uint8Array(found[0]);
  const file = "weights.wasm", fact = `${file} has ${found.length} model files, 1 is wanted`;
  throw new DataError(`Cannot open the built-in weights: ${fact}`, { file });
}
