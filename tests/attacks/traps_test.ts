/** A trap, whichever thread meets it, and threads that cannot start: one clear error, and no hang. */
import assert from "node:assert/strict";
import { Threads } from "../../wasm/threads.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import type { ProcessReport } from "./trap_process.ts";
import { reportOf } from "../end_to_end/processes.ts";

/** Runs the process; it must end by itself. */
async function runProcess(): Promise<ProcessReport> {
  const script = new URL("trap_process.ts", import.meta.url);
  return await reportOf(script, 120_000) as ProcessReport;
}

Deno.test("traps: in a thread or not, the device closes with its reason, a new one works", async () => {
  const { threaded, traps, reopened } = await runProcess();
  assert(reopened);
  assert(traps.some((t) => !t.inThread), "no trap on the main thread");
  assert(!threaded || traps.some((t) => t.inThread), `no trap in a thread of ${traps.length}`);
  for (const { raised, later } of traps) {
    assert.match(
      raised,
      /^DeviceError: Cannot run avg_pool for wild: the module trapped \(.*out of bounds.*\) and the device is closed, a newly opened device is wanted/,
    );
    for (const [what, message] of Object.entries(later)) {
      const reason = what === "read"
        ? /^DeviceError: Cannot read: the last run failed \(Cannot run: the device was closed when .*out of bounds.*\)$/
        : /^DeviceError: Cannot [\w ]+: the device was closed when it could not run avg_pool for wild \(.*out of bounds.*\), a newly opened device is wanted$/;
      assert.match(message, reason, what);
    }
  }
});

Deno.test({
  name: "traps: threads that cannot start are told of, and end nothing",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { threads, threaded } = tensorModule();
    if (!threaded) return console.log("skipped: the tensor module was built without threads");
    // Not shared, as the module wants it: no instance can be made.
    const broken = new Threads(threads.module, new WebAssembly.Memory({ initial: 1 }), 1 << 16);
    broken.start(3);
    const deadline = performance.now() + 20_000;
    while (broken.failures.length < 3 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(broken.failures.length, 3);
    assert(broken.failures.every((text) => text !== ""));
    broken.start(3);
    assert.deepEqual([broken.size, broken.failures.length], [0, 3], "they are not tried again");
  },
});
