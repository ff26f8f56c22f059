/** The number of threads changes no bit of a result. Alone in its file: threads are never taken back. */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import type { Model } from "../../models/model.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { openDevice } from "../../open_device.ts";
import { adam } from "../../train/optimizer.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import { classifierStep } from "./classifiers.ts";
import { ResidualNet } from "./tiny_nets.ts";
import { bitsOf } from "./weights.ts";

/** Waits until so many threads have joined, which they do a moment after they were started. */
async function joined(count: number): Promise<void> {
  const { exports, threaded } = tensorModule();
  const wanted = threaded ? count : 0, deadline = performance.now() + 20_000;
  while (exports.threads_joined() !== wanted) {
    assert(performance.now() < deadline, `${exports.threads_joined()} of ${wanted} threads joined`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Weights after 100 steps over noise on so many threads. */
async function train(model: Model, threads: number): Promise<Map<string, string>> {
  using device = await openDevice("wasm", { threads });
  const batchSize = 64, count = batchSize * model.inputSize ** 2;
  using weights = initialWeights(device, model, 1);
  using step = await classifierStep(device, weights, adam(), { batchSize });
  await joined(threads - 1);
  const random = new Random(3, "noise");
  const labels = Int32Array.from({ length: batchSize }, (_, k) => k % 10);
  for (let k = 0; k < 100; k++) {
    const pixels = Uint32Array.from({ length: count }, () => random.word());
    step.run({ pixels, labels }, 0.002);
  }
  return await bitsOf(weights);
}

Deno.test({
  name: "threads: 1, 2 and 4 leave the same weights after 100 steps, bit for bit",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const makers = {
      "tutorial CNN": () => new TutorialCnn({ classes: 10 }),
      "residual net": () => new ResidualNet(),
    };
    const results = new Map<string, Map<string, string>>();
    for (const threads of [1, 2, 4]) {
      for (const [name, make] of Object.entries(makers)) {
        await t.step({
          name: `${name} on ${threads}`,
          sanitizeOps: false,
          sanitizeResources: false,
          async fn() {
            const result = await train(make(), threads);
            const first = results.get(name) ?? result;
            results.set(name, first);
            assert.deepEqual(result, first);
          },
        });
      }
    }
  },
});
