/**
 * From a graph to a list of steps over numbered buffers: fuse, order, place, give out memory, check.
 * Knows no backend.
 */
import { ancestors, asLeaf, type MacroOp, type Node, type PackOp, type Tensor } from "../graph.ts";
import { type Epilogue, inputRef, type Ref } from "../kernel.ts";
import { elementBytes } from "../shape.ts";
import { literalValue } from "../structure.ts";
import { checkReads } from "./check.ts";
import { findEpilogues, type Finish } from "./epilogue.ts";
import { fuseMaps } from "./fuse.ts";
import { checkUpdates, placeUpdates } from "./updates.ts";
import { assignSlots, type StorageUse } from "./memory.ts";
import { composeGroup, isContiguous, type MapKernel, type Place, type Step } from "./steps.ts";
import { baseOf, type Locate, type Spot, type Storage, Storages } from "./storage.ts";

/** `[variable, value]`: when the plan has run, the variable holds the value. */
export type Update = readonly [variable: Tensor, value: Tensor];

/** What to compute. */
export interface Program {
  /**
   * Values to be read after a run. A variable that the same program updates reads as updated.
   */
  readonly outputs: readonly Tensor[];
  /** Variables and their new values. */
  readonly updates?: readonly Update[];
}

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
  /** Buffers by number; slots have no leaf and no external memory. */
  readonly buffers: readonly Storage[];
  /** Where the elements of an input, variable, constant or output lie. */
  readonly placeOf: (t: Tensor) => Place;
  /** Inputs of the program, in order of creation. */
  readonly inputs: readonly Tensor[];
  /** Bytes of shared slots and blocks. */
  readonly plannedBytes: number;
  /** Bytes they would take with one buffer per value. */
  readonly unsharedBytes: number;
}

/** A step before memory is known. `at` orders it; tensors stand for their places. */
export interface Draft {
  readonly at: number;
  readonly label: string;
  readonly reads: readonly Tensor[];
  readonly writes: readonly Tensor[];
  readonly map?: MapKernel;
  readonly node?: Node;
  readonly epilogue?: Epilogue;
  /** Without `from` it reads its one value, wherever that was put in the end. */
  readonly copy?: { readonly from?: Spot; readonly to: Spot };
}

/**
 * Plans a program.
 *
 * @throws {ShapeError} when an update does not fit its variable, or a variable lies in no store
 */
export function schedule(program: Program, options: ScheduleOptions): Schedule {
  const updates = checkUpdates(program.updates ?? [], new Storages(options.locate));
  const order = ancestors([...program.outputs, ...updates.map(([, value]) => value)]);
  const targets = new Map(updates.map(([to, value]) => [baseOf(value), to] as const).reverse());
  let hoped: ReadonlyMap<Tensor, Tensor> = targets;
  while (true) {
    const { drafts, storages } = arrange(program, updates, order, targets, hoped, options);
    const spots = (d: Draft): Set<Spot> =>
      new Set([...d.reads, ...d.writes].map((t) => storages.spot(t)));
    const isCrowded = drafts.some((d) => d.map && spots(d).size > options.maxBuffers);
    if (!isCrowded || hoped.size === 0) {
      return layOut(program, order, drafts, storages, options.reuse ?? true);
    }
    // Maps were melted in the hope of writing over old values; where that failed, a kernel needs
    // one buffer more. The hope is given up for those, or for all if that was not it.
    const kept = [...hoped].filter(([value, to]) => storages.spot(value) === storages.spot(to));
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
): { readonly drafts: readonly Draft[]; readonly storages: Storages } {
  const roots = new Set([...program.outputs.map(baseOf), ...targets.keys()]);
  const finishes = new Map(
    (fuse && epilogues ? findEpilogues(order, roots) : []).map((f) => [f.node, f]),
  );
  const taken = new Set([...finishes.values()].flatMap((f) => f.maps));
  const groups = fuseMaps(order, { roots, targets: hoped, maxBuffers, taken, fuse });
  const storages = new Storages(locate);
  const drafts = groups.map((g) => draftMap(composeGroup(g), g.root, g.outputs));
  for (const node of order) {
    if (node.op.kind === "macro") drafts.push(draftMacro(node, finishes.get(node)));
  }
  drafts.push(...placePacks(order, drafts, storages, targets));
  const ordered = orderDrafts(drafts, targets);
  const { saved, copies } = placeUpdates(updates, ordered, storages);
  return { drafts: [...saved, ...ordered, ...copies], storages };
}

function draftMap(map: MapKernel, root: Node, outputs: readonly Tensor[]): Draft {
  return {
    at: root.id,
    label: map.label,
    reads: map.args.map((a) => a.tensor),
    writes: outputs,
    map,
  };
}

function draftMacro(node: Node, finish?: Finish): Draft {
  const draft = { at: node.id, label: node.label, reads: node.inputs, writes: node.outputs, node };
  if (!finish) return draft;
  const { maps, epilogue } = finish, last = maps.at(-1)!, reads = [...node.inputs];
  const ref = (t?: Tensor): Ref | undefined => t && inputRef(reads.push(t) - 1);
  const { mean, scale, shift, residual } = epilogue;
  return {
    at: last.id,
    label: `${node.label} then ${[...new Set(maps.map((map) => map.op.name))].join("+")}`,
    reads,
    writes: last.outputs,
    node,
    epilogue: {
      ...epilogue,
      ...{ mean: ref(mean), scale: ref(scale), shift: ref(shift), residual: ref(residual) },
    },
  };
}

/**
 * Lets the producers of packed values write into the block. A value that cannot (a leaf, a value
 * that lives elsewhere already, or one whose kernel also reads the block) is copied.
 */
function placePacks(
  order: readonly Node[],
  drafts: readonly Draft[],
  storages: Storages,
  targets: ReadonlyMap<Tensor, Tensor>,
): Draft[] {
  const copies: Draft[] = [], placed = new Set<Tensor>();
  const producer = new Map(drafts.flatMap((d) => d.writes.map((t) => [t, d] as const)));
  for (const node of order) {
    if (node.op.kind !== "pack") continue;
    const block = storages.block(node), offsets = (node.op as PackOp).offsets(node.attrs);
    const members = new Set(node.inputs.map(baseOf));
    for (const [k, value] of node.inputs.entries()) {
      const base = baseOf(value), draft = producer.get(base);
      const spot: Spot = {
        storage: block.storage,
        offset: offsets[k] * elementBytes,
        bytes: storages.spot(base).bytes,
      };
      const free = draft && !placed.has(base) && !targets.has(base) &&
        literalValue(base) === undefined;
      if (free && !draft.reads.some((t) => members.has(baseOf(t)))) {
        placed.add(base);
        storages.put(base, spot);
      } else {
        copies.push({
          at: node.id,
          label: `copy into ${node.label}`,
          reads: [value],
          writes: [node.outputs[0]],
          copy: { to: spot },
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
  storages: Storages,
  reuse: boolean,
): Schedule {
  const uses = drafts.map((d) => useOf(d, storages));
  const keep = new Set(program.outputs.map((t) => storages.spot(t).storage));
  const slots = assignSlots(uses, keep, reuse);

  const buffers: Storage[] = slots.bytes.map((bytes, k) => ({
    kind: "slot",
    bytes,
    label: `slot ${k}`,
  }));
  const numbers = new Map<Storage, number>(slots.slotOf);
  const numberOf = (s: Storage): number => {
    const known = numbers.get(s);
    if (known !== undefined) return known;
    numbers.set(s, buffers.length);
    return buffers.push(s) - 1;
  };
  const place = ({ storage, offset, bytes }: Spot): Place => ({
    buffer: numberOf(storage),
    offset,
    bytes,
  });
  const placeOf = (t: Tensor): Place => place(storages.spot(t));
  const inputs = order.flatMap((n) => asLeaf(n.outputs[0])?.role === "input" ? [n.outputs[0]] : []);
  [...inputs, ...program.outputs].forEach(placeOf);
  const steps = drafts.map((d) => toStep(d, placeOf, place));
  checkReads(drafts, steps, placeOf);

  const own = (s: Storage): boolean => s.kind === "slot" || s.kind === "block";
  const values = new Set(uses.flatMap((u) => [...u.writes]));
  return {
    steps,
    buffers,
    placeOf,
    inputs,
    plannedBytes: buffers.filter(own).reduce((sum, b) => sum + b.bytes, 0),
    unsharedBytes: [...values].filter(own).reduce((sum, s) => sum + s.bytes, 0),
  };
}

function useOf(draft: Draft, storages: Storages): StorageUse {
  const reads = draft.copy?.from ? [draft.copy.from] : draft.reads.map((t) => storages.spot(t));
  const writes = draft.copy ? [draft.copy.to] : draft.writes.map((t) => storages.spot(t));
  const overwrites: [Storage, Storage][] = [];
  const { map } = draft;
  if (map) {
    const inOrder = (s: Storage): boolean =>
      reads.every((r, k) => r.storage !== s || isContiguous(map.args[k].strides, map.dims));
    for (const r of reads) {
      if (!inOrder(r.storage)) continue;
      for (const w of writes) if (r.bytes === w.bytes) overwrites.push([r.storage, w.storage]);
    }
  }
  return {
    reads: new Set(reads.map((s) => s.storage)),
    writes: new Set(writes.map((s) => s.storage)),
    overwrites,
  };
}

function toStep(draft: Draft, placeOf: (t: Tensor) => Place, place: (s: Spot) => Place): Step {
  const { label, map, node, copy, epilogue } = draft;
  if (copy) {
    const from = copy.from ? place(copy.from) : placeOf(draft.reads[0]);
    return { kind: "copy", label, from, to: place(copy.to) };
  }
  if (map) {
    return {
      kind: "map",
      label,
      dims: map.dims,
      size: map.size,
      args: map.args.map(({ tensor, strides }) => ({
        place: placeOf(tensor),
        dtype: tensor.dtype,
        strides,
      })),
      outputs: draft.writes.map((t, k) => ({ place: placeOf(t), expr: map.exprs[k] })),
    };
  }
  return {
    kind: "macro",
    label,
    node: node!,
    op: node!.op as MacroOp,
    inputs: draft.reads.map(placeOf),
    outputs: draft.writes.map(placeOf),
    epilogue,
  };
}
