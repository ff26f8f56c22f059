/** Finds an adapter and opens its device with as large buffers as it offers. */
import { DeviceError } from "../core/errors.ts";

/** Options of `openGpu`. */
export interface GpuOptions {
  /** Which GPU of several (default `high-performance`). */
  readonly powerPreference?: GPUPowerPreference;
}

/** A device and what is known of its adapter. */
export interface OpenedAdapter {
  /** Open until destroyed by its owner. */
  readonly device: GPUDevice;
  /** The adapter in words, such as `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  /** True when a CPU pretends to be a GPU. */
  readonly isSoftware: boolean;
  /** Largest storage buffer that a kernel can bind. */
  readonly maxBufferBytes: number;
}

/**
 * Opens a device on a fresh adapter (browsers allow one device per adapter).
 *
 * @returns undefined where there is no WebGPU or no adapter
 * @throws {DeviceError} when there is an adapter but it refuses a device
 */
export async function openAdapter(options: GpuOptions): Promise<OpenedAdapter | undefined> {
  // Some browsers have no navigator.gpu, whatever the types say.
  const gpu = navigator.gpu as GPU | undefined;
  const adapter = await gpu?.requestAdapter({
    powerPreference: options.powerPreference ?? "high-performance",
  });
  if (!adapter) return undefined;
  const name = adapterName(adapter.info);
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({
      label: "fovea",
      requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : `${cause}`;
    throw new DeviceError(`Cannot open ${name}: it refused a device (${why})`, { cause });
  }
  const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  return {
    device,
    name,
    isSoftware: isSoftware(adapter.info),
    // Drivers offer 2³¹ − 1, but sizes are rounded up when memory is given out.
    maxBufferBytes: Math.floor(limit / 256) * 256,
  };
}

/** The description where there is one, else whatever words the browser gives away. */
export function adapterName(info: GPUAdapterInfo): string {
  if (info.description) return info.description;
  const words = [info.vendor, info.architecture, info.device].filter((word) => word);
  return words.join(" ") || "a WebGPU adapter without a name";
}

/** The flag is missing in older browsers, so that names are looked at too. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter ||
    /llvmpipe|lavapipe|softpipe|swiftshader|software|basic render/i.test(words);
}
