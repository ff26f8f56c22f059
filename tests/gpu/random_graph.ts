/** Random graphs of whole numbers for fast-check, exact in f32 however they are fused. */
import fc from "npm:fast-check@4";
import type { Tensor } from "../../core/graph.ts";
import { sizeOf } from "../../core/shape.ts";
import { full, reshape } from "../../core/structure.ts";
import { add, boundedMul, choose, fold, sub } from "./support.ts";

/** One node: which function, of which earlier values. */
export interface Instruction {
  readonly kind: number;
  readonly operands: readonly [number, number, number];
  readonly isOutput: boolean;
}

/** Up to nine nodes. */
export const instructions: fc.Arbitrary<Instruction[]> = fc.array(
  fc.record({
    kind: fc.nat(5),
    operands: fc.tuple(fc.nat(), fc.nat(), fc.nat()),
    isOutput: fc.boolean(),
  }),
  { minLength: 1, maxLength: 9 },
);

/** Follows instructions from leaves that broadcast together: all values made, and the outputs. */
export function buildGraph(
  leaves: readonly Tensor[],
  program: readonly Instruction[],
): { readonly values: readonly Tensor[]; readonly outputs: readonly Tensor[] } {
  const values = [...leaves, full(2), full(-1, [2, 4])], outputs: Tensor[] = [];
  for (const { kind, operands, isOutput } of program) {
    const [x, y, z] = operands.map((n) => values[n % values.length]);
    const made = [
      () => add(x, y),
      () => sub(x, y),
      () => boundedMul(x, y),
      () => choose(x, y, z),
      () => fold(x),
      () => reshape(reshape(x, [sizeOf(x.shape)]), x.shape),
    ][kind]();
    values.push(made);
    if (isOutput) outputs.push(made);
  }
  return { values, outputs: outputs.length ? outputs : [values.at(-1)!] };
}
