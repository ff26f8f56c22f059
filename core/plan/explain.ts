/** A plan in words: one line per step, then buffers and bytes. */
import type { Executable } from "../backend.ts";
import type { BufferRange } from "./buffer_range.ts";
import type { Schedule } from "./schedule.ts";
import type { Step } from "./steps.ts";

/** `plan.explain()`. */
export function explain(planned: Schedule, executable: Executable): string {
  const width = Math.max(8, ...planned.steps.map((s) => s.label.length));
  const lines = planned.steps.map((step, k) =>
    `${`${k}`.padStart(4)}  ${step.label.padEnd(width)}  ${written(step)} ← ${read(step)}`
  );
  const kinds = new Map<string, { count: number; bytes: number }>();
  for (const { kind, bytes } of planned.buffers) {
    const sum = kinds.get(kind) ?? { count: 0, bytes: 0 };
    kinds.set(kind, { count: sum.count + 1, bytes: sum.bytes + bytes });
  }
  const memory = [...kinds].map(([kind, { count, bytes }]) =>
    `${count} ${kind} ${megabytes(bytes)}`
  );
  return [
    ...lines,
    `steps ${planned.steps.length}, kernels ${executable.kernels.length}`,
    `buffers: ${memory.join(", ")}, scratch ${megabytes(executable.scratchBytes)}`,
    `planned ${megabytes(planned.plannedBytes)} of ${megabytes(planned.unsharedBytes)} unshared`,
  ].join("\n");
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
const name = (r: BufferRange): string => r.offset ? `b${r.buffer}+${r.offset}` : `b${r.buffer}`;

function written(step: Step): string {
  if (step.kind === "copy") return name(step.to);
  const ranges = step.kind === "map" ? step.outputs.map((o) => o.range) : step.outputs;
  return ranges.map(name).join(" ");
}

function read(step: Step): string {
  if (step.kind === "copy") return name(step.from);
  const ranges = step.kind === "map" ? step.args.map((a) => a.range) : step.inputs;
  return ranges.map(name).join(" ") || "constants";
}
