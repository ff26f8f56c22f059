/** A proof, made for every plan, that each step still finds the values it reads. */
import type { Tensor } from "../graph.ts";
import { asLeaf } from "../graph.ts";
import { type BufferRange, overlaps } from "./buffer_range.ts";
import { baseOf } from "./buffers.ts";
import type { Draft } from "./draft.ts";
import type { Step } from "./steps.ts";

/**
 * Walks the steps and notes which value each range of each buffer holds.
 *
 * @throws {Error} when a step would read a range that was overwritten: a bug of the planner
 */
export function checkReads(
  drafts: readonly Draft[],
  steps: readonly Step[],
  rangeOf: (t: Tensor) => BufferRange,
): void {
  const holds: { range: BufferRange; value: unknown }[][] = [];
  const write = (range: BufferRange, value: unknown): void => {
    const list = holds[range.buffer] ??= [];
    holds[range.buffer] = [...list.filter((h) => !overlaps(h.range, range)), { range, value }];
  };
  for (const [k, draft] of drafts.entries()) {
    for (const t of draft.reads) {
      const base = baseOf(t), leaf = asLeaf(base), range = rangeOf(t);
      const found = (holds[range.buffer] ?? []).filter((h) => overlaps(h.range, range));
      const stale = leaf
        ? found.length > 0
        : base.node.op.kind !== "pack" && !found.some((h) => h.value === base);
      if (stale) {
        throw new Error(`Cannot plan: ${draft.label} would read ${t} after it was overwritten`);
      }
    }
    const step = steps[k];
    if (step.kind === "copy") write(step.to, draft);
    else for (const t of draft.writes) write(rangeOf(t), baseOf(t));
  }
}
