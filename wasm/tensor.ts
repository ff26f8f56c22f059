/** The tensor module's one instance, on a memory that its threads share. */
import * as glue from "./pkg/tensor.js";
import { tensorCode } from "./tensor_module.js";
import { ThreadPool } from "./pool.ts";
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
  readonly pool: ThreadPool;
  /** False for a build without threads, which brings its own memory. */
  readonly threaded: boolean;

  constructor() {
    this.threaded = WebAssembly.Module.imports(tensorCode).some((i) => i.kind === "memory");
    if (this.threaded) {
      this.memory = new WebAssembly.Memory({ ...pages, shared: true });
      glue.initSync({ module: tensorCode, memory: this.memory, thread_stack_size: stackBytes });
    } else {
      this.memory =
        (glue.initSync({ module: tensorCode }) as unknown as { memory: WebAssembly.Memory }).memory;
    }
    this.exports = glue as unknown as TensorExports;
    this.pool = new ThreadPool(tensorCode, this.memory, stackBytes);
  }

  /**
   * Zero-filled memory, aligned to 64 bytes.
   *
   * @throws {DeviceError} when 4 GiB are used up, or more than 2 GiB are asked for in one piece
   */
  allocate(bytes: number, label: string): number {
    // Checked here: the module takes 32 bits of the number, and would give what they hold.
    const address = bytes < 2 ** 31 ? this.#call("alloc", bytes) : 0;
    if (address === 0) {
      throw new DeviceError(
        `Cannot allocate ${(bytes / 1e6).toFixed(1)} MB for ${label}: ` +
          `${(this.liveBytes / 1e6).toFixed(1)} MB of the 4,295 MB of WebAssembly are in use; ` +
          `a smaller batch is wanted`,
      );
    }
    return address;
  }

  /** Gives memory back. */
  free(address: number, bytes: number): void {
    this.#call("dealloc", address, bytes);
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

  #call(name: string, ...args: number[]): number {
    // Addresses beyond 2 GiB come back as negative numbers.
    return (this.exports[name](...args) as number) >>> 0;
  }
}

let instance: TensorModule | undefined;

/**
 * The instance, made on first use. One per process: the generated glue holds one, and all devices
 * share its threads.
 */
export function tensorModule(): TensorModule {
  return instance ??= new TensorModule();
}
