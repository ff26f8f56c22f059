/**
 * A process of its own that uses many threads, prints what it found as JSON, and then has nothing
 * left to do: `deno run threads_process.ts THREADS`. It asks for no permission.
 */
import { deviceOn } from "../../core/device.ts";
import { Random } from "../../core/rng.ts";
import { tensor } from "../../core/structure.ts";
import { matmul } from "../../ops/matmul.ts";
import { add, tanh } from "../../ops/pointwise.ts";
import { openWasm } from "../../wasm/backend.ts";
import { tensorModule } from "../../wasm/tensor.ts";

/** What the process prints. */
export interface ThreadsReport {
  readonly threaded: boolean;
  /** Workers that joined, without the main thread. */
  readonly joined: number;
  /** Whether a plan left the same bits with one thread and with all of them. */
  readonly same: boolean;
  /** How often each task of the stress test ran, and how often it should have. */
  readonly counts: readonly number[];
  readonly expected: readonly number[];
}

const elements = (site: string): Float32Array<ArrayBuffer> => {
  const random = new Random(1, site);
  return Float32Array.from({ length: 320 * 320 }, () => random.uniform() - 0.5);
};

/** A product and a long pointwise chain, both large enough to be shared out. */
async function compute(threads: number): Promise<Float32Array> {
  using device = deviceOn(openWasm({ threads }));
  const [a, b] = ["a", "b"].map((site) => tensor(elements(site), [320, 320]));
  return await device.read(tanh(add(matmul(a, b), tanh(tanh(a))))) as Float32Array;
}

/** Waits until so many workers have joined, but no longer than 20 seconds. */
async function join(count: number): Promise<number> {
  const { exports } = tensorModule(), deadline = performance.now() + 20_000;
  while (exports.threads_joined() !== count && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return exports.threads_joined() as number;
}

/** Jobs of 2, 3 … `tasks` tasks in turn, `rounds` times: how often each task ran. */
function stress(tasks: number, rounds: number): number[] {
  const module = tensorModule(), bytes = 4 * tasks, hits = module.allocate(bytes, "hits");
  module.exports.threads_count(rounds * (tasks - 1), tasks, hits);
  const counts = [...new Uint32Array(module.bytesAt(hits, bytes).slice().buffer)];
  module.free(hits, bytes);
  return counts;
}

if (import.meta.main) {
  const threads = Number(Deno.args[0]), { threaded } = tensorModule();
  const alone = await compute(1), one = await compute(threads);
  const joined = await join(threaded ? threads - 1 : 0), all = await compute(threads);
  const tasks = 24, rounds = 40;
  const report: ThreadsReport = {
    threaded,
    joined,
    same: alone.every((v, k) => v === all[k] && v === one[k]),
    counts: stress(tasks, rounds),
    expected: Array.from({ length: tasks }, (_, i) => rounds * (i < 2 ? tasks - 1 : tasks - i)),
  };
  // The workers fall asleep meanwhile; asleep or not, they keep no process alive.
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log(JSON.stringify(report));
}
