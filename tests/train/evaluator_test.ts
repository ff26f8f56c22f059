/** An evaluation can be ended early, and leaves nothing behind for the next. */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import { PackedPictures } from "../../data/pictures.ts";
import type { Source } from "../../data/source.ts";
import { initialWeights } from "../../models/weights.ts";
import { classifierEvaluation, squares } from "../end_to_end/classifiers.ts";
import { ResidualNet } from "../end_to_end/tiny_nets.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();

/** Pictures of noise. */
function noise(size: number, side: number): Source {
  const random = new Random(7, "noise");
  const images = Uint8Array.from({ length: size * side * side }, () => random.word() & 255);
  const labels = Int32Array.from({ length: size }, () => random.word() % 10);
  const packed = { width: side, height: side, channels: 1, images, labels } as const;
  return new PackedPictures(packed).source(squares(side));
}

devices.test("evaluator: a run that is ended early leaves no sums to the next", async (device) => {
  using weights = initialWeights(device, new ResidualNet(8), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 4 });
  // More than one reading, and a last batch that is not full.
  const split = noise(38, 8), whole = await evaluator.run(split);
  assert.equal(whole.size, 38);
  for (const stopAt of [4, 20, 38]) {
    const controller = new AbortController(), reason = new Error(`stopped at ${stopAt}`);
    const seen: number[] = [];
    const stopped = evaluator.run(split, {
      signal: controller.signal,
      onProgress(images) {
        seen.push(images);
        if (images === stopAt) controller.abort(reason);
      },
    });
    await assert.rejects(stopped, (error) => error === reason);
    assert.equal(seen.at(-1), stopAt, "no batch after the abort");
    assert.deepEqual(await evaluator.run(split), whole);
  }
});

devices.test("evaluator: the event loop gets its turns, so a timer can end it", async (device) => {
  using weights = initialWeights(device, new ResidualNet(32), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 8 });
  // Black pictures, more than any device gets through in the time.
  const black = { images: new Uint8Array(40_000 * 32 ** 2), labels: new Int32Array(40_000) };
  const packed = { width: 32, height: 32, channels: 1, ...black } as const;
  const split = new PackedPictures(packed).source(squares(32));
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("time is up")), 100);
  const start = performance.now();
  await assert.rejects(evaluator.run(split, { signal: controller.signal }), /time is up/);
  const ms = performance.now() - start;
  clearTimeout(timer);
  assert(ms < 1000, `${ms} ms`);
});

devices.test("evaluator: aborted before it began, it computes nothing", async (device) => {
  using weights = initialWeights(device, new ResidualNet(8), 1);
  using evaluator = await classifierEvaluation(device, weights, { batchSize: 4 });
  const signal = AbortSignal.abort(new Error("never mind"));
  const onProgress = () => assert.fail("a batch");
  await assert.rejects(evaluator.run(noise(8, 8), { signal, onProgress }), /never mind/);
});

Deno.test("evaluator: batches of a deep net are cut, and the result stays", async () => {
  const [device] = devices.all, side = 224;
  using weights = initialWeights(device, new ResidualNet(side), 1);
  using whole = await classifierEvaluation(device, weights, { batchSize: 250 });
  using single = await classifierEvaluation(device, weights, { batchSize: 1 });
  assert(whole.batchSize > 1 && whole.batchSize < 250, `${whole.batchSize} images`);
  assert(whole.plan.plannedBytes < 60e6, `${whole.plan.plannedBytes} bytes`);
  const split = noise(3, side), [a, b] = [await whole.run(split), await single.run(split)];
  assert.equal(a.metrics.top1, b.metrics.top1);
  assert.equal(a.metrics.top5, b.metrics.top5);
  assert(Math.abs(a.loss - b.loss) < 1e-4, `${a.loss} and ${b.loss}`);
});
