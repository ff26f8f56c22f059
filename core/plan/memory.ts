/**
 * Memory: storages that are not alive at once share a slot.
 *
 * Slots are whole buffers, since WebGPU refuses read-only and read-write ranges of one buffer in a
 * dispatch. Steps are walked in order; a storage takes the free slot that fits best, else enlarges
 * the largest free one, else opens a new one. A map writes over an argument that dies with it.
 */
import type { Storage } from "./storage.ts";

/** What one step does with storages. */
export interface StorageUse {
  readonly reads: ReadonlySet<Storage>;
  readonly writes: ReadonlySet<Storage>;
  /** Pairs of storages where the step may write the second over the first. */
  readonly overwrites: readonly (readonly [from: Storage, to: Storage])[];
}

/** The slot of each storage of kind `slot`, and the bytes of each slot. */
export interface SlotTable {
  readonly slotOf: ReadonlyMap<Storage, number>;
  readonly bytes: readonly number[];
}

/**
 * Colours storages by liveness.
 *
 * @param keep storages that are read after the last step
 * @param reuse false gives each storage a slot of its own, for debugging
 */
export function assignSlots(
  uses: readonly StorageUse[],
  keep: ReadonlySet<Storage>,
  reuse: boolean,
): SlotTable {
  const lastUse = new Map<Storage, number>();
  for (const [t, use] of uses.entries()) {
    for (const s of use.writes) lastUse.set(s, t);
    for (const s of use.reads) lastUse.set(s, t);
  }
  for (const s of keep) lastUse.set(s, Infinity);

  const slotOf = new Map<Storage, number>(), bytes: number[] = [], free = new Set<number>();
  for (const [t, use] of uses.entries()) {
    const taken = new Set<Storage>();
    for (const s of use.writes) {
      if (s.kind !== "slot" || slotOf.has(s)) continue;
      const donor = reuse ? findDonor(use, s, t, lastUse, slotOf, taken) : undefined;
      if (donor) taken.add(donor);
      const slot = donor ? slotOf.get(donor)! : takeSlot(s.bytes, bytes, reuse ? free : new Set());
      slotOf.set(s, slot);
    }
    for (const s of new Set([...use.reads, ...use.writes])) {
      const dies = s.kind === "slot" && lastUse.get(s) === t && !taken.has(s);
      if (dies && slotOf.has(s)) free.add(slotOf.get(s)!);
    }
  }
  return { slotOf, bytes };
}

function findDonor(
  use: StorageUse,
  to: Storage,
  t: number,
  lastUse: ReadonlyMap<Storage, number>,
  slotOf: ReadonlyMap<Storage, number>,
  taken: ReadonlySet<Storage>,
): Storage | undefined {
  return use.overwrites.find(([from, target]) =>
    target === to && from.kind === "slot" && lastUse.get(from) === t && !taken.has(from) &&
    slotOf.has(from)
  )?.[0];
}

function takeSlot(wanted: number, bytes: number[], free: Set<number>): number {
  let best = -1;
  for (const slot of free) {
    const fits = bytes[slot] >= wanted, bestFits = best >= 0 && bytes[best] >= wanted;
    const better = best < 0 || (fits && (!bestFits || bytes[slot] < bytes[best])) ||
      (!fits && !bestFits && bytes[slot] > bytes[best]);
    if (better) best = slot;
  }
  if (best < 0) return bytes.push(wanted) - 1;
  free.delete(best);
  bytes[best] = Math.max(bytes[best], wanted);
  return best;
}
