/** Whichever request for memory is refused: a DeviceError, and everything before it is given back. */
import assert from "node:assert/strict";
import type { Backend, BuildProgress, Executable, Memory } from "../../core/backend.ts";
import { type Device, deviceOn, type Elements } from "../../core/device.ts";
import { DeviceError } from "../../core/errors.ts";
import type { Step } from "../../core/plan/steps.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../models/checkpoint.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { adamw } from "../../train/optimizer.ts";
import { Predictor } from "../../train/predictor.ts";
import { models } from "../../models/models.ts";
import { openWasm } from "../../wasm/backend.ts";
import { classifierEvaluation, classifierStep, squares } from "../end_to_end/classifiers.ts";
import { ResidualNet } from "../models/residual_net.ts";

/** The CPU backend with room for so many pieces of memory and no more. */
class ScarceBackend implements Backend {
  readonly #real = openWasm({ threads: 1 });
  readonly kind = "wasm";
  readonly name = "scarce";
  readonly maxBuffers = Infinity;
  readonly maxBufferBytes = 2 ** 30;

  constructor(public room: number) {}

  get liveBytes(): number {
    return this.#real.liveBytes;
  }

  allocate(bytes: number, label: string): Memory {
    if (this.room-- <= 0) {
      throw new DeviceError(`Cannot allocate ${label}: there is no more memory`);
    }
    return this.#real.allocate(bytes, label);
  }

  free(memory: Memory): void {
    this.#real.free(memory);
  }

  write(memory: Memory, offset: number, data: Elements): void {
    this.#real.write(memory, offset, data);
  }

  read(memory: Memory, offset: number, bytes: number): Promise<ArrayBuffer> {
    return this.#real.read(memory, offset, bytes);
  }

  build(
    steps: readonly Step[],
    buffers: readonly Memory[],
    progress?: BuildProgress,
  ): Promise<Executable> {
    return this.#real.build(steps, buffers, progress);
  }

  close(): void {
    this.#real.close();
  }
}

/** Makes something with room for 0, 1, 2 … pieces of memory until it succeeds. */
async function withLittleRoom(
  make: (device: Device) => Disposable | Promise<Disposable>,
  prepare?: (device: Device) => Disposable,
): Promise<void> {
  for (let room = 0;; room++) {
    const backend = new ScarceBackend(Infinity);
    using device = deviceOn(backend);
    using _prepared = prepare?.(device);
    const before = device.liveBytes;
    backend.room = room;
    try {
      (await make(device))[Symbol.dispose]();
      assert.equal(device.liveBytes, before, "it was disposed");
      return assert(room > 1, "it took memory");
    } catch (error) {
      assert(error instanceof DeviceError, `${error}`);
      assert.match(error.message, /there is no more memory/);
    }
    assert.equal(device.liveBytes, before, `refused after ${room} pieces`);
  }
}

const options = { batchSize: 8 };

Deno.test("out of memory: weights", async () => {
  await withLittleRoom((device) => new Weights(device, new ResidualNet()));
  await withLittleRoom((device) => initialWeights(device, new ResidualNet(), 1));
});

Deno.test("out of memory: a training step", async () => {
  let weights: Weights | undefined;
  await withLittleRoom(
    (device) => classifierStep(device, weights!, adamw(), options),
    (device) => weights = new Weights(device, new ResidualNet()),
  );
});

Deno.test("out of memory: an evaluator", async () => {
  let weights: Weights | undefined;
  await withLittleRoom(
    (device) => classifierEvaluation(device, weights!, options),
    (device) => weights = new Weights(device, new ResidualNet()),
  );
});

Deno.test("out of memory: a predictor", async () => {
  using device = deviceOn(openWasm({ threads: 1 }));
  using weights = initialWeights(device, models["tutorial-cnn"].create({ classes: 2 }), 1);
  const saved = await encodeCheckpoint(weights, {
    classes: ["a", "b"],
    preparation: squares(32),
  });
  await withLittleRoom((device) => Predictor.create(device, decodeCheckpoint(saved, "x")));
});
