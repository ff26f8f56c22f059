/**
 * A store owns variables: weights, moments, running statistics. They lie side by side in a few flat
 * blocks, so that an optimiser is one kernel per block instead of one per tensor.
 */
import type { Memory } from "./backend.ts";
import { backendOf, type Device, register } from "./device.ts";
import { checkElements, type Elements, viewAs } from "./elements.ts";
import { DeviceError, ShapeError } from "./errors.ts";
import { asLeaf, type LeafAttrs, type Tensor } from "./graph.ts";
import type { BufferRange } from "./plan/buffer_range.ts";
import { elementBytes, sizeOf } from "./shape.ts";
import { alignBlock, variable } from "./structure.ts";

/** One block of a store. */
export interface Block {
  /** The block as one variable, a vector of all its elements, gaps included. */
  readonly whole: Tensor;
  /** Its variables, in order. */
  readonly variables: readonly Tensor[];
  /** Where each variable starts, in elements; multiples of 64. */
  readonly offsets: readonly number[];
  /** Elements of the block, gaps included. */
  readonly size: number;
}

/** Variables in device memory. Owned by the caller: dispose it when the last plan is done. */
export class Store implements Disposable {
  /** The flat blocks; their variables follow each other in the order they were given in. */
  readonly blocks: readonly Block[];
  /** Where it lies. */
  readonly device: Device;
  readonly #ranges = new Map<LeafAttrs, BufferRange<Memory>>();
  readonly #memories: Memory[] = [];
  #closed = false;

  /**
   * Gives zero-filled memory to variables.
   *
   * @param options `label` names the blocks in plans; `maxBlockBytes` splits earlier than the
   *   device's binding limit would
   * @throws {ShapeError} when one of the tensors is no variable
   * @throws {DeviceError} when one variable exceeds the binding limit, or memory runs out
   */
  constructor(
    device: Device,
    variables: readonly Tensor[],
    options: { readonly label?: string; readonly maxBlockBytes?: number } = {},
  ) {
    device.checkOpen("make a store");
    this.device = device;
    const limit = Math.min(options.maxBlockBytes ?? Infinity, backendOf(device).maxBufferBytes);
    this.blocks = layOutBlocks(
      variables,
      Math.floor(limit / elementBytes),
      options.label ?? "store",
    );
    for (const v of variables) checkFits(v, device);
    try {
      this.#allocate();
      register(device, this, this.#ranges);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #allocate(): void {
    for (const { whole, size, variables, offsets } of this.blocks) {
      const memory = backendOf(this.device).allocate(size * elementBytes, asLeaf(whole)!.label);
      this.#memories.push(memory);
      this.#put(whole, memory, 0);
      for (const [k, v] of variables.entries()) this.#put(v, memory, offsets[k]);
    }
  }

  /** True when it was disposed: its variables have no memory any more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  #put(t: Tensor, buffer: Memory, offset: number): void {
    const bytes = sizeOf(t.shape) * elementBytes;
    this.#ranges.set(asLeaf(t)!, { buffer, offset: offset * elementBytes, bytes });
  }

  /**
   * Overwrites a variable.
   *
   * @param data its elements in row-major order
   * @throws {ShapeError} when it is not in this store, or the number or type of elements
   *   differs
   * @throws {DeviceError} when the store was closed
   */
  write(variable: Tensor, data: Elements): void {
    const { buffer, offset } = this.#find(variable, "write");
    checkElements(data, variable, `write ${asLeaf(variable)!.label}: it was given`);
    backendOf(this.device).write(buffer, offset, data);
  }

  /**
   * A variable's elements in row-major order, after every run asked before.
   *
   * @throws {ShapeError} when it is not in this store
   * @throws {DeviceError} when the store was closed, or the device was lost
   */
  async read(variable: Tensor): Promise<Elements> {
    const { buffer, offset, bytes } = this.#find(variable, "read");
    return viewAs(variable.dtype, await backendOf(this.device).read(buffer, offset, bytes));
  }

  #find(variable: Tensor, action: string): BufferRange<Memory> {
    const leaf = asLeaf(variable), found = leaf && this.#ranges.get(leaf);
    if (this.#closed) {
      throw new DeviceError(`Cannot ${action} ${leaf?.label}: the store was closed`);
    }
    if (!found) throw new ShapeError(`Cannot ${action} ${variable}: it is not in this store`);
    return found;
  }

  /** Bytes of all blocks. */
  get bytes(): number {
    return this.#memories.reduce((sum, m) => sum + m.bytes, 0);
  }

  /**
   * A zero-filled store with one block for each block here: moments, averages.
   *
   * @throws {DeviceError} when memory runs out
   */
  sibling(label: string): Store {
    const wholes = this.blocks.map((b, k) => variable([b.size], `${label} ${k}`));
    return new Store(this.device, wholes, { label, maxBlockBytes: 0 });
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const memory of this.#memories) backendOf(this.device).free(memory);
  }
}

function checkFits(variable: Tensor, device: Device): void {
  const bytes = sizeOf(variable.shape) * elementBytes;
  const backend = backendOf(device);
  if (bytes <= backend.maxBufferBytes) return;
  throw new DeviceError(
    `Cannot store ${asLeaf(variable)!.label}: it needs ${bytes} bytes in one buffer, ` +
      `${backend.name} allows ${backend.maxBufferBytes}`,
  );
}

/** No variable straddles two blocks; a block closes when the next variable would not fit. */
function layOutBlocks(variables: readonly Tensor[], limit: number, label: string): Block[] {
  const blocks: { variables: Tensor[]; offsets: number[]; size: number }[] = [];
  const seen = new Set<LeafAttrs>();
  for (const v of variables) {
    const leaf = asLeaf(v);
    if (leaf?.role !== "variable") throw new ShapeError(`Cannot store ${v}: it is no variable`);
    if (seen.has(leaf)) continue; // weights that two layers share
    seen.add(leaf);
    const size = alignBlock(sizeOf(v.shape));
    let block = blocks.at(-1);
    if (!block || block.size + size > limit) {
      block = { variables: [], offsets: [], size: 0 };
      blocks.push(block);
    }
    block.variables.push(v);
    block.offsets.push(block.size);
    block.size += size;
  }
  return blocks.map((b, k) => ({ ...b, whole: variable([b.size], `${label} block ${k}`) }));
}
