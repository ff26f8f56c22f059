/** Rules that every schedule keeps, checked without the planner's own tables. */
import assert from "node:assert/strict";
import type { Schedule } from "../../core/plan/schedule.ts";
import type { Place, Step } from "../../core/plan/steps.ts";

/** Places that a step reads. */
export function readPlaces(step: Step): readonly Place[] {
  if (step.kind === "copy") return [step.from];
  return step.kind === "map" ? step.args.map((a) => a.place) : step.inputs;
}

/** Places that a step writes. */
export function writtenPlaces(step: Step): readonly Place[] {
  if (step.kind === "copy") return [step.to];
  return step.kind === "map" ? step.outputs.map((o) => o.place) : step.outputs;
}

const overlap = (a: Place, b: Place): boolean =>
  a.buffer === b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
const same = (a: Place, b: Place): boolean =>
  a.buffer === b.buffer && a.offset === b.offset && a.bytes === b.bytes;

/** Places lie within their buffers at bindable offsets, steps bind few buffers and clobber nothing. */
export function checkPlaces({ steps, buffers }: Schedule, maxBuffers: number): void {
  for (const step of steps) {
    const read = readPlaces(step), written = writtenPlaces(step);
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
  const writers = new Map<number, { place: Place; step: number }[]>();
  return steps.map((step, k) => {
    const found = readPlaces(step).map((from) => {
      const list = (writers.get(from.buffer) ?? []).filter((w) => overlap(w.place, from));
      return Math.max(-1, ...list.map((w) => w.step));
    });
    for (const place of writtenPlaces(step)) {
      const list = writers.get(place.buffer) ?? [];
      writers.set(place.buffer, [...list, { place, step: k }]);
    }
    return found;
  });
}
