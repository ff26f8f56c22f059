/** A plan in words: one line per step, then buffers and bytes. */
import type { Executable } from "../backend.ts";
import type { BufferRange } from "./buffer_range.ts";
import type { Schedule } from "./schedule.ts";
import { rangesRead, rangesWritten } from "./steps.ts";

/** `plan.explain()`. */
export function explain(planned: Schedule, executable: Executable): string {
  const width = Math.max(8, ...planned.steps.map((s) => s.label.length));
  const lines = planned.steps.map((step, k) =>
    `${`${k}`.padStart(4)}  ${step.label.padEnd(width)}  ${named(rangesWritten(step))} ← ${
      named(rangesRead(step)) || "constants"
    }`
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
const named = (ranges: readonly BufferRange[]): string => ranges.map(name).join(" ");
const name = (r: BufferRange): string => r.offset ? `b${r.buffer}+${r.offset}` : `b${r.buffer}`;
