/** Evaluate: accuracy and loss of a model file on a data set's test images. */
import { DataError, UsageError } from "../core/errors.ts";
import { Weights } from "../models/weights.ts";
import { chooseDevice } from "../open_device.ts";
import { classification } from "../train/classification.ts";
import { compileEvaluation } from "../train/evaluator.ts";
import { nanError } from "../train/first_nan.ts";
import { defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { formatDuration, formatLoss, formatPercent, formatRate } from "./format.ts";
import { Interrupt } from "./interrupt.ts";
import { findModel, modelOptions, modelPermissions } from "./model_options.ts";
import { openNamedDataset } from "./open_dataset.ts";
import { group, integer } from "./options.ts";
import { jsonLine, printable } from "./printable.ts";
import { Progress } from "./progress.ts";
import { dataOptions, dataPermissions, standardDataset } from "./training_options.ts";

/** The command. */
export const command = defineCommand({
  name: "evaluate",
  summary: "Measure a model file on a data set's test images",
  examples: [
    { words: [], note: "the newest run's best weights on fashion-mini" },
    {
      words: ["--dataset", "cifar10", "--data-dir", { path: "datasets/cifar10" }],
      note: "on CIFAR-10, which train --download has fetched",
    },
  ],
  permissions: ["--allow-read"],
  optionalPermissions: [...modelPermissions, ...dataPermissions],
  positionals: {},
  options: {
    ...modelOptions,
    ...group("Evaluation", {
      batchSize: integer({ help: "images a pass at most", default: 250, min: 1, max: 65_536 }),
    }),
    ...dataOptions,
    dataset: { ...dataOptions.dataset, help: "what to measure it on" },
    device: machineOptions.device,
    ...outputOptions,
  },
  run: async ({ options }, context): Promise<void> => {
    const { out, err } = context;
    using progress = new Progress({ terminal: err, label: "evaluate" });
    using interrupt = new Interrupt({ onFirst: () => progress.clear() });
    const { signal } = interrupt;
    const name = options.dataset ?? standardDataset;
    const dataset = await openNamedDataset(name, options, context, signal);
    const { checkpoint, origin } = await findModel(options, context, dataset.classes);
    checkClasses(checkpoint.classes, checkpoint.file, dataset.classes, dataset.name);
    const { device, reason } = await chooseDevice(options.device);
    using _device = device;
    const { model, preparation } = checkpoint, where = `${device.name} (${reason})`;
    err.line(printable(`${model.name}, ${origin}, on ${dataset.name}, ${where}`));
    using weights = new Weights(device, model);
    weights.load(checkpoint.content, {}, checkpoint.file);
    const test = dataset.test?.source(preparation);
    if (!test) throw new DataError(`Cannot evaluate on ${dataset.name}: it has no test pictures`);
    const total = test.size, batchSize = Math.min(options.batchSize, total);
    const task = classification(model, preparation);
    using evaluator = await compileEvaluation(device, weights, task, {
      batchSize,
      onProgress: () => signal.throwIfAborted(),
    });
    const start = performance.now();
    const result = await evaluator.run(test, {
      onProgress: (done) => progress.update({ done, total }),
      signal,
    });
    if (!Number.isFinite(result.loss)) {
      throw nanError("evaluate", checkpoint.file, await evaluator.findNaN(test));
    }
    const seconds = (performance.now() - start) / 1000, rate = result.size / seconds;
    progress.clear();
    const { loss, metrics: { top1, top5 } } = result;
    if (options.json) return out.line(jsonLine({ top1, top5, loss, images_per_second: rate }));
    out.line(
      `top 1 ${formatPercent(top1, 2)}  top 5 ${formatPercent(top5, 2)}  ` +
        `loss ${formatLoss(loss)}  ${formatRate(rate)}  ${formatDuration(seconds)}`,
    );
  },
});

function checkClasses(
  found: readonly string[],
  file: string,
  wanted: readonly string[],
  dataset: string,
): void {
  if (found.length === wanted.length && found.every((name, k) => name === wanted[k])) return;
  throw new UsageError(
    `Cannot evaluate ${file} on ${dataset}: it tells apart ${listed(found)}; ` +
      `${dataset} has ${listed(wanted)}`,
    { hint: "choose the data set it was trained on with --dataset" },
  );
}

/** Names of classes, the first dozen of them. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(", ");
  return names.length <= 12 ? shown : `${names.length} classes (${shown}, …)`;
}
