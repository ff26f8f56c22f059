/**
 * A process of its own whose kernels trap, since it could hang: `deno run trap_process.ts`. It asks
 * for no permission, prints what it met as JSON, and then has nothing left to do.
 */
import { type Device, deviceOn } from "../../core/device.ts";
import { applyOne, type MacroOp } from "../../core/graph.ts";
import { outputRef } from "../../core/kernel.ts";
import { f32 } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { tensor, variable } from "../../core/structure.ts";
import { mul } from "../../ops/pointwise.ts";
import { call } from "../../ops/kernels.ts";
import { openWasm } from "../../wasm/backend.ts";
import { tensorModule } from "../../wasm/tensor.ts";

/** What one trap led to. */
export interface TrapReport {
  /** Whether it was met by a worker thread, or else by the main thread. */
  readonly inThread: boolean;
  /** `name: message` of the run. */
  readonly raised: string;
  /** The same of everything that was asked of the device afterwards, by what was asked. */
  readonly later: Readonly<Record<string, string>>;
}

/** What the process prints. */
export interface ProcessReport {
  readonly threaded: boolean;
  readonly traps: readonly TrapReport[];
  /** Whether a newly opened device computes, and with threads, after each trap. */
  readonly reopened: boolean;
}

const [lines, width, c] = [1024, 1024, 4];

/** Bytes of a task's lines: the kernel cuts them into 128 tasks. */
const taskBytes = lines / 128 * width * c * 4;

/**
 * Means of windows of one pixel whose image begins a task's length before the end of all 32-bit
 * addresses. Task 0, which is given out last, reads where there is no memory; the others wrap around
 * and read what is there.
 */
const wildOp: MacroOp = {
  kind: "macro",
  name: "wild",
  infer: () => [f32([1, lines, width, c])],
  wgsl: () => ({ passes: [] }),
  wasm() {
    const ints = [1, lines, width, c, 1, 1, lines, width, 1, 1, 1, 1, 0, 0];
    return { calls: [call("avg_pool", 2 ** 32 - taskBytes, outputRef(0), { ints }, 0)] };
  },
};

async function told(ask: () => unknown): Promise<string> {
  try {
    await ask();
    return "";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : `${error}`;
  }
}

const threads = 4;

/** Waits for the threads, no longer than 20 seconds; whether they came. */
async function joined(): Promise<boolean> {
  const { exports, threaded } = tensorModule(), deadline = performance.now() + 20_000;
  while (threaded && exports.threads_joined() !== threads - 1) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

const ones = (): Float32Array<ArrayBuffer> => new Float32Array(1 << 20).fill(1);

/** A device with threads that computes; undefined if it does not. */
async function opened(): Promise<Device | undefined> {
  const device = deviceOn(openWasm({ threads }));
  const result = await device.read(mul(tensor(ones()), 3)); // large enough to start threads
  return await joined() && result.every((v) => v === 3) ? device : undefined;
}

async function trap(device: Device): Promise<TrapReport> {
  const module = tensorModule(), v = variable([4], "v"), store = new Store(device, [v]);
  const y = applyOne(wildOp, [], {});
  const plan = await device.compile({ outputs: [y] }), raised = await told(() => plan.run());
  const later = {
    run: await told(() => plan.run()),
    read: await told(() => plan.read(y)),
    compile: await told(() => device.compile({ outputs: [mul(tensor([1, 2]), 2)] })),
    store: await told(() => new Store(device, [v])),
    write: await told(() => store.write(v, new Float32Array(4))),
    readStore: await told(() => store.read(v)),
  };
  plan[Symbol.dispose]();
  store[Symbol.dispose]();
  device[Symbol.dispose]();
  return { inThread: module.threads.fault !== "", raised, later };
}

if (import.meta.main) {
  const traps: TrapReport[] = [], { threaded } = tensorModule();
  let reopened = true;
  const isEnough = (): boolean =>
    traps.some((t) => !t.inThread) && (!threaded || traps.some((t) => t.inThread));
  while (reopened && !isEnough() && traps.length < 40) {
    const device = await opened();
    if (device) traps.push(await trap(device));
    reopened = device !== undefined;
  }
  using last = await opened();
  const report: ProcessReport = { threaded, traps, reopened: reopened && last !== undefined };
  console.log(JSON.stringify(report));
}
