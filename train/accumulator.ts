/** Sums kept on the device and read now and then: a read-back each step would stall a GPU. */
import type { Device } from "../core/device.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/program.ts";
import { sizeOf } from "../core/shape.ts";
import { Store } from "../core/store.ts";
import { alignBlock, pack, variable } from "../core/structure.ts";
import { add } from "../ops/pointwise.ts";

/** Running sums of a few tensors, element by element. */
export class Accumulator implements Disposable {
  readonly store: Store;
  readonly #sums: Tensor;
  readonly #sizes: readonly number[];
  readonly #offsets: readonly number[];

  /** @param sizes number of elements of each tensor */
  constructor(device: Device, sizes: readonly number[]) {
    let end = 0;
    this.#sizes = sizes;
    this.#offsets = sizes.map((size) => {
      const start = end;
      end += alignBlock(size);
      return start;
    });
    this.#sums = variable([end], "metric sums");
    this.store = new Store(device, [this.#sums], { label: "metrics" });
  }

  /** The update that adds a tensor to each of the sums. */
  update(tensors: readonly Tensor[]): Update {
    return [this.#sums, add(this.#sums, pack(tensors, this.#offsets, sizeOf(this.#sums.shape)))];
  }

  /** The sums as they stand, one tensor's elements after the other's. */
  async read(): Promise<number[]> {
    const sums = await this.store.read(this.#sums);
    return this.#sizes.flatMap((size, k) =>
      Array.from(sums.subarray(this.#offsets[k], this.#offsets[k] + size))
    );
  }

  /** The sums since the last call; they start again from 0. */
  async take(): Promise<number[]> {
    const reading = this.read();
    // Asked for after the reading, which so sees the sums: a device does one thing after the other.
    this.set([]);
    return await reading;
  }

  /** Overwrites the sums; those not given become 0. */
  set(sums: readonly number[]): void {
    const data = new Float32Array(sizeOf(this.#sums.shape));
    let at = 0;
    for (const [k, size] of this.#sizes.entries()) {
      data.set(sums.slice(at, at += size), this.#offsets[k]);
    }
    this.store.write(this.#sums, data);
  }

  /** Frees the sums. */
  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}
