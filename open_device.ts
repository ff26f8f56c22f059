/** Opening a device: WebGPU where there is a GPU, WASM elsewhere. */
import { type Device, deviceOn } from "./core/device.ts";
import { DeviceError } from "./core/errors.ts";
import { openGpu } from "./gpu/backend.ts";

/** Where to compute; `auto` takes a real GPU if there is one, else the CPU. */
export type DeviceChoice = "auto" | "webgpu" | "wasm";

/** A device, and why it was chosen. */
export interface Chosen {
  /** Open; the caller disposes it. */
  readonly device: Device;
  /** Such as `the only adapter is a software one, which WASM outruns`. */
  readonly reason: string;
}

/**
 * Opens a device and says why it is this one, for a line in a log.
 *
 * @param choice `auto` (default), `webgpu` or `wasm`
 * @param options `threads` bounds the threads of `wasm`: 1 to 64 (default: one per core)
 * @throws {UsageError} when `wasm` is opened with another number of threads
 * @throws {DeviceError} when `webgpu` is asked for and there is no adapter, or it refuses a device
 */
export async function chooseDevice(
  choice: DeviceChoice = "auto",
  options: { readonly threads?: number } = {},
): Promise<Chosen> {
  if (choice !== "wasm") {
    const gpu = await openGpu();
    if (gpu && (choice === "webgpu" || !gpu.isSoftware)) {
      return {
        device: deviceOn(gpu),
        reason: choice === "webgpu" ? "asked for" : "a GPU is there",
      };
    }
    if (choice === "webgpu") {
      throw new DeviceError(
        "Cannot open a WebGPU device: no adapter was found; install a Vulkan driver, " +
          "or compute on the CPU with wasm",
      );
    }
    gpu?.close();
    const found = gpu
      ? `${gpu.name} is software, which WASM outruns`
      : "no WebGPU adapter was found";
    return { device: await openCpu(options), reason: found };
  }
  return { device: await openCpu(options), reason: "asked for" };
}

// Imported on demand: a program that only wants WebGPU need not load the module.
async function openCpu(options: { readonly threads?: number }): Promise<Device> {
  const { openWasm } = await import("./wasm/backend.ts");
  return deviceOn(openWasm(options));
}

/**
 * Opens a device. It needs no permission.
 *
 * @param choice `auto` (default), `webgpu` or `wasm`
 * @param options `threads` bounds the threads of `wasm`: 1 to 64 (default: one per core)
 * @throws {UsageError} when `wasm` is opened with another number of threads
 * @throws {DeviceError} when `webgpu` is asked for and there is no adapter, or it refuses a device
 * @example
 * ```ts
 * import { openDevice, ops, tensor } from "./mod.ts";
 * using device = await openDevice();
 * console.log(await device.read(ops.add(tensor([1, 2]), 1))); // Float32Array [2, 3]
 * ```
 */
export async function openDevice(
  choice: DeviceChoice = "auto",
  options: { readonly threads?: number } = {},
): Promise<Device> {
  return (await chooseDevice(choice, options)).device;
}
