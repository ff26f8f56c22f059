/** Updates: where the new values of variables go, and which of them must be copied. */
import { asLeaf, type Tensor } from "../graph.ts";
import { ShapeError } from "../errors.ts";
import { sameShape, show } from "../shape.ts";
import { type BufferRange, overlaps } from "./buffer_range.ts";
import { baseOf, type BufferTable, type PlanBuffer, wholeOf } from "./buffers.ts";
import type { Draft } from "./draft.ts";
import type { Update } from "./program.ts";
import { isContiguous } from "./steps.ts";

/** Checks updates; one of a variable by itself is left out. */
export function checkUpdates(updates: readonly Update[], table: BufferTable): readonly Update[] {
  for (const [to, value] of updates) {
    if (asLeaf(to)?.role !== "variable") {
      throw new ShapeError(`Cannot plan an update of ${to}: it is no variable`);
    }
    if (!sameShape(to.shape, value.shape) || to.dtype !== value.dtype) {
      throw new ShapeError(
        `Cannot plan an update of ${asLeaf(to)!.label}: it has shape ${
          show(to.shape)
        } ${to.dtype}, ` +
          `its new value ${show(value.shape)} ${value.dtype}`,
      );
    }
  }
  for (const [k, [to]] of updates.entries()) {
    const twin = updates.slice(0, k).find(([t]) => overlaps(table.rangeOf(t), table.rangeOf(to)));
    if (!twin) continue;
    throw new ShapeError(
      `Cannot plan an update of ${asLeaf(to)!.label}: it shares memory with ` +
        `${asLeaf(twin[0])!.label}, which is updated too, one update is wanted`,
    );
  }
  return updates.filter(([to, value]) => asLeaf(baseOf(value)) !== asLeaf(to));
}

/**
 * Puts new values in place of the old ones where no later step reads those; copies the others at the
 * end. A value that is itself a variable is saved first: two variables may change places.
 */
export function placeUpdates(
  updates: readonly Update[],
  drafts: readonly Draft[],
  table: BufferTable,
): { saved: Draft[]; copies: Draft[] } {
  const inPlace = new Map<Tensor, Tensor>();
  for (const [variable, value] of updates) {
    const base = baseOf(value), target = table.rangeOf(variable);
    if (inPlace.has(base) || !isReplaceable(base, target, drafts, table)) continue;
    inPlace.set(base, variable);
    table.put(base, target);
  }
  const saved: Draft[] = [], copies: Draft[] = [];
  for (const [variable, value] of updates) {
    const base = baseOf(value), to = table.rangeOf(variable);
    if (inPlace.get(base) === variable) continue;
    const label = `copy into ${asLeaf(variable)!.label}`;
    let from = table.rangeOf(base), reads: readonly Tensor[] = [value];
    if (asLeaf(base)?.role === "variable") {
      const slot = wholeOf({ kind: "slot", bytes: from.bytes, label });
      saved.push({ at: -1, label, reads, writes: [], copy: { from, to: slot } });
      from = slot;
      reads = [];
    }
    copies.push({ at: Infinity, label, reads, writes: [variable], copy: { from, to } });
  }
  return { saved, copies };
}

/** The step that makes a value may write it over the variable: nobody reads the old one later. */
function isReplaceable(
  base: Tensor,
  target: BufferRange<PlanBuffer>,
  drafts: readonly Draft[],
  table: BufferTable,
): boolean {
  const at = drafts.findIndex((d) => d.writes.includes(base));
  return at >= 0 && table.rangeOf(base).buffer.kind === "slot" &&
    canOverwrite(drafts[at], target, table) &&
    !drafts.slice(at + 1).some((d) => d.reads.some((t) => isLeafAt(t, target, table)));
}

const isLeafAt = (t: Tensor, range: BufferRange<PlanBuffer>, table: BufferTable): boolean =>
  asLeaf(baseOf(t)) !== undefined && overlaps(table.rangeOf(t), range);

/** A map may write over what it reads in order; nothing may write into a buffer it reads otherwise. */
function canOverwrite(draft: Draft, target: BufferRange<PlanBuffer>, table: BufferTable): boolean {
  return draft.reads.every((t, k) => {
    const range = table.rangeOf(t);
    if (range.buffer !== target.buffer) return true;
    if (!draft.map) return false;
    const same = range.offset === target.offset && range.bytes === target.bytes;
    return same && isContiguous(draft.map.args[k].strides, draft.map.dims);
  });
}
