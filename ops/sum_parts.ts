/** The second pass of sums that were split over chunks. */
import { type Binding, perElement, type WgslPass } from "../core/kernel.ts";

/**
 * `y[i] = Σ_p parts[p·total + i]`, in the order of the parts, so that results repeat to the bit.
 *
 * @param from where the partial sums lie; bound as `parts`
 * @param to where the sums go; bound as `y`
 */
export function sumPartsPass(
  label: string,
  parts: number,
  total: number,
  from: Binding["ref"],
  to: Binding["ref"],
): WgslPass {
  const { head, groups } = perElement(total);
  return {
    label: `${label}/sum_parts[${parts}x${total}]`,
    bindings: [
      { name: "parts", ref: from, type: "f32", access: "read" },
      { name: "y", ref: to, type: "f32", access: "read_write" },
    ],
    groups,
    code: `${head}
  var s = 0.0;
  for (var p = 0u; p < ${parts}u; p++) { s += parts[p * ${total}u + i]; }
  y[i] = s;
}`,
  };
}
