/** Where a bench ran: without it no number means anything. */
import { Child, EngineError } from "./child.ts";
import type { EngineSpec } from "./engines.ts";

/** A machine, and what was on it. */
export interface Machine {
  readonly date: string;
  readonly commit: string;
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly deno: string;
  /** The GPU in words, undefined without an adapter. */
  readonly adapter?: string;
  readonly isSoftware: boolean;
  /** Load average of the last minute, before the first row and after the last. */
  readonly loadBefore: number;
  loadAfter?: number;
}

/** Asks the machine. */
export async function describeMachine(webgpu: EngineSpec): Promise<Machine> {
  const { adapter, isSoftware } = await probe(webgpu);
  return {
    date: new Date().toISOString(),
    commit: await commit(),
    system: `${Deno.build.os} ${Deno.build.arch}, ${Deno.osRelease()}`,
    processor: await processor(),
    cores: navigator.hardwareConcurrency,
    memoryGiB: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    deno: `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`,
    adapter,
    isSoftware,
    loadBefore: load(),
  };
}

/** Load average of the last minute. */
export const load = (): number => Deno.loadavg()[0];

/** Load from which timings are not to be trusted: somebody else computes. */
export const loadLimit = 0.3;

/** Lines for people. */
export function machineLines(machine: Machine): string[] {
  const { processor, cores, memoryGiB, system, deno, adapter, isSoftware, loadBefore } = machine;
  const gpu = adapter ? `${adapter}${isSoftware ? " (software)" : ""}` : "no WebGPU adapter";
  const lines = [
    `${machine.date}, commit ${machine.commit}`,
    `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}`,
    `${deno}; ${gpu}`,
  ];
  if (loadBefore > loadLimit) {
    lines.push(`the load average is ${loadBefore.toFixed(2)}: do not trust these timings`);
  }
  return lines;
}

async function probe(spec: EngineSpec): Promise<{ adapter?: string; isSoftware: boolean }> {
  try {
    const child = await Child.start(spec, 60_000);
    const { version, isSoftware = false } = child.hello;
    await child.close();
    return { adapter: version, isSoftware };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { isSoftware: false };
  }
}

async function processor(): Promise<string> {
  try {
    const info = await Deno.readTextFile("/proc/cpuinfo");
    return /model name\s*:\s*(.+)/.exec(info)?.[1].trim() ?? "a processor without a name";
  } catch {
    return "a processor of unknown name";
  }
}

/** Short hash; `+` where files were changed since. */
async function commit(): Promise<string> {
  const git = async (...args: string[]): Promise<string> => {
    const cwd = new URL(".", import.meta.url);
    const { stdout } = await new Deno.Command("git", { args, cwd, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  try {
    const hash = await git("rev-parse", "--short", "HEAD");
    if (!hash) return "unknown";
    return await git("status", "--porcelain", "--untracked-files=no") ? `${hash}+` : hash;
  } catch {
    return "unknown";
  }
}
