/**
 * A backend for tests of `core`: elements are float64, maps are computed one element after the other
 * straight in memory (so a wrong overlap shows), macro operations by a function that the test gives.
 */
import type { Backend, BuildProgress, Executable, Memory } from "../../core/backend.ts";
import type { Elements } from "../../core/elements.ts";
import type { BufferRange } from "../../core/plan/buffer_range.ts";
import type { CopyStep, MacroStep, MapStep, Step } from "../../core/plan/steps.ts";
import { type DType, elementBytes } from "../../core/shape.ts";
import { indexOf, type MacroFunction, referenceMacro } from "../reference/evaluate.ts";
import { valueOf } from "../reference/primitives.ts";

/** Memory of a {@link FakeBackend}: one number and one type per element. */
export class FakeMemory implements Memory {
  readonly values: Float64Array;
  readonly dtypes: DType[];
  isLive = true;

  constructor(readonly bytes: number, readonly label: string) {
    const length = Math.ceil(bytes / elementBytes);
    this.values = new Float64Array(length);
    this.dtypes = new Array<DType>(length).fill("f32");
  }
}

/** Options of {@link FakeBackend}; the limits default to WebGPU's. */
export interface FakeOptions {
  readonly maxBuffers?: number;
  readonly maxBufferBytes?: number;
  readonly macro?: MacroFunction;
  /** `allocate` fails when more bytes than this would be alive. */
  readonly maxLiveBytes?: number;
}

/** See the head of the file. Any use of freed memory throws. */
export class FakeBackend implements Backend {
  readonly kind = "wasm";
  readonly name = "a fake";
  readonly maxBuffers: number;
  readonly maxBufferBytes: number;
  readonly live = new Set<FakeMemory>();
  isClosed = false;

  constructor(readonly options: FakeOptions = {}) {
    this.maxBuffers = options.maxBuffers ?? 8;
    this.maxBufferBytes = options.maxBufferBytes ?? 2 ** 27;
  }

  get liveBytes(): number {
    return [...this.live].reduce((sum, m) => sum + m.bytes, 0);
  }

  allocate(bytes: number, label: string): Memory {
    if (this.isClosed) throw new Error("allocate on a closed backend");
    if (this.liveBytes + bytes > (this.options.maxLiveBytes ?? Infinity)) {
      throw new RangeError("the fake is full");
    }
    const memory = new FakeMemory(bytes, label);
    this.live.add(memory);
    return memory;
  }

  free(memory: Memory): void {
    const own = this.own(memory);
    own.isLive = false;
    this.live.delete(own);
  }

  write(memory: Memory, offset: number, data: Elements): void {
    const own = this.own(memory), first = offset / elementBytes;
    if (first + data.length > own.values.length) throw new Error(`write beyond ${own.label}`);
    own.values.set(data, first);
    const dtype = data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "u32";
    own.dtypes.fill(dtype, first, first + data.length);
  }

  read(memory: Memory, offset: number, bytes: number): Promise<ArrayBuffer> {
    const own = this.own(memory), view = new DataView(new ArrayBuffer(bytes));
    for (let at = 0; at < bytes; at += elementBytes) {
      const k = (offset + at) / elementBytes, value = own.values[k];
      if (own.dtypes[k] === "f32") view.setFloat32(at, value, true);
      else view.setInt32(at, value, true);
    }
    return Promise.resolve(view.buffer);
  }

  /** Elements in full precision. */
  peek(memory: Memory, offset: number, bytes: number): Float64Array {
    return this.own(memory).values.slice(offset / elementBytes, (offset + bytes) / elementBytes);
  }

  build(
    steps: readonly Step[],
    buffers: readonly Memory[],
    progress?: BuildProgress,
  ): Promise<Executable> {
    const owned = buffers.map((m) => this.own(m));
    progress?.(steps.length, steps.length);
    return Promise.resolve(new FakeExecutable(this, steps, owned));
  }

  close(): void {
    this.isClosed = true;
    for (const memory of [...this.live]) this.free(memory);
  }

  own(memory: Memory): FakeMemory {
    if (!(memory instanceof FakeMemory)) throw new Error("memory of another backend");
    if (!memory.isLive) throw new Error(`${memory.label} was freed`);
    return memory;
  }
}

class FakeExecutable implements Executable {
  readonly scratchBytes = 0;
  readonly kernels: readonly string[];
  #isClosed = false;

  constructor(
    readonly backend: FakeBackend,
    readonly steps: readonly Step[],
    readonly buffers: readonly FakeMemory[],
  ) {
    this.kernels = steps.map((s) => s.label);
  }

  run(): void {
    if (this.#isClosed) throw new Error("run of a closed executable");
    for (const memory of this.buffers) this.backend.own(memory);
    for (const step of this.steps) {
      if (step.kind === "map") this.#map(step);
      else if (step.kind === "macro") this.#macro(step);
      else this.#copy(step);
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  #map({ dims, size, args, outputs }: MapStep): void {
    for (let i = 0; i < size; i++) {
      const index = indexOf(i, dims);
      const values = args.map(({ range, strides }) => {
        const at = index.reduce((sum, n, axis) => sum + n * strides[axis], 0);
        if (at * elementBytes >= range.bytes) throw new Error("an argument is read beyond its end");
        return this.#at(range).values[range.offset / elementBytes + at];
      });
      const results = outputs.map((o) => valueOf(o.expr, (k) => values[k]));
      for (const [k, { range, expr }] of outputs.entries()) {
        const to = this.#at(range), at = range.offset / elementBytes + i;
        to.values[at] = results[k];
        to.dtypes[at] = expr.kind === "arg" ? args[expr.index].dtype : "f32";
      }
    }
  }

  #macro({ node, inputs, outputs }: MacroStep): void {
    const values = inputs.map((range, k) => ({
      shape: node.inputs[k].shape,
      data: this.backend.peek(this.#at(range), range.offset, range.bytes),
    }));
    const results = (this.backend.options.macro ?? referenceMacro)(node, values);
    for (const [k, range] of outputs.entries()) {
      const first = range.offset / elementBytes, { data } = results[k];
      this.#at(range).values.set(data, first);
      this.#at(range).dtypes.fill(node.outputs[k].dtype, first, first + data.length);
    }
  }

  #copy({ from, to }: CopyStep): void {
    const [source, target] = [this.#at(from), this.#at(to)];
    const [first, end] = [from.offset / elementBytes, (from.offset + from.bytes) / elementBytes];
    target.values.set(source.values.slice(first, end), to.offset / elementBytes);
    target.dtypes.splice(to.offset / elementBytes, end - first, ...source.dtypes.slice(first, end));
  }

  #at(range: BufferRange): FakeMemory {
    return this.buffers[range.buffer];
  }
}
