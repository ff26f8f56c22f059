/**
 * Read-back through staging buffers that are used again: fresh memory is slow at its first touch,
 * and several reads may be under way while the device computes on.
 */
import type { Faults } from "./faults.ts";

/** Smallest staging buffer, and the largest that is kept for the next read. */
const smallestBytes = 256, largestKeptBytes = 1 << 24;
/** Staging buffers kept per size; a burst of reads may use more. */
const keptPerSize = 4;

/** Copies device memory to the host. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #free = new Map<number, GPUBuffer[]>();

  /** One per device. */
  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /**
   * Bytes of a buffer as they are after everything submitted before.
   *
   * @throws {DeviceError} when the device was lost, or anything before reported an error
   */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const staging = this.#take(bytes);
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    this.#device.queue.submit([encoder.finish()]);
    let copy: ArrayBuffer;
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
      copy = staging.getMappedRange(0, bytes).slice(0);
      staging.unmap();
    } catch (cause) { // the device may also be lost between two of these
      staging.destroy();
      throw await this.#faults.afterRejection("read", cause);
    }
    this.#putBack(staging);
    this.#faults.check("read");
    return copy;
  }

  #take(bytes: number): GPUBuffer {
    const size = stagingBytes(bytes);
    return this.#free.get(size)?.pop() ?? this.#device.createBuffer({
      label: "staging",
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  #putBack(staging: GPUBuffer): void {
    let list = this.#free.get(staging.size);
    if (!list) this.#free.set(staging.size, list = []);
    if (staging.size > largestKeptBytes || list.length >= keptPerSize) staging.destroy();
    else list.push(staging);
  }

  /** Frees the staging buffers. */
  close(): void {
    for (const list of this.#free.values()) for (const staging of list) staging.destroy();
    this.#free.clear();
  }
}

/** Size class: powers of two, and for what is not kept the size itself. */
function stagingBytes(bytes: number): number {
  if (bytes > largestKeptBytes) return Math.ceil(bytes / 256) * 256;
  let size = smallestBytes;
  while (size < bytes) size *= 2;
  return size;
}
