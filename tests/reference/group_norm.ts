/** Normalisation within examples in plain float64. */
import type { NdArray } from "../laws/case.ts";

/** `(x − mean) / √(var + eps) · gamma + beta` over sets of elements: those with an equal number. */
export function normalizedBy(
  [x, gamma, beta]: readonly NdArray[],
  setOf: (i: number) => number,
  eps: number,
): NdArray {
  const sets = Map.groupBy(x.data.keys(), setOf), c = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (const members of sets.values()) {
    // Divided last: the mean of equal numbers is that number, and what is left of each is 0.
    const mean = members.reduce((sum, i) => sum + x.data[i], 0) / members.length;
    const variance = members.reduce((sum, i) => sum + (x.data[i] - mean) ** 2 / members.length, 0);
    for (const i of members) {
      const normal = (x.data[i] - mean) / Math.sqrt(variance + eps);
      data[i] = normal * gamma.data[i % c] + beta.data[i % c];
    }
  }
  return { shape: x.shape, data };
}
