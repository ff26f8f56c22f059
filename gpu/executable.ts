/** Steps made ready: kernels compiled, memory bound. A run encodes one pass and submits it. */
import type { BuildProgress, Executable, Memory } from "../core/backend.ts";
import { DeviceError } from "../core/errors.ts";
import type { Step } from "../core/plan/steps.ts";
import { describeError, type Faults } from "./faults.ts";
import { checkKernel, type Kernel } from "./kernel.ts";
import { macroKernels } from "./macro_kernel.ts";
import { copyKernel, mapKernel } from "./map_kernel.ts";
import type { GpuMemory, MemoryPool } from "./memory.ts";
import type { Pipelines } from "./pipelines.ts";

/** What a build needs of its device. */
export interface GpuParts {
  /** Encodes and submits. */
  readonly device: GPUDevice;
  /** Raised before each run. */
  readonly faults: Faults;
  /** Owns the plan's buffers, gives scratch. */
  readonly memory: MemoryPool;
  /** Kernels compiled before, for this and other plans. */
  readonly pipelines: Pipelines;
  /** Storage buffers that one kernel may bind. */
  readonly maxBuffers: number;
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/**
 * Builds the steps of a plan over its buffers.
 *
 * @throws {DeviceError} when a kernel breaks a limit, does not compile or cannot be bound
 */
export async function buildExecutable(
  parts: GpuParts,
  steps: readonly Step[],
  buffers: readonly Memory[],
  progress?: BuildProgress,
): Promise<Executable> {
  parts.faults.check("build");
  const { kernels, scratch } = lower(steps, buffers.length);
  for (const kernel of kernels) checkKernel(kernel, parts.maxBuffers);
  const own: GpuMemory[] = [];
  try {
    for (const { bytes, label } of scratch) own.push(parts.memory.allocate(bytes, label));
    await parts.pipelines.compile(kernels, progress);
    const bound = [...buffers.map((m) => parts.memory.own(m, "build").buffer)];
    bound.push(...own.map((m) => m.buffer));
    const dispatches = await bind(parts, kernels, bound);
    return new GpuExecutable(parts, kernels.map((k) => k.label), dispatches, own);
  } catch (error) {
    for (const memory of own) parts.memory.free(memory);
    throw error;
  }
}

interface Scratch {
  bytes: number;
  label: string;
}

/** Kernels of all steps. They run one after the other, so scratch buffers of one number are one. */
function lower(
  steps: readonly Step[],
  firstScratch: number,
): { readonly kernels: readonly Kernel[]; readonly scratch: readonly Scratch[] } {
  const kernels: Kernel[] = [], scratch: Scratch[] = [];
  for (const step of steps) {
    if (step.kind !== "macro") {
      kernels.push(step.kind === "map" ? mapKernel(step) : copyKernel(step));
      continue;
    }
    const lowered = macroKernels(step, firstScratch);
    kernels.push(...lowered.kernels);
    for (const [k, bytes] of lowered.scratch.entries()) {
      if (bytes > (scratch[k]?.bytes ?? 0)) {
        scratch[k] = { bytes, label: `scratch of ${step.label}` };
      }
    }
  }
  return { kernels, scratch };
}

/** Bind groups; all are asked for before any error is waited for. */
async function bind(
  { device, faults, pipelines }: GpuParts,
  kernels: readonly Kernel[],
  buffers: readonly GPUBuffer[],
): Promise<Dispatch[]> {
  const scopes: Promise<GPUError | null>[] = [];
  const dispatches = kernels.map((kernel): Dispatch => {
    device.pushErrorScope("validation");
    const group = device.createBindGroup({
      label: kernel.label,
      layout: pipelines.layoutOf(kernel),
      entries: kernel.bindings.map(({ range }, binding) => ({
        binding,
        resource: { buffer: buffers[range.buffer], offset: range.offset, size: range.bytes },
      })),
    });
    scopes.push(device.popErrorScope());
    const [x, y, z] = kernel.groups;
    return { pipeline: pipelines.of(kernel), group, x, y, z };
  });
  let errors: (GPUError | null)[];
  try {
    errors = await Promise.all(scopes);
  } catch (cause) {
    throw await faults.afterRejection("build", cause);
  }
  const bad = errors.findIndex((e) => e !== null);
  if (bad >= 0) {
    throw new DeviceError(
      `Cannot build ${kernels[bad].label}: ${describeError(errors[bad]!)} ` +
        "(a bug of Fovea, please report it)",
    );
  }
  return dispatches;
}

class GpuExecutable implements Executable {
  readonly #parts: GpuParts;
  readonly #dispatches: readonly Dispatch[];
  readonly #scratch: readonly GpuMemory[];

  constructor(
    parts: GpuParts,
    readonly kernels: readonly string[],
    dispatches: readonly Dispatch[],
    scratch: readonly GpuMemory[],
  ) {
    this.#parts = parts;
    this.#dispatches = dispatches;
    this.#scratch = scratch;
  }

  get scratchBytes(): number {
    return this.#scratch.reduce((sum, m) => sum + m.buffer.size, 0);
  }

  run(): void {
    const { device, faults } = this.#parts;
    faults.check("run");
    if (this.#dispatches.length === 0) return;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    let current: GPUComputePipeline | undefined;
    for (const { pipeline, group, x, y, z } of this.#dispatches) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  close(): void {
    for (const memory of this.#scratch) this.#parts.memory.free(memory);
  }
}
