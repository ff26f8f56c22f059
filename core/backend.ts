/** What a backend is: memory, and kernels over it. `gpu` and `wasm` implement it. */
import type { Elements } from "./elements.ts";
import type { Step } from "./plan/steps.ts";

/** Device memory, known to its backend only. */
export interface Memory {
  /** Length in bytes. */
  readonly bytes: number;
}

/** How long one kernel takes. */
export interface KernelTime {
  /** The kernel and its layer, such as `conv2d for conv2d at layer1.0.conv1`. */
  readonly label: string;
  /** Shortest of several runs, in milliseconds. */
  readonly ms: number;
}

/** The steps of a plan, ready to be replayed. */
export interface Executable {
  /** Runs all steps once; returns before the device has finished. */
  run(): void;
  /** Bytes of scratch memory beside the plan's buffers. */
  readonly scratchBytes: number;
  /** Kernel labels, one per dispatch or call, in order. */
  readonly kernels: readonly string[];
  /**
   * Runs everything `rounds` times, waiting after each kernel, and answers with the shortest time
   * of each. Absent where a backend cannot wait.
   */
  profile?(rounds: number): readonly KernelTime[];
  /** Frees what `build` made. */
  close(): void;
}

/** Told before each kernel is made: "compiling 12 of 43 kernels". */
export type BuildProgress = (done: number, total: number) => void;

/** What a backend has to do; `gpu` and `wasm` implement it. */
export interface Backend {
  /** Which of the two implementations it is. */
  readonly kind: "webgpu" | "wasm";
  /** Adapter or module in words, such as `llvmpipe (LLVM 19.1.7)`. */
  readonly name: string;
  /** Storage buffers that one kernel may bind. */
  readonly maxBuffers: number;
  /** Largest buffer that a kernel may bind, in bytes. */
  readonly maxBufferBytes: number;
  /** Whether its macro steps may have an epilogue (default false). */
  readonly takesEpilogues?: boolean;
  /** Bytes allocated and not yet freed. */
  readonly liveBytes: number;
  /**
   * Zero-filled memory.
   *
   * @param label what it is for, named when it cannot be had
   * @throws {DeviceError} when there is not enough
   */
  allocate(bytes: number, label: string): Memory;
  /** Gives memory back; nothing may use it afterwards. */
  free(memory: Memory): void;
  /** Copies elements in from `offset` bytes on; later runs see them. */
  write(memory: Memory, offset: number, data: Elements): void;
  /** Copies bytes out, as they are after everything asked before. */
  read(memory: Memory, offset: number, bytes: number): Promise<ArrayBuffer>;
  /**
   * Makes the kernels of a plan.
   *
   * @param buffers what the numbers in a `BufferRange` stand for
   * @throws {DeviceError} when a kernel exceeds a limit or does not compile
   */
  build(
    steps: readonly Step[],
    buffers: readonly Memory[],
    progress?: BuildProgress,
  ): Promise<Executable>;
  /** Frees all memory and kernels; nothing may be asked afterwards. */
  close(): void;
}
