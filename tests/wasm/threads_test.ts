/** Threads: every task of every job once, whatever the workers are doing, and a clean end. */
import assert from "node:assert/strict";
import { tensorModule } from "../../wasm/tensor.ts";
import type { ThreadsReport } from "./threads_process.ts";
import { reportOf } from "../end_to_end/processes.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until so many workers have joined, which they do a moment after they were started. */
async function joined(count: number): Promise<void> {
  const { exports } = tensorModule(), deadline = performance.now() + 20_000;
  while (exports.threads_joined() !== count) {
    assert(performance.now() < deadline, `${exports.threads_joined()} of ${count} threads joined`);
    await sleep(5);
  }
}

/** Jobs of 2, 3 … `tasks` tasks in turn, each size `rounds` times: how often each task ran. */
function stress(tasks: number, rounds: number): void {
  const module = tensorModule(), bytes = 4 * tasks, hits = module.allocate(bytes, "hits");
  module.exports.threads_count(rounds * (tasks - 1), tasks, hits);
  const counts = new Uint32Array(module.bytesAt(hits, bytes).slice().buffer);
  module.free(hits, bytes);
  const expected = counts.map((_, i) => rounds * (i < 2 ? tasks - 1 : tasks - i));
  assert.deepEqual(counts, expected, `jobs of up to ${tasks} tasks`);
}

Deno.test("threads: without workers the caller does every task", () => {
  assert.equal(tensorModule().exports.threads_joined(), 0);
  for (const tasks of [2, 3, 9]) stress(tasks, 1000);
});

Deno.test({
  name: "threads: three workers and the caller do every task of every job once",
  // Workers are never taken back.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { threads, threaded } = tensorModule();
    if (!threaded) return console.log("skipped: the tensor module was built without threads");
    // Jobs while the workers are starting are done by whoever is there.
    threads.start(3);
    stress(9, 1000);
    await joined(3);
    threads.start(2);
    assert.equal(threads.size, 3);
    for (let tasks = 2; tasks <= 9; tasks++) {
      stress(tasks, 3000);
      // Now and then the workers fall asleep, and the next job finds them so.
      if (tasks % 3 === 0) await sleep(30);
    }
    for (let job = 0; job < 20; job++) {
      await sleep(2);
      stress(5, 1);
    }
  },
});

/** Runs a process with so many threads; it must end by itself. */
async function runProcess(threads: number): Promise<ThreadsReport> {
  const script = new URL("threads_process.ts", import.meta.url);
  return await reportOf(script, 30_000, `${threads}`) as ThreadsReport;
}

for (const threads of [4, 16]) {
  Deno.test(`threads: a process with ${threads} threads is right and ends by itself`, async () => {
    const report = await runProcess(threads);
    assert.equal(report.joined, report.threaded ? threads - 1 : 0);
    assert(report.same, "the number of threads changed the result");
    assert.deepEqual(report.counts, report.expected);
  });
}
