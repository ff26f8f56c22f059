/** Updates: where the new values of variables go, and which of them must be copied. */
import { asLeaf, type Tensor } from "../graph.ts";
import { ShapeError } from "../errors.ts";
import { sameShape, show } from "../shape.ts";
import type { Draft, Update } from "./schedule.ts";
import { isContiguous } from "./steps.ts";
import { baseOf, overlaps, type Spot, type Storage, type Storages } from "./storage.ts";

/** Checks updates; one of a variable by itself is left out. */
export function checkUpdates(updates: readonly Update[], storages: Storages): readonly Update[] {
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
    const twin = updates.slice(0, k).find(([t]) => overlaps(storages.spot(t), storages.spot(to)));
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
  storages: Storages,
): { saved: Draft[]; copies: Draft[] } {
  const inPlace = new Map<Tensor, Tensor>();
  for (const [variable, value] of updates) {
    const base = baseOf(value), target = storages.spot(variable);
    if (inPlace.has(base) || !isReplaceable(base, target, drafts, storages)) continue;
    inPlace.set(base, variable);
    storages.put(base, target);
  }
  const saved: Draft[] = [], copies: Draft[] = [];
  for (const [variable, value] of updates) {
    const base = baseOf(value), to = storages.spot(variable);
    if (inPlace.get(base) === variable) continue;
    const label = `copy into ${asLeaf(variable)!.label}`;
    let from = storages.spot(base), reads: readonly Tensor[] = [value];
    if (asLeaf(base)?.role === "variable") {
      const slot: Storage = { kind: "slot", bytes: from.bytes, label };
      const spot: Spot = { storage: slot, offset: 0, bytes: from.bytes };
      saved.push({ at: -1, label, reads, writes: [], copy: { from, to: spot } });
      from = spot;
      reads = [];
    }
    copies.push({ at: Infinity, label, reads, writes: [variable], copy: { from, to } });
  }
  return { saved, copies };
}

/** The step that makes a value may write it over the variable: nobody reads the old one later. */
function isReplaceable(
  base: Tensor,
  target: Spot,
  drafts: readonly Draft[],
  storages: Storages,
): boolean {
  const at = drafts.findIndex((d) => d.writes.includes(base));
  return at >= 0 && storages.spot(base).storage.kind === "slot" &&
    canOverwrite(drafts[at], target, storages) &&
    !drafts.slice(at + 1).some((d) => d.reads.some((t) => isLeafAt(t, target, storages)));
}

const isLeafAt = (t: Tensor, spot: Spot, storages: Storages): boolean =>
  asLeaf(baseOf(t)) !== undefined && overlaps(storages.spot(t), spot);

/** A map may write over what it reads in order; nothing may write into a buffer it reads otherwise. */
function canOverwrite(draft: Draft, target: Spot, storages: Storages): boolean {
  return draft.reads.every((t, k) => {
    const spot = storages.spot(t);
    if (spot.storage !== target.storage) return true;
    if (!draft.map) return false;
    const same = spot.offset === target.offset && spot.bytes === target.bytes;
    return same && isContiguous(draft.map.args[k].strides, draft.map.dims);
  });
}
