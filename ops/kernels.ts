/** Typed calls of the tensor module's exports: the WASM side of macro operations. */
import type { Operand, WasmCall } from "../core/kernel.ts";
import type * as tensorModule from "../wasm/pkg/tensor.d.ts";

type Exports = typeof tensorModule;

/** Names of the kernels that the tensor module exports. */
export type KernelName = {
  [K in keyof Exports]: Exports[K] extends (...args: infer P) => unknown
    ? P extends readonly number[] ? K : never
    : never;
}[keyof Exports];

/** Each number of an export's signature may be a buffer, a number, or words laid out beforehand. */
type Operands<F> = F extends (...args: infer P) => unknown ? { [K in keyof P]: Operand } : never;

/** A call of a kernel; its name and the number of arguments are checked against the module. */
export function call<K extends KernelName>(kernel: K, ...args: Operands<Exports[K]>): WasmCall {
  return { kernel, args: args as readonly Operand[] };
}
