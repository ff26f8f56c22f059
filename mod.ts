/**
 * Fovea: image modelling for Deno.
 *
 * Train, fine-tune, evaluate and use image models on any GPU through WebGPU, and on the CPU through
 * Rust compiled to WASM.
 *
 * @module
 */
export * as ops from "./ops/mod.ts";
export { CheckpointError, DataError, DeviceError, ShapeError, UsageError } from "./core/errors.ts";
export type { DType, Shape, Type } from "./core/shape.ts";
export type {
  Binding,
  Epilogue,
  Operand,
  Ref,
  WasmCall,
  WasmProgram,
  WgslPass,
  WgslProgram,
} from "./core/kernel.ts";
export {
  apply,
  arg,
  type Expr,
  type Primitive,
  type PrimitiveName,
  primitives,
} from "./core/expr.ts";
export {
  applyOne,
  type LeafAttrs,
  type LeafOp,
  type MacroOp,
  type MapOp,
  type Node,
  type Op,
  type OpBase,
  type OutputGradients,
  type PackOp,
  Tensor,
  type ViewOp,
} from "./core/graph.ts";
export { full, input, pack, reshape, tensor, variable } from "./core/structure.ts";
export { grad } from "./core/grad.ts";
export { Random } from "./core/rng.ts";
export {
  type BuildProgress,
  type CompileOptions,
  Device,
  type Elements,
  type KernelTime,
  Plan,
} from "./core/device.ts";
export type { Program, Update } from "./core/plan/program.ts";
export { type Block, Store } from "./core/store.ts";
export { chooseDevice, type Chosen, type DeviceChoice, openDevice } from "./open_device.ts";
export * from "./models/mod.ts";
export * from "./data/mod.ts";
export * from "./train/mod.ts";
export * from "./report/mod.ts";
