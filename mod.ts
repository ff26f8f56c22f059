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
export { type Node, type Op, Tensor } from "./core/graph.ts";
export { full, input, pack, reshape, tensor, variable } from "./core/structure.ts";
export { grad } from "./core/grad.ts";
export { Random } from "./core/rng.ts";
export {
  type Backend,
  type CompileOptions,
  Device,
  type Elements,
  type Memory,
  Plan,
} from "./core/device.ts";
export type { Program, Update } from "./core/plan/schedule.ts";
export { type Block, Store } from "./core/store.ts";
export { chooseDevice, type Chosen, type DeviceChoice, openDevice } from "./open_device.ts";
export * from "./models/mod.ts";
export * from "./data/mod.ts";
export * from "./train/mod.ts";
