/** The CPU backend: every operation by a Rust kernel, compiled to WASM with SIMD and threads. */
import type { Backend, BuildProgress, Executable, KernelTime, Memory } from "../core/backend.ts";
import type { Elements } from "../core/elements.ts";
import { DeviceError, UsageError } from "../core/errors.ts";
import type { Operand, Ref } from "../core/kernel.ts";
import type { BufferRange } from "../core/plan/buffer_range.ts";
import {
  type MacroStep,
  type MapStep,
  rangesRead,
  rangesWritten,
  type Step,
} from "../core/plan/steps.ts";
import { mapProgram } from "./map_program.ts";
import { type TensorModule, tensorModule } from "./tensor.ts";

/** Plans that touch fewer bytes a run than this stay on one thread: waking others costs more. */
const threadBytes = 1 << 20;

/** Most threads: no kernel has many more tasks, and each thread takes megabytes. */
const maxThreads = 64;

/** Kernels that take scratch before they do anything, so that a build can rehearse them. */
const scratchKernels: ReadonlySet<string> = new Set([
  "batch_norm_sums",
  "batch_statistics",
  "conv2d",
  "conv2d_then",
  "conv2d_input_grad",
  "conv2d_weight_grad",
  "map",
  "matmul",
  "reduce",
]);

interface WasmMemory extends Memory {
  readonly address: number;
}

/** Options of {@link openWasm}. */
export interface WasmOptions {
  /** Threads that compute, this one included: 1 to 64 (default: one per core, 64 at most). */
  readonly threads?: number;
}

/**
 * Opens the CPU backend. It needs no permission.
 *
 * @throws {UsageError} when `threads` is no whole number from 1 to 64
 * @throws {DeviceError} when the system does not give it the memory to begin with
 */
export function openWasm(options: WasmOptions = {}): Backend {
  const { threads = Math.min(navigator.hardwareConcurrency || 1, maxThreads) } = options;
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > maxThreads) {
    throw new UsageError(
      `Cannot open the CPU backend: threads is ${threads}, ` +
        `a whole number from 1 to ${maxThreads} is wanted`,
    );
  }
  return new WasmBackend(tensorModule(), threads);
}

class WasmBackend implements Backend {
  readonly kind = "wasm";
  readonly maxBuffers = Infinity;
  readonly takesEpilogues = true;
  readonly maxBufferBytes = 2 ** 31;
  readonly #live = new Set<WasmMemory>();

  constructor(readonly module: TensorModule, readonly threads: number) {}

  get name(): string {
    const { failures } = this.module.threads, wanted = this.module.threaded ? this.threads : 1;
    const count = Math.max(1, wanted - failures.length);
    const lost = count < wanted ? ` (${wanted - count} did not start: ${failures[0]})` : "";
    return `WASM with SIMD, ${count} thread${count === 1 ? "" : "s"}${lost}`;
  }

  get liveBytes(): number {
    let sum = 0;
    for (const block of this.#live) sum += block.bytes;
    return sum;
  }

  allocate(bytes: number, label: string): Memory {
    const block: WasmMemory = { bytes, address: this.module.allocate(bytes, label) };
    this.#live.add(block);
    return block;
  }

  free(memory: Memory): void {
    const block = memory as WasmMemory;
    if (this.#live.delete(block)) this.module.free(block.address, block.bytes);
  }

  write(memory: Memory, offset: number, data: Elements): void {
    this.module.check("write");
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.module.bytesAt(this.#address(memory) + offset, bytes.length).set(bytes);
  }

  read(memory: Memory, offset: number, bytes: number): Promise<ArrayBuffer> {
    this.module.check("read");
    const copy = new Uint8Array(bytes);
    copy.set(this.module.bytesAt(this.#address(memory) + offset, bytes));
    return Promise.resolve(copy.buffer);
  }

  build(
    steps: readonly Step[],
    buffers: readonly Memory[],
    progress?: BuildProgress,
  ): Promise<Executable> {
    this.module.check("build");
    const touched = steps.reduce((sum, s) => sum + bytesOf(s), 0);
    if (this.module.threaded && touched > threadBytes) this.module.threads.start(this.threads - 1);
    const at = (r: BufferRange): number => this.#address(buffers[r.buffer]) + r.offset;
    const executable = new WasmExecutable(this.module, steps, at);
    progress?.(steps.length, steps.length);
    return Promise.resolve(executable);
  }

  close(): void {
    for (const block of [...this.#live]) this.free(block);
  }

  #address(memory: Memory): number {
    const block = memory as WasmMemory;
    if (!this.#live.has(block)) throw new DeviceError("Cannot use memory that was freed");
    return block.address;
  }
}

/** Calls with final addresses; arguments that are words lie in one block of the executable. */
class WasmExecutable implements Executable {
  readonly kernels: string[] = [];
  readonly #runs: (() => void)[] = [];
  readonly #owned: { address: number; bytes: number }[] = [];
  readonly #scratch: number[] = [];

  constructor(
    readonly module: TensorModule,
    steps: readonly Step[],
    at: (r: BufferRange) => number,
  ) {
    try {
      for (const bytes of scratchSizes(steps)) this.#scratch.push(this.#own(bytes, "scratch"));
      for (const step of steps) {
        if (step.kind === "map") this.#addMap(step, at);
        else if (step.kind === "macro") this.#addMacro(step, at);
        else this.#add("copy", [at(step.from), at(step.to), step.to.bytes]);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get scratchBytes(): number {
    return this.#owned.reduce((sum, o) => sum + o.bytes, 0) + this.module.workspaceBytes;
  }

  run(): void {
    this.module.check("run");
    for (let k = 0; k < this.#runs.length; k++) this.#runOne(k);
  }

  #runOne(k: number): void {
    let short: unknown;
    try {
      this.#runs[k]();
      short = this.module.exports.workspace_short();
    } catch (cause) {
      throw this.module.trapped(`run ${this.kernels[k]}`, cause);
    }
    if (short) throw this.module.shortage(`run ${this.kernels[k]}`, short as number);
  }

  profile(rounds: number): KernelTime[] {
    this.module.check("run");
    const shortest = this.#runs.map(() => Infinity);
    for (let round = 0; round < rounds; round++) {
      for (const k of this.#runs.keys()) {
        const start = performance.now();
        this.#runOne(k);
        shortest[k] = Math.min(shortest[k], performance.now() - start);
      }
    }
    return shortest.map((ms, k) => ({ label: this.kernels[k], ms }));
  }

  close(): void {
    for (const { address, bytes } of this.#owned.splice(0)) this.module.free(address, bytes);
    this.#runs.length = 0;
  }

  #addMap(step: MapStep, at: (r: BufferRange) => number): void {
    const program = mapProgram(
      step,
      (k) => at(step.args[k].range),
      (k) => at(step.outputs[k].range),
    );
    this.#add("map", [this.#words(program)], step.label);
  }

  #addMacro(step: MacroStep, at: (r: BufferRange) => number): void {
    const address = ({ of, index }: Ref): number =>
      of === "scratch"
        ? this.#scratch[index]
        : at(of === "input" ? step.inputs[index] : step.outputs[index]);
    const lower = (operand: Operand): number => {
      if (typeof operand === "number") return operand;
      if ("of" in operand) return address(operand);
      if ("ints" in operand) return this.#words(Uint32Array.from(operand.ints));
      return this.#words(new Uint32Array(Float32Array.from(operand.floats).buffer));
    };
    for (const { kernel, args } of step.op.wasm(step.node, step.epilogue).calls) {
      this.#add(kernel, args.map(lower), step.label);
    }
  }

  #add(kernel: string, args: readonly number[], label = kernel): void {
    const run = this.module.exports[kernel];
    if (!run) throw new DeviceError(`Cannot build ${label}: the tensor module has no ${kernel}`);
    const name = label === kernel ? kernel : `${kernel} for ${label}`;
    if (scratchKernels.has(kernel)) this.module.reserve(kernel, args, name);
    this.#runs.push(() => run(...args));
    this.kernels.push(name);
  }

  #words(words: Uint32Array<ArrayBuffer>): number {
    const address = this.#own(words.byteLength, "arguments");
    this.module.bytesAt(address, words.byteLength).set(new Uint8Array(words.buffer));
    return address;
  }

  #own(bytes: number, label: string): number {
    const address = this.module.allocate(bytes, label);
    this.#owned.push({ address, bytes });
    return address;
  }
}

/** Scratch buffers are shared by all steps: the k-th is as large as the largest k-th. */
function scratchSizes(steps: readonly Step[]): number[] {
  const sizes: number[] = [];
  for (const step of steps) {
    if (step.kind !== "macro") continue;
    for (const [k, bytes] of (step.op.wasm(step.node, step.epilogue).scratch ?? []).entries()) {
      sizes[k] = Math.max(sizes[k] ?? 0, bytes);
    }
  }
  return sizes;
}

function bytesOf(step: Step): number {
  const ranges = [...rangesRead(step), ...rangesWritten(step)];
  return ranges.reduce((sum, r) => sum + r.bytes, 0);
}
