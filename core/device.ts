/** A device computes: it compiles programs to plans, owns memory, and reads values back. */
import { explain } from "./plan/explain.ts";
import { type Program, type Schedule, schedule } from "./plan/schedule.ts";
import type { Step } from "./plan/steps.ts";
import { asLeaf, type LeafAttrs, type Tensor } from "./graph.ts";
import { DeviceError, ShapeError } from "./errors.ts";
import { type DType, elementBytes, show, sizeOf } from "./shape.ts";
import type { Store } from "./store.ts";

/** Device memory, known to its backend only. */
export interface Memory {
  /** Length in bytes. */
  readonly bytes: number;
}

/** Elements on the host. */
export type Elements =
  | Float32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>;

/** How long one kernel takes. */
export interface KernelTime {
  /** As in {@link Executable.kernels}. */
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
   * @param buffers what the numbers in {@link Place} stand for
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

/** Options of {@link Device.compile}. */
export interface CompileOptions {
  /** Where the program's variables live. */
  readonly stores?: readonly Store[];
  /** Melt pointwise chains into one kernel (default true). */
  readonly fuse?: boolean;
  /** Keep every value in memory of its own, unfused, so that {@link Plan.firstNaN} can look. */
  readonly debug?: boolean;
  /** Told before each kernel is made, for a progress bar. */
  readonly onProgress?: BuildProgress;
}

/** A place to compute. Opened by `openDevice`; owns its memory until disposed. */
export class Device implements Disposable {
  #closed = false;

  /** Wraps a backend; `openDevice` does this. */
  constructor(readonly backend: Backend) {}

  /** `webgpu` or `wasm`. */
  get kind(): "webgpu" | "wasm" {
    return this.backend.kind;
  }

  /** The adapter or module in words. */
  get name(): string {
    return this.backend.name;
  }

  /** Bytes of device memory in use by stores and plans. */
  get liveBytes(): number {
    return this.backend.liveBytes;
  }

  /**
   * Plans a program once so that it can be run often: fused, scheduled, with memory and kernels made.
   *
   * @throws {ShapeError} when a variable is in none of the stores, or an update does not fit it
   * @throws {DeviceError} when a buffer exceeds what the device can bind, or the device was closed
   */
  async compile(program: Program, options: CompileOptions = {}): Promise<Plan> {
    this.checkOpen("compile");
    const stores = options.stores ?? [];
    for (const store of stores) checkStore(store, this, "compile");
    const locate = (leaf: LeafAttrs) => {
      for (const store of stores) {
        const found = store.locate(leaf);
        if (found) return found;
      }
      return undefined;
    };
    const debug = options.debug ?? false;
    const planned = schedule(program, {
      locate,
      maxBuffers: this.backend.maxBuffers,
      fuse: options.fuse ?? !debug,
      reuse: !debug,
    });
    const checkAlive = (action: string): void => {
      this.checkOpen(action);
      for (const store of stores) checkStore(store, this, action);
    };
    const { outputs } = program, { onProgress } = options;
    return await Plan.build(this.backend, planned, outputs, checkAlive, onProgress);
  }

  /**
   * Computes a tensor now, by a plan that is thrown away. For a value needed often, compile a plan.
   *
   * @returns its elements in row-major order
   * @throws {ShapeError} when it depends on an input, or on a variable in none of the stores
   * @throws {DeviceError} when a buffer exceeds what the device can bind, or the device was closed
   */
  async read(tensor: Tensor, options: CompileOptions = {}): Promise<Elements> {
    using plan = await this.compile({ outputs: [tensor] }, options);
    plan.run();
    return await plan.read(tensor);
  }

  /** Frees the device. Stores and plans on it are dead afterwards. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.backend.close();
  }

  /**
   * Asks that the device is open.
   *
   * @param action what cannot be done otherwise, for the message
   * @throws {DeviceError} when it was closed
   */
  checkOpen(action: string): void {
    if (this.#closed) throw new DeviceError(`Cannot ${action}: the device was closed`);
  }
}

/** A program that was planned and built: replayed by {@link run}, nothing is allocated any more. */
export class Plan implements Disposable {
  readonly #fed = new Set<Tensor>();
  /** Throws when what the plan stands on is gone: its kernels would write into memory of others. */
  readonly #checkAlive: (action: string) => void;
  #closed = false;

  private constructor(
    /** Where it runs. */
    readonly backend: Backend,
    /** Its steps, and where values lie. */
    readonly schedule: Schedule,
    /** What {@link read} can be asked for. */
    readonly outputs: readonly Tensor[],
    /** Memory by the numbers in the schedule; that of stores among it. */
    readonly buffers: readonly Memory[],
    /** Its kernels. */
    readonly executable: Executable,
    checkAlive: (action: string) => void,
  ) {
    this.#checkAlive = checkAlive;
  }

  /**
   * Allocates the buffers, uploads the constants and builds the kernels; {@link Device.compile}
   * does this.
   *
   * @throws {DeviceError} when a buffer or a kernel exceeds a limit, or memory runs out
   */
  static async build(
    backend: Backend,
    planned: Schedule,
    outputs: readonly Tensor[],
    checkAlive: (action: string) => void,
    progress?: BuildProgress,
  ): Promise<Plan> {
    checkLimits(backend, planned);
    const buffers: Memory[] = [];
    try {
      for (const b of planned.buffers) {
        buffers.push((b.external as Memory) ?? backend.allocate(b.bytes, b.label));
        const data = b.leaf && asLeaf(b.leaf)?.data;
        if (data) backend.write(buffers.at(-1)!, 0, data as Elements);
      }
      const executable = await backend.build(planned.steps, buffers, progress);
      return new Plan(backend, planned, outputs, buffers, executable, checkAlive);
    } catch (error) {
      freeOwn(backend, planned, buffers);
      throw error;
    }
  }

  /** Bytes this plan holds beside stores: slots, blocks, inputs, constants, scratch. */
  get bytes(): number {
    const own = this.schedule.buffers.filter((b) => !b.external);
    return own.reduce((sum, b) => sum + b.bytes, 0) + this.executable.scratchBytes;
  }

  /**
   * Runs the plan once. Inputs not given keep the elements of the run before.
   *
   * Returns before the device has finished; {@link read} waits for it.
   *
   * @param feeds inputs with their elements in row-major order
   * @throws {ShapeError} when elements do not fit an input, or an input was never given
   * @throws {DeviceError} when the plan was closed
   */
  run(feeds: Iterable<readonly [Tensor, Elements]> = []): void {
    if (this.#closed) throw new DeviceError("Cannot run: the plan was closed");
    this.#checkAlive("run");
    for (const [tensor, data] of feeds) this.#feed(tensor, data);
    const missing = this.schedule.inputs.find((t) => !this.#fed.has(t));
    if (missing) {
      throw new ShapeError(`Cannot run: the input ${asLeaf(missing)!.label} was not given`);
    }
    this.executable.run();
  }

  #feed(tensor: Tensor, data: Elements): void {
    const label = asLeaf(tensor)?.label ?? tensor.toString();
    if (!this.schedule.inputs.includes(tensor)) {
      throw new ShapeError(`Cannot run: ${label} is no input of this plan`);
    }
    if (data.length !== sizeOf(tensor.shape) || dtypeOf(data) !== tensor.dtype) {
      throw new ShapeError(
        `Cannot run: the input ${label} was given ${data.length} elements of ${dtypeOf(data)}, ` +
          `${show(tensor.shape)} of ${tensor.dtype} is wanted`,
      );
    }
    this.backend.write(this.buffers[this.schedule.placeOf(tensor).buffer], 0, data);
    this.#fed.add(tensor);
  }

  /**
   * Elements of an output in row-major order, as the last run left them.
   *
   * @throws {ShapeError} when it is no output of this plan
   * @throws {DeviceError} when the plan was closed, or the device was lost
   */
  async read(output: Tensor): Promise<Elements> {
    if (this.#closed) throw new DeviceError("Cannot read: the plan was closed");
    this.#checkAlive("read");
    if (!this.outputs.includes(output)) {
      throw new ShapeError(`Cannot read ${output}: it is no output of this plan`);
    }
    const { buffer, offset, bytes } = this.schedule.placeOf(output);
    return viewAs(output.dtype, await this.backend.read(this.buffers[buffer], offset, bytes));
  }

  /** Steps, buffers, bytes and kernels as a table for people. */
  explain(): string {
    return explain(this.schedule, this.executable);
  }

  /**
   * The first step whose result holds a NaN, or undefined. Meaningful for plans compiled with
   * `debug: true`, where no result is overwritten.
   */
  async firstNaN(): Promise<string | undefined> {
    for (const step of this.schedule.steps) {
      const places = step.kind === "copy"
        ? [step.to]
        : step.kind === "map"
        ? step.outputs.map((o) => o.place)
        : step.outputs.filter((_, k) => step.node.outputs[k].dtype === "f32");
      for (const { buffer, offset, bytes } of places) {
        const words = new Uint32Array(await this.backend.read(this.buffers[buffer], offset, bytes));
        // By bit pattern: comparisons with NaN are not to be trusted on every GPU.
        if (words.some((w) => (w & 0x7fffffff) > 0x7f800000)) return step.label;
      }
    }
    return undefined;
  }

  /** Frees the plan's buffers; stores keep theirs. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.executable.close();
    freeOwn(this.backend, this.schedule, this.buffers);
  }
}

function freeOwn(backend: Backend, planned: Schedule, buffers: readonly Memory[]): void {
  for (const [k, memory] of buffers.entries()) {
    if (!planned.buffers[k].external) backend.free(memory);
  }
}

function checkLimits(backend: Backend, planned: Schedule): void {
  const limit = backend.maxBufferBytes;
  const largest = planned.buffers.find((b) => b.bytes > limit);
  if (!largest) return;
  const number = planned.buffers.indexOf(largest);
  const step = planned.steps.find((s) =>
    s.kind !== "copy" &&
    JSON.stringify(s.kind === "map" ? s.outputs.map((o) => o.place) : s.outputs)
      .includes(`"buffer":${number},`)
  );
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
  throw new DeviceError(
    `Cannot compile: ${step?.label ?? largest.label} needs ${
      mb(largest.bytes)
    } MB in one buffer, ` +
      `${backend.name} allows ${mb(limit)} MB; a smaller batch is wanted`,
  );
}

/** A store of this device that still has its memory. */
function checkStore(store: Store, device: Device, action: string): void {
  if (store.isClosed) throw new DeviceError(`Cannot ${action}: a store of the plan was closed`);
  if (store.device !== device) {
    throw new DeviceError(
      `Cannot ${action}: a store of the plan lies on ${store.device.name}, ` +
        `one on this device is wanted`,
    );
  }
}

/** The element type of host data. */
export function dtypeOf(data: Elements): DType {
  return data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "u32";
}

/** A typed view of raw bytes. */
export function viewAs(dtype: DType, bytes: ArrayBuffer): Elements {
  const length = bytes.byteLength / elementBytes;
  if (dtype === "f32") return new Float32Array(bytes, 0, length);
  return dtype === "i32" ? new Int32Array(bytes, 0, length) : new Uint32Array(bytes, 0, length);
}
