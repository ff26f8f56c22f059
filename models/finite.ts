/** Whether weights are numbers: a net with a NaN in it answers, but says nothing. */
import type { StoredTensor } from "./checkpoint/stored_tensor.ts";

/**
 * The first tensor that holds a NaN or an infinity, as `conv1.weight`; undefined where all is well.
 */
export function firstNotFinite(
  tensors: Iterable<readonly [path: string, tensor: StoredTensor]>,
): string | undefined {
  for (const [name, { bytes }] of tensors) {
    const { buffer, byteOffset, byteLength } = bytes;
    if (!new Float32Array(buffer, byteOffset, byteLength / 4).every(Number.isFinite)) return name;
  }
  return undefined;
}

/** Whether any element is a NaN. */
export function holdsNaN(elements: Float32Array): boolean {
  return elements.some(Number.isNaN);
}
