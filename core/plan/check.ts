/** A proof, made for every plan, that each step still finds the values it reads. */
import type { Tensor } from "../graph.ts";
import { asLeaf } from "../graph.ts";
import type { Draft } from "./schedule.ts";
import type { Place, Step } from "./steps.ts";
import { baseOf } from "./storage.ts";

/**
 * Walks the steps and notes which value each range of each buffer holds.
 *
 * @throws {Error} when a step would read a range that was overwritten: a bug of the planner
 */
export function checkReads(
  drafts: readonly Draft[],
  steps: readonly Step[],
  placeOf: (t: Tensor) => Place,
): void {
  const holds: { place: Place; value: unknown }[][] = [];
  const write = (place: Place, value: unknown): void => {
    const list = holds[place.buffer] ??= [];
    holds[place.buffer] = [...list.filter((h) => !overlap(h.place, place)), { place, value }];
  };
  for (const [k, draft] of drafts.entries()) {
    for (const t of draft.reads) {
      const base = baseOf(t), leaf = asLeaf(base), place = placeOf(t);
      const found = (holds[place.buffer] ?? []).filter((h) => overlap(h.place, place));
      const stale = leaf
        ? found.length > 0
        : base.node.op.kind !== "pack" && !found.some((h) => h.value === base);
      if (stale) {
        throw new Error(`Cannot plan: ${draft.label} would read ${t} after it was overwritten`);
      }
    }
    const step = steps[k];
    if (step.kind === "copy") write(step.to, draft);
    else for (const t of draft.writes) write(placeOf(t), baseOf(t));
  }
}

const overlap = (a: Place, b: Place): boolean =>
  a.buffer === b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
