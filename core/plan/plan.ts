/** A plan: a program with its memory and kernels, ready to be replayed. */
import type { Backend, BuildProgress, Elements, Executable, Memory } from "../backend.ts";
import { DeviceError, ShapeError, UsageError } from "../errors.ts";
import { asLeaf, type Tensor } from "../graph.ts";
import {
  arrayNames,
  classOf,
  type DType,
  dtypeOf,
  elementBytes,
  show,
  sizeOf,
  type Type,
} from "../shape.ts";
import { explain } from "./explain.ts";
import type { Schedule } from "./schedule.ts";

/** A program that was planned and built: replayed by {@link run}, nothing is allocated any more. */
export class Plan implements Disposable {
  readonly #fed = new Set<Tensor>();
  /** Throws when what the plan stands on is gone: its kernels would write into memory of others. */
  readonly #checkAlive: (action: string) => void;
  #closed = false;
  #ran = false;
  /** What ended the last run too early. */
  #failure: unknown;

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
    this.#ran = true;
    this.#failure = undefined;
    try {
      this.executable.run();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #feed(tensor: Tensor, data: Elements): void {
    const label = asLeaf(tensor)?.label ?? tensor.toString();
    if (!this.schedule.inputs.includes(tensor)) {
      throw new ShapeError(`Cannot run: ${label} is no input of this plan`);
    }
    checkElements(data, tensor, `run: the input ${label} was given`);
    this.backend.write(this.buffers[this.schedule.placeOf(tensor).buffer], 0, data);
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
    const { buffer, offset, bytes } = this.schedule.placeOf(output);
    return viewAs(output.dtype, await this.backend.read(this.buffers[buffer], offset, bytes));
  }

  #checkRan(action: string): void {
    if (this.#closed) throw new DeviceError(`Cannot ${action}: the plan was closed`);
    this.#checkAlive(action);
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
    return explain(this.schedule, this.executable);
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

/**
 * Checks that host data fills a tensor: by class, since bytes of another are read as they lie.
 *
 * @param found start of the message: what the data was given to
 * @throws {ShapeError} when the class or the number of elements is another
 */
export function checkElements(data: Elements, { shape, dtype }: Type, found: string): void {
  if (dtypeOf(data) === dtype && data.length === sizeOf(shape)) return;
  throw new ShapeError(
    `Cannot ${found} ${data?.length ?? "no"} elements of ${dtypeOf(data) ?? classOf(data)}, ` +
      `${show(shape)} of ${dtype} in a ${arrayNames[dtype]} is wanted`,
  );
}

/** A typed view of raw bytes. */
export function viewAs(dtype: DType, bytes: ArrayBuffer): Elements {
  const length = bytes.byteLength / elementBytes;
  if (dtype === "f32") return new Float32Array(bytes, 0, length);
  return dtype === "i32" ? new Int32Array(bytes, 0, length) : new Uint32Array(bytes, 0, length);
}
