/** The tensor module's instance, on a memory that its threads share. */
import * as glue from "./pkg/tensor.js";
import { tensorCode } from "./tensor_module.js";
import { Threads } from "./threads.ts";
import { DeviceError } from "../core/errors.ts";

/** Bytes of stack per thread; a multiple of 64 KiB. */
const stackBytes = 1 << 20;
/** WebAssembly pages of 64 KiB: 16 MiB at the start, 4 GiB at most. */
const pages = { initial: 256, maximum: 65_536 };

/** Exports of the module, called by name. */
export type TensorExports = Readonly<Record<string, (...args: readonly number[]) => number | void>>;

/** The module in linear memory: buffers are addresses. */
export class TensorModule {
  readonly memory: WebAssembly.Memory;
  readonly exports: TensorExports;
  readonly threads: Threads;
  /** False for a build without threads, which brings its own memory. */
  readonly threaded: boolean;
  #fault: string | undefined;

  /** @throws {DeviceError} when the system does not give it the memory to begin with */
  constructor() {
    this.threaded = WebAssembly.Module.imports(tensorCode).some((i) => i.kind === "memory");
    glue.forget(); // one that trapped before
    try {
      const memory = this.threaded ? new WebAssembly.Memory({ ...pages, shared: true }) : undefined;
      const instance = glue.initSync({
        module: tensorCode,
        ...(memory ? { memory, thread_stack_size: stackBytes } : {}),
      });
      this.exports = instance as unknown as TensorExports;
      this.memory = memory ?? (instance as unknown as { memory: WebAssembly.Memory }).memory;
    } catch (cause) {
      throw new DeviceError(
        `Cannot open the CPU backend: ${text(cause)}; room for 4 GiB of addresses is wanted`,
        { cause },
      );
    }
    this.threads = new Threads(tensorCode, this.memory, stackBytes);
  }

  /** Why nothing can be asked of it any more, or undefined: it trapped. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** @throws {DeviceError} when the module has trapped before */
  check(action: string): void {
    if (this.#fault === undefined) return;
    throw new DeviceError(
      `Cannot ${action}: the device was closed when ${this.#fault}, ` +
        `a newly opened device is wanted`,
    );
  }

  /**
   * Closes the module for good, since a trap leaves anything in its memory, and its threads with it.
   *
   * @param cause what a call of an export threw
   * @returns the error to raise
   */
  trapped(action: string, cause: unknown): DeviceError {
    const what = this.threads.fault || text(cause);
    this.#fault ??= `it could not ${action} (${what})`;
    this.exports.threads_close();
    return new DeviceError(
      `Cannot ${action}: the module trapped (${what}) and the device is closed, ` +
        `a newly opened device is wanted (a bug of Fovea, please report it)`,
      { cause },
    );
  }

  /**
   * Zero-filled memory, aligned to 64 bytes.
   *
   * @throws {DeviceError} when 4 GiB are used up, or more than 2 GiB are asked for in one piece
   */
  allocate(bytes: number, label: string): number {
    this.check(`allocate ${label}`);
    // Checked here: the module takes 32 bits of the number, and would give what they hold.
    const address = bytes < 2 ** 31 ? this.#call("alloc", bytes) : 0;
    if (address === 0) {
      throw new DeviceError(
        `Cannot allocate ${megabytes(bytes)} MB for ${label}: ${this.#inUse()}; ` +
          `a smaller batch is wanted`,
      );
    }
    return address;
  }

  /** Gives memory back. */
  free(address: number, bytes: number): void {
    if (this.#fault === undefined) this.#call("dealloc", address, bytes);
  }

  /**
   * Takes the scratch memory that a call will want, by a rehearsal of it: a run then finds it there.
   *
   * @param kernel one of those that take scratch before they do anything
   * @throws {DeviceError} when there is not as much
   */
  reserve(kernel: string, args: readonly number[], label: string): void {
    this.#call("rehearse", this.threads.size + 1);
    try {
      this.exports[kernel](...args);
    } catch (cause) {
      throw this.trapped(`build ${label}`, cause);
    }
    const short = this.exports.workspace_reserve() as number;
    if (short > 0) throw this.shortage(`build ${label}`, short);
  }

  /** The error for a kernel that found not as many bytes of scratch memory as it wants. */
  shortage(action: string, bytes: number): DeviceError {
    return new DeviceError(
      `Cannot ${action}: it needs ${
        megabytes(bytes)
      } MB of scratch memory in one piece, of which ` +
        `2147.5 MB are the limit, and ${this.#inUse()}; a smaller image, padding or batch is wanted`,
    );
  }

  /** Bytes allocated and not given back. */
  get liveBytes(): number {
    return this.#call("live_bytes");
  }

  /** Bytes of the kernels' scratch memory. */
  get workspaceBytes(): number {
    return this.#call("workspace_bytes");
  }

  /** Bytes of linear memory; a new view each time, since the memory may have grown. */
  bytesAt(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  #inUse(): string {
    return `${megabytes(this.liveBytes)} MB of the 4,295 MB of WebAssembly are in use`;
  }

  #call(name: string, ...args: number[]): number {
    // Addresses beyond 2 GiB come back as negative numbers.
    return (this.exports[name](...args) as number) >>> 0;
  }
}

const text = (cause: unknown): string => cause instanceof Error ? cause.message : `${cause}`;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

let instance: TensorModule | undefined;

/**
 * The instance, made on first use, and anew where the last one trapped. One at a time: all devices
 * share its threads.
 */
export function tensorModule(): TensorModule {
  if (instance?.fault !== undefined) instance = undefined;
  return instance ??= new TensorModule();
}
