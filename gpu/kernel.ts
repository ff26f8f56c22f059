/**
 * A kernel: complete WGSL, the memory it binds, and how many workgroups run it. Not yet compiled.
 */
import { DeviceError } from "../core/errors.ts";
import { type BufferRange, overlaps } from "../core/plan/buffer_range.ts";
import { elementBytes } from "../core/shape.ts";

/** A storage variable of WGSL and the memory it stands for. */
export interface StorageVariable {
  /** As the code calls it. */
  readonly name: string;
  /** Element type of the array, such as `f32` or `vec4f`. */
  readonly type: string;
  /** Which bytes of which of the plan's buffers. */
  readonly range: BufferRange;
  /** What the code does with it. */
  readonly access: "read" | "read_write";
}

/** One dispatch. */
export interface Kernel {
  /** Shown in errors, plans and profiles. */
  readonly label: string;
  /** Declarations and code; kernels of equal source share a pipeline. */
  readonly source: string;
  /** In order of `@binding`. */
  readonly bindings: readonly StorageVariable[];
  /** Workgroups along x, y and z. */
  readonly groups: readonly [number, number, number];
}

/** What WebGPU promises on every device. */
const maxGroupsPerAxis = 65_535, offsetAlignment = 256;

/**
 * Declares storage variables in front of the code.
 *
 * WebGPU refuses a dispatch that binds ranges of one buffer both read-only and writable, even if
 * they are disjoint. So whatever lies in a buffer that is written is declared writable.
 */
export function makeKernel(
  label: string,
  variables: readonly StorageVariable[],
  code: string,
  groups: readonly [number, number, number],
): Kernel {
  const written = new Set<number>();
  for (const { range, access } of variables) {
    if (access === "read_write") written.add(range.buffer);
  }
  const bindings = variables.map((v): StorageVariable => ({
    ...v,
    access: written.has(v.range.buffer) ? "read_write" : "read",
  }));
  const declared = bindings.map(({ name, type, access }, k) =>
    `@group(0) @binding(${k}) var<storage, ${access}> ${name}: array<${type}>;`
  );
  return { label, source: `${declared.join("\n")}\n\n${code}`, bindings, groups };
}

/**
 * Checks what WebGPU would refuse, with words that say which kernel and which number.
 *
 * @throws {DeviceError} when a limit is broken: always a fault of an operation or of the planner
 */
export function checkKernel(kernel: Kernel, maxBuffers: number): void {
  const { label, bindings, groups } = kernel;
  const refuse = (what: string): never => {
    throw new DeviceError(`Cannot build ${label}: ${what} (a bug of Fovea, please report it)`);
  };
  for (const [axis, count] of groups.entries()) {
    if (!Number.isSafeInteger(count) || count < 1 || count > maxGroupsPerAxis) {
      refuse(
        `it dispatches ${count} workgroups along ${"xyz"[axis]}, ` +
          `1 to ${maxGroupsPerAxis} are allowed`,
      );
    }
  }
  if (bindings.length > maxBuffers) {
    refuse(`it binds ${bindings.length} buffers, ${maxBuffers} are allowed`);
  }
  for (const [k, { name, type, range, access }] of bindings.entries()) {
    if (range.offset % offsetAlignment !== 0) {
      refuse(
        `binding ${k} starts at byte ${range.offset}, a multiple of ${offsetAlignment} is wanted`,
      );
    }
    const stride = elementStride(type);
    if (range.bytes % stride !== 0) { // a last element in part would be out of bounds, silently
      refuse(
        `binding ${k}, ${name}, is ${range.bytes} bytes of ${type}, ` +
          `a multiple of ${stride} is wanted`,
      );
    }
    const other = bindings.findIndex((b, j) => j < k && overlaps(b.range, range));
    if (other >= 0 && (access === "read_write" || bindings[other].access === "read_write")) {
      refuse(`bindings ${other} and ${k} share bytes that are written, separate ranges are wanted`);
    }
  }
}

/** Bytes from one element of an array to the next; for types not known here, those of a word. */
function elementStride(type: string): number {
  const lanes = /^vec([234])/.exec(type)?.[1];
  return lanes === undefined ? elementBytes : lanes === "2" ? 2 * elementBytes : 4 * elementBytes;
}
