/** The WebGPU backend: `core`'s plans on `navigator.gpu`, in Deno and in browsers alike. */
import type { Backend, BuildProgress, Executable, Memory } from "../core/backend.ts";
import type { Elements } from "../core/elements.ts";
import type { Step } from "../core/plan/steps.ts";
import { type GpuOptions, openAdapter, type OpenedAdapter } from "./adapter.ts";
import { buildExecutable } from "./executable.ts";
import { Faults } from "./faults.ts";
import { MemoryPool } from "./memory.ts";
import { Pipelines } from "./pipelines.ts";
import { Readback } from "./readback.ts";

export type { GpuOptions, OpenedAdapter } from "./adapter.ts";

/** One GPU, opened. It owns its memory and its compiled kernels until closed. */
export class GpuBackend implements Backend {
  /** Which of the two backends this is. */
  readonly kind = "webgpu";
  /** The adapter in words. */
  readonly name: string;
  /** True when a CPU pretends to be a GPU: right, but slower than the WASM backend. */
  readonly isSoftware: boolean;
  /** WebGPU's default limit, also where the adapter offers more: what runs here runs anywhere. */
  readonly maxBuffers = 8;
  readonly maxBufferBytes: number;
  /** The device beneath, for measurements and tests. */
  readonly device: GPUDevice;
  readonly #faults: Faults;
  readonly #memory: MemoryPool;
  readonly #pipelines: Pipelines;
  readonly #readback: Readback;

  /** Wraps an opened adapter; {@link openGpu} does this. */
  constructor(opened: OpenedAdapter) {
    this.device = opened.device;
    this.name = opened.name;
    this.isSoftware = opened.isSoftware;
    this.maxBufferBytes = opened.maxBufferBytes;
    this.#faults = new Faults(this.device, this.name);
    this.#memory = new MemoryPool(this.device, this.name, this.maxBufferBytes);
    this.#pipelines = new Pipelines(this.device, this.#faults);
    this.#readback = new Readback(this.device, this.#faults);
  }

  /** Bytes of buffers in use; the few staging buffers of read-backs are not counted. */
  get liveBytes(): number {
    return this.#memory.liveBytes;
  }

  /** Distinct kernels compiled so far, over all plans. */
  get compiledKernels(): number {
    return this.#pipelines.count;
  }

  /**
   * Zero-filled memory.
   *
   * @throws {DeviceError} when it exceeds {@link maxBufferBytes}; when the GPU has not enough, the
   *   next `build`, `run` or `read` throws
   */
  allocate(bytes: number, label: string): Memory {
    this.#faults.check(`allocate ${label}`);
    return this.#memory.allocate(bytes, label);
  }

  /** Frees memory at once; a second time does nothing. */
  free(memory: Memory): void {
    this.#memory.free(memory);
  }

  /**
   * Copies elements in.
   *
   * @param offset in bytes, a multiple of 4
   * @throws {DeviceError} when they do not fit
   */
  write(memory: Memory, offset: number, data: Elements): void {
    const buffer = this.#memory.range(memory, offset, data.byteLength, "write");
    this.device.queue.writeBuffer(buffer, offset, data);
  }

  /**
   * Copies bytes out after everything submitted before.
   *
   * @param offset in bytes, a multiple of 4, as is `bytes`
   * @throws {DeviceError} when the device was lost, or anything before reported an error
   */
  async read(memory: Memory, offset: number, bytes: number): Promise<ArrayBuffer> {
    this.#faults.check("read");
    const buffer = this.#memory.range(memory, offset, bytes, "read");
    return await this.#readback.read(buffer, offset, bytes);
  }

  /**
   * Compiles and binds the steps of a plan.
   *
   * @throws {DeviceError} when a kernel breaks a limit, does not compile or cannot be bound
   */
  async build(
    steps: readonly Step[],
    buffers: readonly Memory[],
    progress?: BuildProgress,
  ): Promise<Executable> {
    const parts = {
      device: this.device,
      faults: this.#faults,
      memory: this.#memory,
      pipelines: this.#pipelines,
      maxBuffers: this.maxBuffers,
    };
    return await buildExecutable(parts, steps, buffers, progress);
  }

  /** Destroys the device and all that lives on it. */
  close(): void {
    this.#faults.close();
    this.#readback.close();
    this.#memory.close();
    this.device.destroy();
  }
}

/**
 * Opens the machine's GPU. Each call opens a device of its own.
 *
 * @returns undefined where there is no WebGPU or no adapter
 * @throws {DeviceError} when the adapter refuses a device
 */
export async function openGpu(options: GpuOptions = {}): Promise<GpuBackend | undefined> {
  const opened = await openAdapter(options);
  return opened && new GpuBackend(opened);
}
