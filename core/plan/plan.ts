/** A plan: a program with its memory and kernels, ready to be replayed. */
import type { Backend, BuildProgress, Executable, KernelTime, Memory } from "../backend.ts";
import { checkElements, type Elements, viewAs } from "../elements.ts";
import { DeviceError, ShapeError, UsageError } from "../errors.ts";
import { asLeaf, type Tensor } from "../graph.ts";
import { explain } from "./explain.ts";
import type { Schedule } from "./schedule.ts";
import { rangesWritten } from "./steps.ts";

/** What a plan is put together from. */
export interface PlanParts {
  /** Where it runs. */
  readonly backend: Backend;
  /** Its steps, and where values lie. */
  readonly schedule: Schedule;
  /** What {@link Plan.read} can be asked for. */
  readonly outputs: readonly Tensor[];
  /** Memory by the numbers in the schedule; that of stores among it. */
  readonly memories: readonly Memory[];
  /** Its kernels. */
  readonly executable: Executable;
  /** Throws when what the plan stands on is gone: its kernels would write into memory of others. */
  readonly checkAlive: (action: string) => void;
}

let planOf: (parts: PlanParts) => Plan;

/** What a plan is put together from, for tests and the bench: no part of the library's surface. */
export let partsOf: (plan: Plan) => PlanParts;

/** A program that was planned and built: replayed by {@link run}, nothing is allocated any more. */
export class Plan implements Disposable {
  /** What {@link read} can be asked for. */
  readonly outputs: readonly Tensor[];
  /** What {@link run} has to be fed, in order of creation. */
  readonly inputs: readonly Tensor[];
  readonly #parts: PlanParts;
  readonly #fed = new Set<Tensor>();
  #closed = false;
  #ran = false;
  /** What ended the last run too early. */
  #failure: unknown;

  static {
    planOf = (parts) => new Plan(parts);
    partsOf = (plan) => plan.#parts;
  }

  private constructor(parts: PlanParts) {
    this.#parts = parts;
    this.outputs = parts.outputs;
    this.inputs = parts.schedule.inputs;
  }

  /** Bytes of the values of a run, as they share memory. */
  get plannedBytes(): number {
    return this.#parts.schedule.plannedBytes;
  }

  /** Bytes that the same values would take with a buffer each. */
  get unsharedBytes(): number {
    return this.#parts.schedule.unsharedBytes;
  }

  /** Kernels of a run, one per dispatch or call, in order, with the layers they belong to. */
  get kernels(): readonly string[] {
    return this.#parts.executable.kernels;
  }

  /** Bytes this plan holds beside stores: slots, blocks, inputs, constants, scratch. */
  get bytes(): number {
    const { schedule, executable } = this.#parts;
    const own = schedule.buffers.filter((b) => !b.memory);
    return own.reduce((sum, b) => sum + b.bytes, 0) + executable.scratchBytes;
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
    this.#parts.checkAlive("run");
    for (const [tensor, data] of feeds) this.#feed(tensor, data);
    const missing = this.inputs.find((t) => !this.#fed.has(t));
    if (missing) {
      throw new ShapeError(`Cannot run: the input ${asLeaf(missing)!.label} was not given`);
    }
    this.#ran = true;
    this.#failure = undefined;
    try {
      this.#parts.executable.run();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #feed(tensor: Tensor, data: Elements): void {
    const label = asLeaf(tensor)?.label ?? tensor.toString();
    if (!this.inputs.includes(tensor)) {
      throw new ShapeError(`Cannot run: ${label} is no input of this plan`);
    }
    checkElements(data, tensor, `run: the input ${label} was given`);
    const { backend, schedule, memories } = this.#parts;
    backend.write(memories[schedule.rangeOf(tensor).buffer], 0, data);
    this.#fed.add(tensor);
  }

  /**
   * Elements of an output in row-major order, as the last run left them.
   *
   * @throws {ShapeError} when it is no output of this plan
   * @throws {UsageError} when the plan never ran
   * @throws {DeviceError} when the plan was closed, its last run failed, or the device was lost
   */
  async read(output: Tensor): Promise<Elements> {
    this.#checkRan("read");
    if (!this.outputs.includes(output)) {
      throw new ShapeError(`Cannot read ${output}: it is no output of this plan`);
    }
    const { backend, schedule, memories } = this.#parts;
    const { buffer, offset, bytes } = schedule.rangeOf(output);
    return viewAs(output.dtype, await backend.read(memories[buffer], offset, bytes));
  }

  #checkRan(action: string): void {
    if (this.#closed) throw new DeviceError(`Cannot ${action}: the plan was closed`);
    this.#parts.checkAlive(action);
    if (this.#failure) {
      const { message } = this.#failure as Error;
      throw new DeviceError(`Cannot ${action}: the last run failed (${message})`, {
        cause: this.#failure,
      });
    }
    if (!this.#ran) {
      throw new UsageError(`Cannot ${action}: the plan never ran, a run before is wanted`);
    }
  }

  /** Steps, buffers, bytes and kernels as a table for people. */
  explain(): string {
    return explain(this.#parts.schedule, this.#parts.executable);
  }

  /**
   * How long each of the {@link kernels} takes: everything runs `rounds` times, waiting after each
   * kernel. Undefined where a backend cannot wait, as on WebGPU.
   *
   * @returns the shortest time of each, in order
   * @throws {UsageError} when the plan never ran
   * @throws {DeviceError} when the plan was closed, or its last run failed
   */
  profile(rounds = 5): readonly KernelTime[] | undefined {
    this.#checkRan("measure kernels");
    return this.#parts.executable.profile?.(rounds);
  }

  /**
   * The first step whose result holds a NaN, or undefined. Meaningful for plans compiled with
   * `debug: true`, where no result is overwritten.
   *
   * @throws {UsageError} when the plan never ran
   * @throws {DeviceError} when the plan was closed, its last run failed, or the device was lost
   */
  async firstNaN(): Promise<string | undefined> {
    this.#checkRan("look for NaN");
    const { backend, schedule, memories } = this.#parts;
    for (const step of schedule.steps) {
      const ranges = rangesWritten(step).filter((_, k) =>
        step.kind !== "macro" || step.node.outputs[k].dtype === "f32"
      );
      for (const { buffer, offset, bytes } of ranges) {
        const words = new Uint32Array(await backend.read(memories[buffer], offset, bytes));
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
    const { backend, schedule, memories, executable } = this.#parts;
    executable.close();
    freeOwn(backend, schedule, memories);
  }
}

/**
 * Allocates the buffers, uploads the constants and builds the kernels of a plan.
 *
 * @throws {DeviceError} when a buffer or a kernel exceeds a limit, or memory runs out
 */
export async function buildPlan(
  parts: Omit<PlanParts, "memories" | "executable">,
  progress?: BuildProgress,
): Promise<Plan> {
  const { backend, schedule } = parts, memories: Memory[] = [];
  checkLimits(backend, schedule);
  try {
    for (const b of schedule.buffers) {
      memories.push(b.memory ?? backend.allocate(b.bytes, b.label));
      const data = b.leaf && asLeaf(b.leaf)?.data;
      if (data) backend.write(memories.at(-1)!, 0, data as Elements);
    }
    const executable = await backend.build(schedule.steps, memories, progress);
    return planOf({ ...parts, memories, executable });
  } catch (error) {
    freeOwn(backend, schedule, memories);
    throw error;
  }
}

function freeOwn(backend: Backend, planned: Schedule, memories: readonly Memory[]): void {
  for (const [k, memory] of memories.entries()) {
    if (!planned.buffers[k].memory) backend.free(memory);
  }
}

function checkLimits(backend: Backend, planned: Schedule): void {
  const limit = backend.maxBufferBytes;
  const largest = planned.buffers.find((b) => b.bytes > limit);
  if (!largest) return;
  const number = planned.buffers.indexOf(largest);
  const step = planned.steps.find((s) => rangesWritten(s).some((r) => r.buffer === number));
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
  throw new DeviceError(
    `Cannot compile: ${step?.label ?? largest.label} needs ${
      mb(largest.bytes)
    } MB in one buffer, ` +
      `${backend.name} allows ${mb(limit)} MB; a smaller batch is wanted`,
  );
}
