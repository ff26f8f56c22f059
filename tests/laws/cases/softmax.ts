/** Laws of softmax and its logarithm. */
import * as fc from "npm:fast-check@4";
import type { Tensor } from "../../../core/graph.ts";
import { input } from "../../../core/structure.ts";
import { logSoftmax, softmax } from "../../../ops/mod.ts";
import * as references from "../../reference/softmax.ts";
import type { LawCase, NdArray } from "../case.ts";
import { rowShape } from "./rows.ts";

function caseOf(
  name: string,
  op: (x: Tensor) => Tensor,
  reference: (x: NdArray) => NdArray,
): LawCase {
  return {
    covers: [name],
    name,
    draw: fc.tuple(rowShape, fc.constantFrom(1, 8, 60)).map(([shape, range]) => ({
      label: `[${shape}] within ±${range}`,
      inputs: [{ shape, range: [-range, range] }],
      apply: ([x]) => [op(x)],
      reference: ([x]) => [reference(x)],
      differentiableIn: [0],
      special: {},
    })),
    refuses: [
      { call: () => op(input([], "x")), message: /x is a scalar, at least 1 axis is wanted/ },
      { call: () => op(input([3], "x", "u32")), message: /x \[3\] holds u32, f32 is wanted/ },
    ],
  };
}

/** Rows of 1 … 700 elements, values up to ±60. */
export const cases: readonly LawCase[] = [
  caseOf("softmax", softmax, references.softmax),
  caseOf("logSoftmax", logSoftmax, references.logSoftmax),
];
