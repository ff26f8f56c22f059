/**
 * From a graph to a list of steps over numbered buffers: fuse, order, place, give out memory, check.
 * Knows no backend.
 */
import { ancestors, asLeaf, type Node, type PackOp, type Tensor } from "../graph.ts";
import { elementBytes } from "../shape.ts";
import { literalValue } from "../structure.ts";
import type { BufferRange } from "./buffer_range.ts";
import { baseOf, BufferTable, type Locate, type PlanBuffer } from "./buffers.ts";
import { checkReads } from "./check.ts";
import { type Draft, draftMacro, draftMap, toStep } from "./draft.ts";
import { findEpilogues } from "./epilogue.ts";
import { fuseMaps } from "./fuse.ts";
import { assignSlots, type BufferUse } from "./memory.ts";
import type { Program, Update } from "./program.ts";
import { composeGroup, isContiguous, type Step } from "./steps.ts";
import { checkUpdates, placeUpdates } from "./updates.ts";

/** Options of {@link schedule}. */
export interface ScheduleOptions {
  /** Finds variables in their stores. */
  readonly locate: Locate;
  /** Buffers that one kernel may bind. */
  readonly maxBuffers: number;
  /** Let macro operations that offer it do what follows them (default false). */
  readonly epilogues?: boolean;
  /** Melt pointwise chains (default true). */
  readonly fuse?: boolean;
  /** Share memory between values (default true). */
  readonly reuse?: boolean;
}

/** Steps, buffers, and where leaves and outputs lie. */
export interface Schedule {
  /** What a run does, in order. */
  readonly steps: readonly Step[];
  /** Buffers by number; slots have no leaf and no memory of a store. */
  readonly buffers: readonly PlanBuffer[];
  /** Where the elements of an input, variable, constant or output lie. */
  readonly rangeOf: (t: Tensor) => BufferRange;
  /** Inputs of the program, in order of creation. */
  readonly inputs: readonly Tensor[];
  /** Bytes of shared slots and blocks. */
  readonly plannedBytes: number;
  /** Bytes they would take with one buffer per value. */
  readonly unsharedBytes: number;
}

/**
 * Plans a program.
 *
 * @throws {ShapeError} when an update does not fit its variable, or a variable lies in no store
 */
export function schedule(program: Program, options: ScheduleOptions): Schedule {
  const updates = checkUpdates(program.updates ?? [], new BufferTable(options.locate));
  const order = ancestors([...program.outputs, ...updates.map(([, value]) => value)]);
  const targets = new Map(updates.map(([to, value]) => [baseOf(value), to] as const).reverse());
  let hoped: ReadonlyMap<Tensor, Tensor> = targets;
  while (true) {
    const { drafts, table } = arrange(program, updates, order, targets, hoped, options);
    const ranges = (d: Draft): Set<BufferRange<PlanBuffer>> =>
      new Set([...d.reads, ...d.writes].map((t) => table.rangeOf(t)));
    const isCrowded = drafts.some((d) => d.map && ranges(d).size > options.maxBuffers);
    if (!isCrowded || hoped.size === 0) {
      return layOut(program, order, drafts, table, options.reuse ?? true);
    }
    // Maps were melted in the hope of writing over old values; where that failed, a kernel needs
    // one buffer more. The hope is given up for those, or for all if that was not it.
    const kept = [...hoped].filter(([value, to]) => table.rangeOf(value) === table.rangeOf(to));
    hoped = new Map(kept.length < hoped.size ? kept : []);
  }
}

/** Fuses, orders and places. @param hoped new values that fusion may count as in place */
function arrange(
  program: Program,
  updates: readonly Update[],
  order: readonly Node[],
  targets: ReadonlyMap<Tensor, Tensor>,
  hoped: ReadonlyMap<Tensor, Tensor>,
  { locate, maxBuffers, fuse = true, epilogues = false }: ScheduleOptions,
): { readonly drafts: readonly Draft[]; readonly table: BufferTable } {
  const roots = new Set([...program.outputs.map(baseOf), ...targets.keys()]);
  const finishes = new Map(
    (fuse && epilogues ? findEpilogues(order, roots) : []).map((f) => [f.node, f]),
  );
  const taken = new Set([...finishes.values()].flatMap((f) => f.maps));
  const groups = fuseMaps(order, { roots, targets: hoped, maxBuffers, taken, fuse });
  const table = new BufferTable(locate);
  const drafts = groups.map((g) => draftMap(composeGroup(g), g.root, g.outputs));
  for (const node of order) {
    if (node.op.kind === "macro") drafts.push(draftMacro(node, finishes.get(node)));
  }
  drafts.push(...placePacks(order, drafts, table, targets));
  const ordered = orderDrafts(drafts, targets);
  const { saved, copies } = placeUpdates(updates, ordered, table);
  return { drafts: [...saved, ...ordered, ...copies], table };
}

/**
 * Lets the producers of packed values write into the block. A value that cannot (a leaf, a value
 * that lives elsewhere already, or one whose kernel also reads the block) is copied.
 */
function placePacks(
  order: readonly Node[],
  drafts: readonly Draft[],
  table: BufferTable,
  targets: ReadonlyMap<Tensor, Tensor>,
): Draft[] {
  const copies: Draft[] = [], placed = new Set<Tensor>();
  const producer = new Map(drafts.flatMap((d) => d.writes.map((t) => [t, d] as const)));
  for (const node of order) {
    if (node.op.kind !== "pack") continue;
    const block = table.block(node), offsets = (node.op as PackOp).offsets(node.attrs);
    const members = new Set(node.inputs.map(baseOf));
    for (const [k, value] of node.inputs.entries()) {
      const base = baseOf(value), draft = producer.get(base);
      const range: BufferRange<PlanBuffer> = {
        buffer: block.buffer,
        offset: offsets[k] * elementBytes,
        bytes: table.rangeOf(base).bytes,
      };
      const free = draft && !placed.has(base) && !targets.has(base) &&
        literalValue(base) === undefined;
      if (free && !draft.reads.some((t) => members.has(baseOf(t)))) {
        placed.add(base);
        table.put(base, range);
      } else {
        copies.push({
          at: node.id,
          label: `copy into ${node.label}`,
          reads: [value],
          writes: [node.outputs[0]],
          copy: { to: range },
        });
      }
    }
  }
  return copies;
}

/**
 * Order of creation, but a step that makes an updated variable's new value comes last, and so does
 * whatever reads any of the results of such a step.
 */
function orderDrafts(drafts: readonly Draft[], targets: ReadonlyMap<Tensor, Tensor>): Draft[] {
  const late = new Set<Tensor>(), first: Draft[] = [], last: Draft[] = [];
  const isLate = (t: Tensor): boolean => {
    const base = baseOf(t);
    return late.has(base) || (base.node.op.kind === "pack" && base.node.inputs.some(isLate));
  };
  for (const draft of drafts.toSorted((a, b) => a.at - b.at)) {
    const waits = draft.writes.some((t) => targets.has(t)) || draft.reads.some(isLate);
    if (waits) { for (const t of draft.writes) late.add(t); }
    (waits ? last : first).push(draft);
  }
  return [...first, ...last];
}

/** Gives out memory and turns drafts into steps. */
function layOut(
  program: Program,
  order: readonly Node[],
  drafts: readonly Draft[],
  table: BufferTable,
  reuse: boolean,
): Schedule {
  const uses = drafts.map((d) => useOf(d, table));
  const keep = new Set(program.outputs.map((t) => table.rangeOf(t).buffer));
  const slots = assignSlots(uses, keep, reuse);

  const buffers: PlanBuffer[] = slots.bytes.map((bytes, k) => ({
    kind: "slot",
    bytes,
    label: `slot ${k}`,
  }));
  const numbers = new Map<PlanBuffer, number>(slots.slotOf);
  const numberOf = (b: PlanBuffer): number => {
    const known = numbers.get(b);
    if (known !== undefined) return known;
    numbers.set(b, buffers.length);
    return buffers.push(b) - 1;
  };
  const numbered = ({ buffer, offset, bytes }: BufferRange<PlanBuffer>): BufferRange => ({
    buffer: numberOf(buffer),
    offset,
    bytes,
  });
  const rangeOf = (t: Tensor): BufferRange => numbered(table.rangeOf(t));
  const inputs = order.flatMap((n) => asLeaf(n.outputs[0])?.role === "input" ? [n.outputs[0]] : []);
  [...inputs, ...program.outputs].forEach(rangeOf);
  const steps = drafts.map((d) => toStep(d, rangeOf, numbered));
  checkReads(drafts, steps, rangeOf);

  const own = (b: PlanBuffer): boolean => b.kind === "slot" || b.kind === "block";
  const values = new Set(uses.flatMap((u) => [...u.writes]));
  return {
    steps,
    buffers,
    rangeOf,
    inputs,
    plannedBytes: buffers.filter(own).reduce((sum, b) => sum + b.bytes, 0),
    unsharedBytes: [...values].filter(own).reduce((sum, b) => sum + b.bytes, 0),
  };
}

function useOf(draft: Draft, table: BufferTable): BufferUse {
  const reads = draft.copy?.from ? [draft.copy.from] : draft.reads.map((t) => table.rangeOf(t));
  const writes = draft.copy ? [draft.copy.to] : draft.writes.map((t) => table.rangeOf(t));
  const overwrites: [PlanBuffer, PlanBuffer][] = [];
  const { map } = draft;
  if (map) {
    const inOrder = (b: PlanBuffer): boolean =>
      reads.every((r, k) => r.buffer !== b || isContiguous(map.args[k].strides, map.dims));
    for (const r of reads) {
      if (!inOrder(r.buffer)) continue;
      for (const w of writes) if (r.bytes === w.bytes) overwrites.push([r.buffer, w.buffer]);
    }
  }
  return {
    reads: new Set(reads.map((r) => r.buffer)),
    writes: new Set(writes.map((w) => w.buffer)),
    overwrites,
  };
}
