/** Laws of the label's rank and of top-k hits. */
import * as fc from "npm:fast-check@4";
import { sizeOf } from "../../../core/shape.ts";
import { input } from "../../../core/structure.ts";
import { labelRank, topKHits } from "../../../ops/mod.ts";
import type { Instance, LawCase, NdArray } from "../case.ts";
import { labelsOf, rowShape } from "./rows.ts";

/**
 * By sorting: stable, so that of equal logits the first class comes first. NaN comes before all
 * numbers, but the label's own NaN last.
 */
function ranks([logits, labels]: readonly NdArray[], ignoreIndex: number): Float64Array {
  const c = logits.shape.at(-1)!;
  return labels.data.map((label, row) => {
    if (label === ignoreIndex || label < 0 || label >= c) return -1;
    const scores = logits.data.slice(row * c, row * c + c).map((v, j) =>
      !Number.isNaN(v) ? v : j === label ? -Infinity : Infinity
    );
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
    return order.indexOf(label);
  });
}

/** Logits are small whole numbers, so that many are equal, and a few are NaN. */
const logit = fc.oneof(
  { arbitrary: fc.integer({ min: -3, max: 3 }), weight: 12 },
  { arbitrary: fc.constant(NaN), weight: 1 },
);

const drawn = rowShape.chain((shape) => {
  const lead = shape.slice(0, -1), c = shape.at(-1)!, ignoreIndex = -100;
  const logits = fc.array(logit, {
    minLength: sizeOf(shape),
    maxLength: sizeOf(shape),
  });
  return fc.tuple(logits, labelsOf(sizeOf(lead), c, ignoreIndex), fc.integer({ min: 1, max: 5 }))
    .map(([scores, labels, k]) => ({
      label: `[${shape}], k ${k}`,
      lead,
      k,
      ignoreIndex,
      inputs: [
        { shape, values: scores },
        { shape: lead, dtype: "i32" as const, values: labels },
      ],
    }));
});

const logits = input([4, 10], "logits");

/** Both count, so results are exact. */
export const cases: readonly LawCase[] = [
  {
    covers: ["labelRank"],
    name: "labelRank",
    draw: drawn.map(({ label, lead, ignoreIndex, inputs }): Instance => ({
      label,
      inputs,
      apply: ([logits, labels]) => [labelRank(logits, labels, { ignoreIndex })],
      reference: (given) => [{ shape: lead, data: ranks(given, ignoreIndex) }],
      tolerance: [0, 0],
    })),
    refuses: [
      {
        call: () => labelRank(logits, input([4, 10], "labels", "i32")),
        message: /Cannot labelRank: labels \[4,10\] do not fit logits \[4,10\], \[4\] is wanted/,
      },
      { call: () => labelRank(logits, input([4], "labels")), message: /holds f32, i32 is wanted/ },
    ],
  },
  {
    covers: ["topKHits"],
    name: "topKHits",
    draw: drawn.map(({ label, k, ignoreIndex, inputs }): Instance => ({
      label,
      inputs,
      apply: ([logits, labels]) => [topKHits(logits, labels, k, { ignoreIndex })],
      reference: (given) => {
        const hits = ranks(given, ignoreIndex).filter((rank) => rank >= 0 && rank < k).length;
        return [{ shape: [], data: Float64Array.of(hits) }];
      },
      tolerance: [0, 0],
    })),
  },
];
