/**
 * Storages: which values share memory before any memory is given out.
 *
 * A value lives in the storage of its producing node, seen through views; in a block it was packed
 * into; or, as the new value of an update, in place of the old one.
 */
import { asLeaf, type LeafAttrs, type Node, type Tensor } from "../graph.ts";
import { ShapeError } from "../errors.ts";
import { elementBytes, sizeOf } from "../shape.ts";

/** Memory of one or several values. */
export interface Storage {
  /** A `slot` is shared by values that are not alive at once; the others keep their memory. */
  readonly kind: "slot" | "block" | "input" | "constant" | "store";
  /** Length in bytes; for `store` that of the store's whole block. */
  readonly bytes: number;
  /** What it holds, for plans and messages. */
  readonly label: string;
  /** The input or constant that it holds, for these two kinds. */
  readonly leaf?: Tensor;
  /** Device memory that exists already, for `store`. */
  readonly external?: unknown;
}

/** A range of a storage. */
export interface Spot {
  readonly storage: Storage;
  /** In bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Finds the device memory of a variable: a handle and an offset in bytes. */
export type Locate = (
  leaf: LeafAttrs,
) => { readonly memory: object; readonly offset: number; readonly bytes: number } | undefined;

/** The tensor whose memory `t` is: views lie where their input lies. */
export function baseOf(t: Tensor): Tensor {
  let base = t;
  while (base.node.op.kind === "view") base = base.node.inputs[0];
  return base;
}

/** Assigns storages; one table per plan. */
export class Storages {
  readonly #spots = new Map<Tensor | LeafAttrs, Spot>();
  readonly #externals = new Map<object, Storage>();

  constructor(readonly locate: Locate) {}

  /** Where a value lies. Values of steps get a slot of their own unless they were given a spot. */
  spot(t: Tensor): Spot {
    const base = baseOf(t), leaf = asLeaf(base), key = leaf ?? base;
    const known = this.#spots.get(key);
    if (known) return known;
    const bytes = sizeOf(base.shape) * elementBytes;
    const spot = leaf ? this.#leafSpot(base, leaf, bytes) : {
      storage: { kind: "slot" as const, bytes, label: base.node.label },
      offset: 0,
      bytes,
    };
    this.#spots.set(key, spot);
    return spot;
  }

  /** Lets a value live in a given spot. */
  put(t: Tensor, spot: Spot): void {
    this.#spots.set(baseOf(t), spot);
  }

  /** The memory of a pack: its own, never shared, so that gaps stay zero. */
  block(node: Node): Spot {
    const value = node.outputs[0], bytes = sizeOf(value.shape) * elementBytes;
    const spot: Spot = { storage: { kind: "block", bytes, label: node.label }, offset: 0, bytes };
    this.#spots.set(value, spot);
    return spot;
  }

  #leafSpot(t: Tensor, leaf: LeafAttrs, bytes: number): Spot {
    if (leaf.role !== "variable") {
      const storage: Storage = { kind: leaf.role, bytes, label: leaf.label, leaf: t };
      return { storage, offset: 0, bytes };
    }
    const found = this.locate(leaf);
    if (!found) {
      throw new ShapeError(
        `Cannot plan: the variable ${
          leaf.label || "without a name"
        } lies in none of the stores given`,
      );
    }
    let storage = this.#externals.get(found.memory);
    if (!storage) {
      storage = { kind: "store", bytes: found.bytes, label: "store", external: found.memory };
      this.#externals.set(found.memory, storage);
    }
    return { storage, offset: found.offset, bytes };
  }
}

/** Both ranges share a byte. */
export function overlaps(a: Spot, b: Spot): boolean {
  return a.storage === b.storage && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}
