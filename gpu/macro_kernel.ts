/** Kernels of macro operations: the operation brings the WGSL, here it meets its memory. */
import { DeviceError } from "../core/errors.ts";
import type { Binding, Ref } from "../core/kernel.ts";
import type { BufferRange } from "../core/plan/buffer_range.ts";
import type { MacroStep } from "../core/plan/steps.ts";
import { type Kernel, makeKernel, type StorageVariable } from "./kernel.ts";

/** A macro operation, lowered. */
export interface MacroKernels {
  /** One per pass, in order. */
  readonly kernels: readonly Kernel[];
  /** Bytes of each scratch buffer; dead after the last pass. */
  readonly scratch: readonly number[];
}

/**
 * Lowers a macro operation.
 *
 * @param firstScratch number under which the first scratch buffer of all steps will be found
 * @throws {DeviceError} when a pass names a buffer that the operation does not have
 */
export function macroKernels(step: MacroStep, firstScratch: number): MacroKernels {
  const { scratch = [], passes } = step.op.wgsl(step.node);
  const path = step.node.path ? ` at ${step.node.path}` : "";
  const kernels = passes.map((pass) => {
    const label = `${pass.label}${path}`;
    const variables = pass.bindings.map((binding): StorageVariable => ({
      ...nameAndType(binding),
      range: rangeOf(binding.ref, step, scratch, firstScratch, label),
    }));
    return makeKernel(label, variables, pass.code, pass.groups);
  });
  return { kernels, scratch };
}

const nameAndType = ({ name, type, access }: Binding): Omit<StorageVariable, "range"> => ({
  name,
  type,
  access,
});

function rangeOf(
  ref: Ref,
  step: MacroStep,
  scratch: readonly number[],
  firstScratch: number,
  label: string,
): BufferRange {
  const scratchRanges = scratch.map((bytes, k) => ({ buffer: firstScratch + k, offset: 0, bytes }));
  const ranges = { input: step.inputs, output: step.outputs, scratch: scratchRanges }[ref.of];
  const range = ranges[ref.index];
  if (range) return range;
  throw new DeviceError(
    `Cannot build ${label}: it binds ${ref.of} ${ref.index}, the operation has ${ranges.length} ` +
      "(a bug of Fovea, please report it)",
  );
}
