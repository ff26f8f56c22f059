/** Device memory: every block is one GPU buffer, counted while it lives. */
import { DeviceError } from "../core/errors.ts";
import type { Memory } from "../core/backend.ts";

/** A storage buffer that can be bound, written and read. */
export class GpuMemory implements Memory {
  /**
   * Made by {@link MemoryPool.allocate}.
   *
   * @param buffer at least as large as asked, rounded up to whole `vec4f`
   * @param bytes as asked for
   */
  constructor(readonly owner: MemoryPool, readonly buffer: GPUBuffer, readonly bytes: number) {}
}

/** Gives out buffers of one device and counts them. */
export class MemoryPool {
  readonly #device: GPUDevice;
  readonly #name: string;
  readonly #live = new Set<GpuMemory>();
  #liveBytes = 0;

  /**
   * One per device.
   *
   * @param name the adapter in words, for messages
   * @param maxBytes largest buffer that can be bound
   */
  constructor(device: GPUDevice, name: string, readonly maxBytes: number) {
    this.#device = device;
    this.#name = name;
  }

  /** Bytes of all buffers given out, as rounded up. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /**
   * A zero-filled buffer. Where the driver runs out of memory WebGPU says so later.
   *
   * @throws {DeviceError} when it would exceed what a kernel can bind
   */
  allocate(bytes: number, label: string): GpuMemory {
    if (bytes > this.maxBytes) {
      throw new DeviceError(
        `Cannot allocate ${label}: ${bytes} bytes are asked for in one buffer, ` +
          `${this.#name} allows ${this.maxBytes}; a smaller batch is wanted`,
      );
    }
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const buffer = this.#device.createBuffer({
      label,
      size: Math.max(16, Math.ceil(bytes / 16) * 16),
      usage: STORAGE | COPY_SRC | COPY_DST,
    });
    const memory = new GpuMemory(this, buffer, bytes);
    this.#live.add(memory);
    this.#liveBytes += buffer.size;
    return memory;
  }

  /** Frees a buffer at once; a second time does nothing. */
  free(memory: Memory): void {
    const own = this.own(memory, "free");
    if (!this.#live.delete(own)) return;
    this.#liveBytes -= own.buffer.size;
    own.buffer.destroy();
  }

  /**
   * Memory as this pool gave it out.
   *
   * @throws {DeviceError} when it belongs to another device
   */
  own(memory: Memory, action: string): GpuMemory {
    if (memory instanceof GpuMemory && memory.owner === this) return memory;
    throw new DeviceError(
      `Cannot ${action}: the memory belongs to another device, memory of ${this.#name} is wanted`,
    );
  }

  /** Live memory whose range is valid. @throws {DeviceError} when it was freed or ends earlier */
  range(memory: Memory, offset: number, bytes: number, action: string): GPUBuffer {
    const own = this.own(memory, action);
    if (!this.#live.has(own)) {
      throw new DeviceError(`Cannot ${action}: ${own.buffer.label} was freed`);
    }
    if (offset < 0 || offset + bytes > own.buffer.size) {
      throw new DeviceError(
        `Cannot ${action} bytes ${offset} to ${offset + bytes}: ${own.buffer.label} has ` +
          `${own.bytes} bytes`,
      );
    }
    return own.buffer;
  }

  /** Frees everything. */
  close(): void {
    for (const memory of this.#live) memory.buffer.destroy();
    this.#live.clear();
    this.#liveBytes = 0;
  }
}
