/**
 * Buffers: which values share memory before any memory is given out.
 *
 * A value lives in the buffer of its producing node, seen through views; in a block it was packed
 * into; or, as the new value of an update, in place of the old one.
 */
import type { Memory } from "../backend.ts";
import { ShapeError } from "../errors.ts";
import { asLeaf, type LeafAttrs, type Node, type Tensor } from "../graph.ts";
import { elementBytes, sizeOf } from "../shape.ts";
import type { BufferRange } from "./buffer_range.ts";

/** A buffer of a plan, as it is known before it has memory. */
export interface PlanBuffer {
  /** A `slot` is shared by values that are not alive at once; the others keep their memory. */
  readonly kind: "slot" | "block" | "input" | "constant" | "store";
  /** Length in bytes; for `store` that of the store's whole block. */
  readonly bytes: number;
  /** What it holds, for plans and messages. */
  readonly label: string;
  /** The input or constant that it holds, for these two kinds. */
  readonly leaf?: Tensor;
  /** Device memory that exists already, for `store`. */
  readonly memory?: Memory;
}

/** Finds a variable in device memory. */
export type Locate = (leaf: LeafAttrs) => BufferRange<Memory> | undefined;

/** The tensor whose memory `t` is: views lie where their input lies. */
export function baseOf(t: Tensor): Tensor {
  let base = t;
  while (base.node.op.kind === "view") base = base.node.inputs[0];
  return base;
}

/** Says where values lie; one table per plan. */
export class BufferTable {
  readonly #ranges = new Map<Tensor | LeafAttrs, BufferRange<PlanBuffer>>();
  readonly #stores = new Map<Memory, PlanBuffer>();

  constructor(readonly locate: Locate) {}

  /** Where a value lies. Values of steps get a slot of their own unless they were put elsewhere. */
  rangeOf(t: Tensor): BufferRange<PlanBuffer> {
    const base = baseOf(t), leaf = asLeaf(base), key = leaf ?? base;
    const known = this.#ranges.get(key);
    if (known) return known;
    const bytes = sizeOf(base.shape) * elementBytes;
    const range = leaf
      ? this.#leafRange(base, leaf, bytes)
      : wholeOf({ kind: "slot", bytes, label: base.node.label });
    this.#ranges.set(key, range);
    return range;
  }

  /** Lets a value live in a given range. */
  put(t: Tensor, range: BufferRange<PlanBuffer>): void {
    this.#ranges.set(baseOf(t), range);
  }

  /** The memory of a pack: its own, never shared, so that gaps stay zero. */
  block(node: Node): BufferRange<PlanBuffer> {
    const value = node.outputs[0], bytes = sizeOf(value.shape) * elementBytes;
    const range = wholeOf({ kind: "block", bytes, label: node.label });
    this.#ranges.set(value, range);
    return range;
  }

  #leafRange(t: Tensor, leaf: LeafAttrs, bytes: number): BufferRange<PlanBuffer> {
    if (leaf.role !== "variable") {
      return wholeOf({ kind: leaf.role, bytes, label: leaf.label, leaf: t });
    }
    const found = this.locate(leaf);
    if (!found) {
      throw new ShapeError(
        `Cannot plan: the variable ${
          leaf.label || "without a name"
        } lies in none of the stores given`,
      );
    }
    const memory = found.buffer;
    let buffer = this.#stores.get(memory);
    if (!buffer) {
      buffer = { kind: "store", bytes: memory.bytes, label: "store", memory };
      this.#stores.set(memory, buffer);
    }
    return { buffer, offset: found.offset, bytes };
  }
}

/** All bytes of a buffer. */
export function wholeOf(buffer: PlanBuffer): BufferRange<PlanBuffer> {
  return { buffer, offset: 0, bytes: buffer.bytes };
}
