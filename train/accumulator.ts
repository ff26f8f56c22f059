/** Sums kept on the device and read now and then: a read-back each step would stall a GPU. */
import type { Device } from "../core/device.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/schedule.ts";
import { sizeOf } from "../core/shape.ts";
import { Store } from "../core/store.ts";
import { blockAlignment, pack, variable } from "../core/structure.ts";
import { add } from "../ops/pointwise.ts";

/** A few running sums of scalars. */
export class Accumulator implements Disposable {
  readonly store: Store;
  readonly #sums: Tensor;

  /** @param count number of sums */
  constructor(device: Device, readonly count: number) {
    this.#sums = variable([count * blockAlignment], "metric sums");
    this.store = new Store(device, [this.#sums], { label: "metrics" });
  }

  /** The update that adds one scalar to each sum. */
  update(scalars: readonly Tensor[]): Update {
    const offsets = scalars.map((_, k) => k * blockAlignment);
    return [this.#sums, add(this.#sums, pack(scalars, offsets, sizeOf(this.#sums.shape)))];
  }

  /** The sums as they stand. */
  async read(): Promise<number[]> {
    const sums = await this.store.read(this.#sums);
    return Array.from({ length: this.count }, (_, k) => sums[k * blockAlignment]);
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
    for (const [k, sum] of sums.entries()) data[k * blockAlignment] = sum;
    this.store.write(this.#sums, data);
  }

  /** Frees the sums. */
  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}
