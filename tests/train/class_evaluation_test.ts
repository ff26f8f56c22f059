/** Evaluation by class: the totals of the evaluation that adds up on the device, and its manners. */
import assert from "node:assert/strict";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { ignoredLabel, type Source } from "../../data/source.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { evaluateClasses } from "../../train/class_evaluation.ts";
import { Predictor } from "../../train/predictor.ts";
import { assertClose } from "../assert.ts";
import { classifierEvaluation, squares } from "../end_to_end/classifiers.ts";
import { pick } from "../end_to_end/images.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const { test, classes } = await openFashionMini();
const preparation = squares(32, 28), usage = { classes, preparation };
const some = pick(test, Array.from({ length: 70 }, (_, k) => k)).source(preparation);

/** The source with some labels that do not count. */
const partly: Source = {
  ...some,
  batch: async (indices, epoch) => {
    const { pixels, labels } = await some.batch(indices, epoch);
    return {
      pixels,
      labels: labels.map((label, k) => indices[k] % 3 === 0 ? ignoredLabel : label),
    };
  },
};

devices.test("class evaluation: its means are those of the device's sums", async (device) => {
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 1);
  using predictor = await Predictor.of(weights, usage, { batchSize: 32 });
  using evaluator = await classifierEvaluation(device, weights);
  for (const source of [some, partly]) {
    const seen: number[] = [];
    const onProgress = (n: number) => void seen.push(n);
    const report = await evaluateClasses(predictor, source, { onProgress });
    const { loss, metrics: { top1, top5 }, totals } = await evaluator.run(source);
    assert.deepEqual([report.size, report.accuracy], [totals.top1.count[0], top1]);
    assert.equal(report.top5, top5);
    assertClose([report.loss], [loss], { rtol: 1e-5 });
    assert.deepEqual(seen, [32, 64, 70]);
    const labels = (await source.batch(Uint32Array.from({ length: 70 }, (_, k) => k), 0)).labels;
    for (const { index, label } of report.mistakes) assert.equal(labels[index], label);
  }
});

Deno.test("class evaluation: an abort ends it within a batch, and its reason is raised", async () => {
  const [device] = devices.all, controller = new AbortController(), reason = new Error("stopped");
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 1);
  using predictor = await Predictor.of(weights, usage, { batchSize: 8 });
  let last = 0;
  const run = evaluateClasses(predictor, some, {
    signal: controller.signal,
    onProgress(seen) {
      last = seen;
      if (seen === 24) controller.abort(reason);
    },
  });
  await assert.rejects(run, (error) => error === reason);
  assert(last <= 40, `${last} pictures`);
  assert.equal((await evaluateClasses(predictor, some)).size, 70);
});

Deno.test("class evaluation: answers that are no numbers name what is to blame", async () => {
  const [device] = devices.all;
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 1);
  weights.write(weights.parameters.get("conv2.bias")!, new Float32Array(16).fill(NaN));
  using predictor = await Predictor.of(weights, usage, { batchSize: 8 });
  await assert.rejects(evaluateClasses(predictor, some), {
    name: "CheckpointError",
    message: /the tensor conv2\.bias is NaN or infinite/,
  });
});
