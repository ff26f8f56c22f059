/**
 * Fovea in a browser: the portable floors on WebGPU alone, without WASM and threads.
 *
 * The same graph, operations and plans as in Deno. Nothing here touches `Deno` or Node, which
 * `deno check --config deno.browser.json browser.ts` proves.
 *
 * @example
 * ```ts
 * import { grad, openDevice, ops, tensor } from "./browser.ts";
 * using device = await openDevice();
 * const x = tensor([1, 2, 3]);
 * const [dx] = grad(ops.sum(ops.mul(x, x)), [x]);
 * console.log(await device.read(dx)); // Float32Array [2, 4, 6]
 * ```
 *
 * @module
 */
import { type Device, deviceOn } from "./core/device.ts";
import { DeviceError } from "./core/errors.ts";
import { type GpuOptions, openGpu } from "./gpu/backend.ts";

export {
  type BuildProgress,
  type CompileOptions,
  Device,
  type Elements,
  type KernelTime,
  Plan,
} from "./core/device.ts";
export * from "./core/errors.ts";
export * from "./core/expr.ts";
export * from "./core/grad.ts";
export * from "./core/graph.ts";
export * from "./core/kernel.ts";
export type { Program, Update } from "./core/plan/program.ts";
export * from "./core/rng.ts";
export * from "./core/shape.ts";
export { type Block, Store } from "./core/store.ts";
export * from "./core/structure.ts";
export type { GpuOptions } from "./gpu/backend.ts";
export * from "./models/mod.ts";
/** All operations. */
export * as ops from "./ops/mod.ts";

/**
 * Opens the machine's GPU.
 *
 * @throws {DeviceError} when the browser has no WebGPU or finds no adapter
 */
export async function openDevice(options: GpuOptions = {}): Promise<Device> {
  const backend = await openGpu(options);
  if (backend) return deviceOn(backend);
  throw new DeviceError(
    "Cannot open a device: no WebGPU adapter was found, " +
      "a browser with WebGPU and a page served by https or from localhost are wanted",
  );
}
