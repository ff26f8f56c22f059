/** Compiles kernels, each source once per device, one by one with progress in between. */
import type { BuildProgress } from "../core/backend.ts";
import { DeviceError } from "../core/errors.ts";
import { describeError, type Faults, pause } from "./faults.ts";
import type { Kernel } from "./kernel.ts";

/** Compilation blocks the event loop; after so many milliseconds it gets a turn. */
const turnMs = 16;
/** Bytes of a buffer that stands in for a real one when a kernel is first run. */
const warmUpBytes = 256;

/** The compiled kernels of a device, shared by all plans. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #made = new Map<string, GPUComputePipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  /** One per device. */
  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /** Distinct kernels compiled so far. */
  get count(): number {
    return this.#made.size;
  }

  /**
   * Compiles what is new among the kernels.
   *
   * @param progress told before each one, and when all are done
   * @throws {DeviceError} with the kernel's label, the compiler's message and the line of WGSL
   */
  async compile(kernels: readonly Kernel[], progress?: BuildProgress): Promise<void> {
    const fresh = new Map<string, Kernel>();
    for (const kernel of kernels) {
      if (!this.#made.has(kernel.source)) fresh.set(kernel.source, kernel);
    }
    let done = 0, turned = performance.now();
    for (const kernel of fresh.values()) {
      progress?.(done++, fresh.size);
      if (performance.now() - turned > turnMs) {
        await pause();
        turned = performance.now();
        this.#faults.check(`compile ${kernel.label}`);
      }
      this.#made.set(kernel.source, await this.#compileOne(kernel));
    }
    if (fresh.size === 0) return;
    await this.#warmUp([...fresh.values()]);
    progress?.(done, fresh.size);
  }

  /**
   * One workgroup of each kernel over memory that nobody needs: drivers put compiling off until the
   * first dispatch, which would fall into the first step. What lies outside the small buffers is
   * never written, as WebGPU promises.
   */
  async #warmUp(kernels: readonly Kernel[]): Promise<void> {
    const device = this.#device, { STORAGE } = GPUBufferUsage;
    const most = Math.max(...kernels.map((k) => k.bindings.length));
    const buffers = Array.from(
      { length: most },
      () => device.createBuffer({ label: "warm-up", size: warmUpBytes, usage: STORAGE }),
    );
    const encoder = device.createCommandEncoder({ label: "warm-up" });
    const pass = encoder.beginComputePass();
    for (const kernel of kernels) {
      const entries = kernel.bindings.map((_, binding) => ({
        binding,
        resource: { buffer: buffers[binding] },
      }));
      pass.setPipeline(this.of(kernel));
      pass.setBindGroup(0, device.createBindGroup({ layout: this.layoutOf(kernel), entries }));
      pass.dispatchWorkgroups(1);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    for (const buffer of buffers) buffer.destroy();
  }

  /** The pipeline of a kernel that was compiled. */
  of(kernel: Kernel): GPUComputePipeline {
    const pipeline = this.#made.get(kernel.source);
    if (!pipeline) throw new DeviceError(`Cannot run ${kernel.label}: it was not compiled`);
    return pipeline;
  }

  /** The bind group layout of a kernel: explicit, since `auto` leaves out what WGSL does not use. */
  layoutOf(kernel: Kernel): GPUBindGroupLayout {
    const key = kernel.bindings.map((b) => b.access).join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const layout = this.#device.createBindGroupLayout({
      label: key,
      entries: kernel.bindings.map(({ access }, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: access === "read" ? "read-only-storage" as const : "storage" as const },
      })),
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  async #compileOne(kernel: Kernel): Promise<GPUComputePipeline> {
    const device = this.#device, { label } = kernel;
    // The asynchronous creation of Deno blocks as well and has been broken before.
    device.pushErrorScope("internal");
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label, code: kernel.source });
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [this.layoutOf(kernel)] }),
      compute: { module, entryPoint: "main" },
    });
    const scopes = [device.popErrorScope(), device.popErrorScope()];
    let errors: (GPUError | null)[];
    try {
      errors = await Promise.all(scopes);
    } catch (cause) {
      throw await this.#faults.afterRejection(`compile ${label}`, cause);
    }
    const error = errors.find((e) => e !== null);
    if (error) throw await compileError(kernel, module, error);
    return pipeline;
  }
}

/** Says where the WGSL is wrong, or what else the pipeline suffers from. */
async function compileError(
  { label, source }: Kernel,
  module: GPUShaderModule,
  error: GPUError,
): Promise<DeviceError> {
  const { messages } = await module.getCompilationInfo();
  const first = messages.find((m) => m.type === "error");
  const bug = "(a bug of Fovea, please report it)";
  if (!first) {
    return new DeviceError(`Cannot compile ${label}: ${describeError(error)} ${bug}`);
  }
  const line = source.split("\n")[first.lineNum - 1]?.trim() ?? "";
  return new DeviceError(
    `Cannot compile ${label}: ${headline(first.message)} in line ${first.lineNum}, ` +
      `\`${line}\` ${bug}`,
  );
}

/** The message without naga's listing, of which only the line itself is of use here. */
function headline(message: string): string {
  const lines = message.trim().split("\n");
  const listing = lines.findIndex((l) => /^\s*┌─/.test(l));
  const said = (listing < 0 ? lines : lines.slice(0, listing)).join("; ").trim();
  return said.replace(/^Shader '[^]*?' parsing error: /, "");
}
