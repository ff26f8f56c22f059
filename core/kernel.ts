/** How a macro operation lowers itself: as WGSL passes, or as calls of WASM exports. */

/** One of the buffers of a step: the k-th input, output or scratch buffer of the operation. */
export interface Ref {
  /** The list that {@link index} counts in. */
  readonly of: "input" | "output" | "scratch";
  /** Place in the list, from 0. */
  readonly index: number;
}

/** The k-th input of the operation. */
export const inputRef = (index: number): Ref => ({ of: "input", index });
/** The k-th output of the operation. */
export const outputRef = (index: number): Ref => ({ of: "output", index });
/** The k-th scratch buffer, as listed in the program. */
export const scratchRef = (index: number): Ref => ({ of: "scratch", index });

/** A storage buffer as a WGSL pass sees it. */
export interface Binding {
  /** Name of the WGSL variable: `x, w, y` as in the formulas. */
  readonly name: string;
  /** Buffer behind the variable. */
  readonly ref: Ref;
  /** WGSL element type: `f32`, `vec4f`, `u32`, `i32`. */
  readonly type: string;
  /** WGSL access mode; `read_write` for every buffer that is written. */
  readonly access: "read" | "read_write";
}

/** A dispatch of one compute shader. */
export interface WgslPass {
  /** `op/variant[key]`, such as `conv2d/direct[3x3 s1 16→16]`. */
  readonly label: string;
  /** WGSL without the buffer declarations; the entry point is `main`. */
  readonly code: string;
  /** Buffers that the code names. */
  readonly bindings: readonly Binding[];
  /** Workgroups along x, y, z, at most 65,535 each. */
  readonly groups: readonly [number, number, number];
}

/** All passes of one operation, in order. */
export interface WgslProgram {
  /** Bytes of each scratch buffer; it is dead after the last pass. */
  readonly scratch?: readonly number[];
  /** Dispatches; each sees what those before it wrote. */
  readonly passes: readonly WgslPass[];
}

/** An argument of a WASM export: a buffer, a number, or words laid out in memory beforehand. */
export type Operand = Ref | number | { readonly ints: readonly number[] } | {
  readonly floats: readonly number[];
};

/**
 * What an operation does to each value v of its result before it is over, if it offers that:
 * `min(max((v − mean)·scale + shift + residual, low), high)`, in this order, rounding each time.
 * Mean, scale and shift have a value for each element of the last axis; they come as none, as a shift
 * alone, or as all three. The residual is as large as the result.
 */
export interface Epilogue<T = Ref> {
  /** Subtracted first. */
  readonly mean?: T;
  /** Multiplied with then. */
  readonly scale?: T;
  /** Added then, such as a bias. */
  readonly shift?: T;
  /** Added last, such as a shortcut. */
  readonly residual?: T;
  /** No result is smaller; −∞ for none. NaN stays NaN. */
  readonly low: number;
  /** No result is larger; ∞ for none. */
  readonly high: number;
}

/** A call of one export of the tensor module. `ops/kernels.ts` makes these, typed. */
export interface WasmCall {
  /** Name of the export. */
  readonly kernel: string;
  /** What it is called with; buffers arrive as addresses. */
  readonly args: readonly Operand[];
}

/** All calls of one operation, in order. */
export interface WasmProgram {
  /** Bytes of each scratch buffer; it is dead after the last call. */
  readonly scratch?: readonly number[];
  /** Calls; each sees what those before it wrote. */
  readonly calls: readonly WasmCall[];
}

/** A read-only binding of the k-th input. */
export const reads = (name: string, index: number, type = "f32"): Binding => ({
  name,
  ref: inputRef(index),
  type,
  access: "read",
});

/** A writable binding of the k-th output. */
export const writes = (name: string, index = 0, type = "f32"): Binding => ({
  name,
  ref: outputRef(index),
  type,
  access: "read_write",
});

/** Most workgroups along one axis, and most invocations of one workgroup, that WebGPU promises. */
const maxGroups = 65_535;

/**
 * One invocation per element: the start of `main`, which defines `i` and returns beyond `total`,
 * and the workgroups to dispatch. Large totals spread over x and y.
 */
export function perElement(
  total: number,
  workgroup = 64,
): { readonly head: string; readonly groups: readonly [number, number, number] } {
  const count = Math.max(1, Math.ceil(total / workgroup));
  const rows = Math.ceil(count / maxGroups), columns = Math.ceil(count / rows);
  const index = rows === 1 ? "g.x" : `g.x + g.y * ${columns * workgroup}u`;
  const head = `@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) g: vec3u) {
  let i = ${index};
  if (i >= ${total}u) { return; }`;
  return { head, groups: [columns, rows, 1] };
}
