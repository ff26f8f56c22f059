/** A device computes: it compiles programs to plans, owns memory, and reads values back. */
import type { Backend, BuildProgress, Memory } from "./backend.ts";
import type { Elements } from "./elements.ts";
import { DeviceError } from "./errors.ts";
import type { LeafAttrs, Tensor } from "./graph.ts";
import type { BufferRange } from "./plan/buffer_range.ts";
import type { Locate } from "./plan/buffers.ts";
import { buildPlan, type Plan } from "./plan/plan.ts";
import type { Program } from "./plan/program.ts";
import { schedule } from "./plan/schedule.ts";
import { elementBytes, sizeOf } from "./shape.ts";
import type { Store } from "./store.ts";

export type { BuildProgress, KernelTime } from "./backend.ts";
export type { Elements } from "./elements.ts";
export { Plan } from "./plan/plan.ts";

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

/** Where the variables of a store lie. */
type VariableRanges = ReadonlyMap<LeafAttrs, BufferRange<Memory>>;

// What follows reaches into a device. It is for stores, openers and tests: no part of the surface.
/** A device over a backend; it closes the backend when it is disposed. */
export let deviceOn: (backend: Backend) => Device;
/** The backend of a device. */
export let backendOf: (device: Device) => Backend;
/** Lets plans of a device find the variables of a store. */
export let register: (device: Device, store: Store, ranges: VariableRanges) => void;

/** A place to compute. Opened by `openDevice`; owns its memory until disposed. */
export class Device implements Disposable {
  readonly #backend: Backend;
  readonly #stores = new WeakMap<Store, VariableRanges>();
  #closed = false;

  static {
    deviceOn = (backend) => new Device(backend);
    backendOf = (device) => device.#backend;
    register = (device, store, ranges) => device.#stores.set(store, ranges);
  }

  private constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** `webgpu` or `wasm`. */
  get kind(): "webgpu" | "wasm" {
    return this.#backend.kind;
  }

  /** The adapter or module in words. */
  get name(): string {
    return this.#backend.name;
  }

  /** Bytes of device memory in use by stores and plans. */
  get liveBytes(): number {
    return this.#backend.liveBytes;
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
        const found = this.#stores.get(store)?.get(leaf);
        if (found) return found;
      }
      return undefined;
    };
    const debug = options.debug ?? false;
    const planned = schedule(program, {
      locate,
      maxBuffers: this.#backend.maxBuffers,
      epilogues: this.#backend.takesEpilogues,
      fuse: options.fuse ?? !debug,
      reuse: !debug,
    });
    const checkAlive = (action: string): void => {
      this.checkOpen(action);
      for (const store of stores) checkStore(store, this, action);
    };
    const { outputs } = program, { onProgress } = options;
    const parts = { backend: this.#backend, schedule: planned, outputs, checkAlive };
    return await buildPlan(parts, onProgress);
  }

  /**
   * Bytes that a plan of the program would hold beside stores, without making it; the kernels'
   * scratch memory comes on top.
   */
  estimateBytes(program: Program): number {
    // Every variable gets memory of its own: where it lies changes nothing of what a plan holds.
    const locate: Locate = (leaf) => {
      const bytes = sizeOf(leaf.type.shape) * elementBytes;
      return { buffer: { bytes }, offset: 0, bytes };
    };
    const { maxBuffers, takesEpilogues: epilogues } = this.#backend;
    const { buffers } = schedule(program, { locate, maxBuffers, epilogues });
    return buffers.reduce((sum, b) => sum + (b.memory ? 0 : b.bytes), 0);
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
    this.#backend.close();
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
