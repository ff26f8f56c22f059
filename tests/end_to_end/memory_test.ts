/** Training holds its memory: thousands of steps on either backend, and nothing left at the end. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { Random } from "../../core/rng.ts";
import type { Model } from "../../models/model.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { openDevice } from "../../open_device.ts";
import { adam } from "../../train/optimizer.ts";
import type { TrainingStep } from "../../train/training_step.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import { openTestDevices } from "../laws/devices.ts";
import { classifierEvaluation, classifierStep } from "./classifiers.ts";
import { TinyNet } from "./tiny_nets.ts";

const isSlow = Deno.args.includes("--slow");
/** A software adapter takes its time; the slow run asks as much of it as of the CPU. */
const stepsOn = { wasm: 10_000, webgpu: isSlow ? 10_000 : 2000 } as const;

/** All that must not grow. */
function held(device: Device, step: TrainingStep): Record<string, number> {
  const { memory, liveBytes, workspaceBytes } = tensorModule();
  return {
    liveBytes: device.liveBytes,
    scratchBytes: partsOf(step.plan).executable.scratchBytes,
    planBytes: step.plan.bytes,
    wasmMemoryBytes: memory.buffer.byteLength,
    wasmLiveBytes: liveBytes,
    wasmWorkspaceBytes: workspaceBytes,
  };
}

/** A batch of noise, drawn anew for each step. */
function noise(random: Random, count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, () => 0xff000000 | random.word());
}

async function train(device: Device, model: Model, batchSize: number): Promise<void> {
  using weights = initialWeights(device, model, 1);
  using step = await classifierStep(device, weights, adam(), { batchSize });
  using evaluator = await classifierEvaluation(device, weights, { batchSize });
  const random = new Random(3, "noise"), { inputSize } = model;
  const labels = Int32Array.from({ length: batchSize }, (_, k) => k % model.classes);
  const run = async (count: number): Promise<void> => {
    for (let k = 1; k <= count; k++) {
      step.run({ pixels: noise(random, batchSize * inputSize ** 2), labels }, 1e-4);
      if (k % 50 === 0) assert(Number.isFinite((await step.metrics()).loss));
    }
  };
  const steps = stepsOn[device.kind];
  await run(50);
  const before = held(device, step), residentBytes = Deno.memoryUsage().rss;
  assert(before.liveBytes > 0);
  await run(steps);
  assert.deepEqual(held(device, step), before);
  // What the driver holds is seen by the system alone, coarsely: garbage is collected when it likes.
  const grown = (Deno.memoryUsage().rss - residentBytes) / 1e6;
  console.log(`${device.kind}: ${steps} steps, the process grew by ${grown.toFixed(1)} MB`);
  assert(grown < 200);
  assert.equal(evaluator.batchSize, batchSize);
}

const devices = await openTestDevices();

for (const kind of ["wasm", "webgpu"] as const) {
  const ignore = devices.missing.includes(kind);
  Deno.test({
    name: `memory: ${stepsOn[kind]} steps hold it flat, disposing frees all on ${kind}`,
    ignore,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      using device = await openDevice(kind);
      assert.equal(device.liveBytes, 0);
      const wasmBytes = tensorModule().liveBytes;
      if (kind === "wasm") await train(device, new TutorialCnn({ classes: 10 }), 4);
      else await train(device, new TinyNet(), 4);
      assert.equal(device.liveBytes, 0);
      assert.equal(tensorModule().liveBytes, wasmBytes, "arguments and scratch of the kernels");
    },
  });
}
