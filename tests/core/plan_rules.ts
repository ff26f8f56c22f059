/** Rules that every schedule keeps, checked without the planner's own tables. */
import assert from "node:assert/strict";
import type { Schedule } from "../../core/plan/schedule.ts";
import type { BufferRange } from "../../core/plan/buffer_range.ts";
import type { Step } from "../../core/plan/steps.ts";

/** Ranges that a step reads. */
export function readRanges(step: Step): readonly BufferRange[] {
  if (step.kind === "copy") return [step.from];
  return step.kind === "map" ? step.args.map((a) => a.range) : step.inputs;
}

/** Ranges that a step writes. */
export function writtenRanges(step: Step): readonly BufferRange[] {
  if (step.kind === "copy") return [step.to];
  return step.kind === "map" ? step.outputs.map((o) => o.range) : step.outputs;
}

const overlap = (a: BufferRange, b: BufferRange): boolean =>
  a.buffer === b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
const same = (a: BufferRange, b: BufferRange): boolean =>
  a.buffer === b.buffer && a.offset === b.offset && a.bytes === b.bytes;

/** Ranges lie within their buffers at bindable offsets, steps bind few buffers and clobber nothing. */
export function checkRanges({ steps, buffers }: Schedule, maxBuffers: number): void {
  for (const step of steps) {
    const read = readRanges(step), written = writtenRanges(step);
    for (const { buffer, offset, bytes } of [...read, ...written]) {
      assert(offset % 256 === 0, `${step.label}: offset ${offset}`);
      assert(bytes > 0 && offset + bytes <= buffers[buffer].bytes, `${step.label}: beyond the end`);
    }
    const bound = new Set([...read, ...written].map((p) => `${p.buffer}+${p.offset}`));
    if (step.kind === "map") assert(bound.size <= maxBuffers, `${step.label} binds ${bound.size}`);
    for (const [k, to] of written.entries()) {
      assert(!written.some((p, j) => j !== k && overlap(p, to)), `${step.label} writes twice`);
      for (const [j, from] of read.entries()) {
        if (!overlap(from, to)) continue;
        assert(same(from, to) && isInOrder(step, j), `${step.label} overwrites what it reads`);
      }
    }
  }
}

/** The j-th argument of a map is read at i for the result at i; other steps promise no order. */
function isInOrder(step: Step, j: number): boolean {
  if (step.kind !== "map") return false;
  let stride = 1;
  for (let axis = step.dims.length - 1; axis >= 0; axis--) {
    if (step.args[j].strides[axis] !== stride && step.dims[axis] !== 1) return false;
    stride *= step.dims[axis];
  }
  return true;
}

/**
 * Which step wrote what each step reads: −1 for values from before the run. A schedule that shares
 * memory must agree with the one that does not: then no step reads a slot after its reuse.
 */
export function writersOf({ steps }: Schedule): number[][] {
  const writers = new Map<number, { range: BufferRange; step: number }[]>();
  return steps.map((step, k) => {
    const found = readRanges(step).map((from) => {
      const list = (writers.get(from.buffer) ?? []).filter((w) => overlap(w.range, from));
      return Math.max(-1, ...list.map((w) => w.step));
    });
    for (const range of writtenRanges(step)) {
      const list = writers.get(range.buffer) ?? [];
      writers.set(range.buffer, [...list, { range, step: k }]);
    }
    return found;
  });
}
