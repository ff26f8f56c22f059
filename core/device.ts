/** A device computes: it compiles programs to plans, owns memory, and reads values back. */
import type { Backend, BuildProgress, Elements } from "./backend.ts";
import { DeviceError } from "./errors.ts";
import type { LeafAttrs, Tensor } from "./graph.ts";
import { Plan } from "./plan/plan.ts";
import { type Program, schedule } from "./plan/schedule.ts";
import type { Locate } from "./plan/storage.ts";
import { elementBytes, sizeOf } from "./shape.ts";
import type { Store } from "./store.ts";

export type {
  Backend,
  BuildProgress,
  Elements,
  Executable,
  KernelTime,
  Memory,
} from "./backend.ts";
export { checkElements, Plan, viewAs } from "./plan/plan.ts";

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
      epilogues: this.backend.takesEpilogues,
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
   * Bytes that a plan of the program would hold beside stores, without making it; the kernels'
   * scratch memory comes on top.
   */
  estimateBytes(program: Program): number {
    // Every variable gets memory of its own: where it lies changes nothing of what a plan holds.
    const locate: Locate = (leaf) => {
      const bytes = sizeOf(leaf.type.shape) * elementBytes;
      return { memory: leaf, offset: 0, bytes };
    };
    const { maxBuffers, takesEpilogues: epilogues } = this.backend;
    const { buffers } = schedule(program, { locate, maxBuffers, epilogues });
    return buffers.reduce((sum, b) => sum + (b.external ? 0 : b.bytes), 0);
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
