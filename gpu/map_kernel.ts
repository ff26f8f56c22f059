/**
 * Kernels of map steps: one invocation computes one element, or four neighbours at once where
 * every argument allows it (memory is read in `vec4`, the arithmetic stays scalar, as GPUs have it).
 */
import { arg } from "../core/expr.ts";
import { perElement } from "../core/kernel.ts";
import type { BufferRange } from "../core/plan/buffer_range.ts";
import type { CopyStep, MapArg, MapStep } from "../core/plan/steps.ts";
import { type DType, elementBytes } from "../core/shape.ts";
import { type Kernel, makeKernel } from "./kernel.ts";
import { type ElementFunction, elementFunction } from "./map_expr.ts";
import { type IndexPrinter, indexPrinter } from "./map_index.ts";

/** The iteration space as the kernel walks it: elements, or quads of neighbours. */
interface Walk {
  readonly width: 1 | 4;
  readonly dims: readonly number[];
  readonly size: number;
}

/** A range of memory that arguments, results or both share. */
interface Shared {
  readonly name: string;
  readonly range: BufferRange;
  readonly dtypes: Set<DType>;
  /** Bound as `vec4`. */
  readonly isWide: boolean;
  isWritten: boolean;
}

/** The kernel of a map step. */
export function mapKernel(step: MapStep): Kernel {
  const element = elementFunction(step.outputs.map((o) => o.expr), (k) => step.args[k].dtype);
  const walk = walkQuads(step, element.args) ?? { width: 1, dims: step.dims, size: step.size };
  const memory = new Bindings();
  for (const k of element.args) {
    const { range, dtype, strides } = step.args[k];
    memory.bind(range, dtype, walk.width === 4 && strides.at(-1) === 1);
  }
  for (const [k, { range }] of step.outputs.entries()) {
    memory.bind(range, element.types[k], walk.width === 4).isWritten = true;
  }
  const { head, groups } = perElement(walk.size);
  const code = [element.code, "", head, ...body(step, element, walk, memory), "}"].join("\n");
  const variables = memory.all.map((m) => ({
    name: m.name,
    type: wgslType(typeOf(m), m.isWide),
    range: m.range,
    access: m.isWritten ? "read_write" as const : "read" as const,
  }));
  return makeKernel(step.label, variables, code, groups);
}

/**
 * A copy is a map as well: inside the pass it costs one dispatch, a copy command would end the
 * pass, and within one buffer WebGPU has no copy command at all. Words are moved as `u32`, bit by bit.
 */
export function copyKernel({ label, from, to }: CopyStep): Kernel {
  const size = from.bytes / elementBytes;
  return mapKernel({
    kind: "map",
    label,
    dims: [size],
    size,
    args: [{ range: from, dtype: "u32", strides: [1] }],
    outputs: [{ range: to, expr: arg(0) }],
  });
}

/**
 * Four neighbours at once: every argument must hold them side by side in whole `vec4`s, or hold one
 * value for all four. The strides of `Walk` count `vec4`s for the former.
 */
function walkQuads(step: MapStep, used: readonly number[]): Walk | undefined {
  const last = step.dims.length - 1;
  if (step.dims[last] % 4 !== 0) return undefined;
  const args = used.map((k) => step.args[k]);
  const fits = args.every(({ strides }) => strides[last] === 0 || quadStrides(strides));
  // What is bound once is bound in one width.
  const narrow = new Set(args.filter((a) => a.strides[last] === 0).map((a) => rangeKey(a.range)));
  const wide = [...args.filter((a) => a.strides[last] !== 0), ...step.outputs];
  if (!fits || wide.some((a) => narrow.has(rangeKey(a.range)))) return undefined;
  const dims = step.dims.with(last, step.dims[last] / 4);
  return { width: 4, dims, size: step.size / 4 };
}

const rangeKey = ({ buffer, offset, bytes }: BufferRange): string => `${buffer}:${offset}:${bytes}`;

/** Strides in `vec4`s, where an argument lies in whole ones. */
function quadStrides(strides: readonly number[]): readonly number[] | undefined {
  const outer = strides.slice(0, -1);
  if (strides.at(-1) !== 1 || outer.some((s) => s % 4 !== 0)) return undefined;
  return [...outer.map((s) => s / 4), 1];
}

/** One binding per range, also when it is read by several arguments and written too. */
class Bindings {
  readonly #byRange = new Map<string, Shared>();

  get all(): readonly Shared[] {
    return [...this.#byRange.values()];
  }

  bind(range: BufferRange, dtype: DType, isWide: boolean): Shared {
    const key = rangeKey(range), known = this.#byRange.get(key);
    known?.dtypes.add(dtype);
    if (known) return known;
    const name = `b${this.#byRange.size}`;
    const made: Shared = { name, range, dtypes: new Set([dtype]), isWide, isWritten: false };
    this.#byRange.set(key, made);
    return made;
  }

  at(range: BufferRange): Shared {
    return this.#byRange.get(rangeKey(range))!;
  }
}

/** Memory of several dtypes is declared as plain words. */
const typeOf = ({ dtypes }: Shared): DType => dtypes.size === 1 ? [...dtypes][0] : "u32";

const vectors = { f32: "vec4f", i32: "vec4i", u32: "vec4u" } as const;
const wgslType = (dtype: DType, isWide: boolean): string => isWide ? vectors[dtype] : dtype;

/** Loads, the call or calls of `element`, stores. */
function body(step: MapStep, element: ElementFunction, walk: Walk, memory: Bindings): string[] {
  const index = indexPrinter(walk.dims), loads: string[] = [], stores: string[] = [];
  for (const k of element.args) {
    loads.push(`  let x${k} = ${load(step.args[k], memory, index)};`);
  }
  const lanes = walk.width === 4 ? ["x", "y", "z", "w"] : [""];
  const calls = lanes.map((lane, n) => {
    const values = element.args.map((k) =>
      lane && memory.at(step.args[k].range).isWide ? `x${k}.${lane}` : `x${k}`
    );
    return `  let e${n} = element(${values.join(", ")});`;
  });
  for (const [k, { range }] of step.outputs.entries()) {
    const shared = memory.at(range), type = element.types[k], stored = typeOf(shared);
    const field = element.types.length === 1 ? "" : `.r${k}`;
    const values = lanes.map((_, n) => `e${n}${field}`);
    const value = shared.isWide ? `${vectors[type]}(${values.join(", ")})` : values[0];
    const words = cast(value, type, stored, shared.isWide);
    stores.push(`  ${shared.name}[i] = ${words};`);
  }
  return [...index.lines(), ...loads, ...calls, ...stores];
}

function load(arg: MapArg, memory: Bindings, index: IndexPrinter): string {
  const shared = memory.at(arg.range);
  const strides = shared.isWide ? quadStrides(arg.strides)! : arg.strides;
  const value = `${shared.name}[${index.index(strides)}]`;
  return cast(value, typeOf(shared), arg.dtype, shared.isWide);
}

const cast = (value: string, from: DType, to: DType, isWide: boolean): string =>
  from === to ? value : `bitcast<${wgslType(to, isWide)}>(${value})`;
