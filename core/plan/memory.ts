/**
 * Memory: buffers that are not alive at once share a slot.
 *
 * Slots are whole buffers, since WebGPU refuses read-only and read-write ranges of one buffer in a
 * dispatch. Steps are walked in order; a buffer takes the free slot that fits best, else enlarges
 * the largest free one, else opens a new one. A map writes over an argument that dies with it.
 */
import type { PlanBuffer } from "./buffers.ts";

/** What one step does with buffers. */
export interface BufferUse {
  readonly reads: ReadonlySet<PlanBuffer>;
  readonly writes: ReadonlySet<PlanBuffer>;
  /** Pairs of buffers where the step may write the second over the first. */
  readonly overwrites: readonly (readonly [from: PlanBuffer, to: PlanBuffer])[];
}

/** The slot of each buffer of kind `slot`, and the bytes of each slot. */
export interface SlotTable {
  readonly slotOf: ReadonlyMap<PlanBuffer, number>;
  readonly bytes: readonly number[];
}

/**
 * Colours buffers by liveness.
 *
 * @param keep buffers that are read after the last step
 * @param reuse false gives each buffer a slot of its own, for debugging
 */
export function assignSlots(
  uses: readonly BufferUse[],
  keep: ReadonlySet<PlanBuffer>,
  reuse: boolean,
): SlotTable {
  const lastUse = new Map<PlanBuffer, number>();
  for (const [t, use] of uses.entries()) {
    for (const b of use.writes) lastUse.set(b, t);
    for (const b of use.reads) lastUse.set(b, t);
  }
  for (const b of keep) lastUse.set(b, Infinity);

  const slotOf = new Map<PlanBuffer, number>(), bytes: number[] = [], free = new Set<number>();
  for (const [t, use] of uses.entries()) {
    const taken = new Set<PlanBuffer>();
    for (const b of use.writes) {
      if (b.kind !== "slot" || slotOf.has(b)) continue;
      const donor = reuse ? findDonor(use, b, t, lastUse, slotOf, taken) : undefined;
      if (donor) taken.add(donor);
      const slot = donor ? slotOf.get(donor)! : takeSlot(b.bytes, bytes, reuse ? free : new Set());
      slotOf.set(b, slot);
    }
    for (const b of new Set([...use.reads, ...use.writes])) {
      const dies = b.kind === "slot" && lastUse.get(b) === t && !taken.has(b);
      if (dies && slotOf.has(b)) free.add(slotOf.get(b)!);
    }
  }
  return { slotOf, bytes };
}

function findDonor(
  use: BufferUse,
  to: PlanBuffer,
  t: number,
  lastUse: ReadonlyMap<PlanBuffer, number>,
  slotOf: ReadonlyMap<PlanBuffer, number>,
  taken: ReadonlySet<PlanBuffer>,
): PlanBuffer | undefined {
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
