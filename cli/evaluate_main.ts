/** Evaluate: how a model file fares on a data set's test images, or on the user's own pictures. */
import { DataError, UsageError } from "../core/errors.ts";
import { chooseDevice } from "../open_device.ts";
import { evaluateClasses } from "../train/class_evaluation.ts";
import type { ClassReport } from "../train/class_report.ts";
import { Predictor } from "../train/predictor.ts";
import { classTables } from "./class_tables.ts";
import { type Context, defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { formatCount, formatDuration, formatLoss, formatPercent, formatRate } from "./format.ts";
import { Interrupt } from "./interrupt.ts";
import { loaderFor } from "./loader_threads.ts";
import {
  type MeasuredPictures,
  openOwn,
  ownOptions,
  ownPart,
  testPart,
} from "./measured_pictures.ts";
import { findModel, type FoundModel, modelOptions, modelPermissions } from "./model_options.ts";
import { openNamedDataset } from "./open_dataset.ts";
import { group, integer, type Values } from "./options.ts";
import { jsonLine, printable } from "./printable.ts";
import { Progress } from "./progress.ts";
import { dataOptions, dataPermissions, standardDataset } from "./training_options.ts";

const options = {
  ...ownOptions,
  ...modelOptions,
  ...group("Evaluation", {
    batchSize: integer({ help: "images a pass at most", default: 250, min: 1, max: 65_536 }),
  }),
  ...dataOptions,
  dataset: { ...dataOptions.dataset, help: "what to measure it on" },
  device: machineOptions.device,
  ...outputOptions,
};
type Options = Values<typeof options>;

/** The command. */
export const command = defineCommand({
  name: "evaluate",
  summary: "Measure a model file on a data set's test images, or on your own pictures",
  examples: [
    { words: [], note: "the newest run's best weights on fashion-mini" },
    {
      words: ["--data", { path: "datasets/flowers" }],
      note: "on a folder of yours: a folder a class, or test (else val) of such folders",
    },
    {
      words: ["--dataset", "cifar10", "--data-dir", { path: "datasets/cifar10" }],
      note: "on CIFAR-10, which train --download has fetched",
    },
  ],
  permissions: ["--allow-read"],
  optionalPermissions: [...modelPermissions, ...dataPermissions],
  positionals: {},
  options,
  run: async ({ options }, context): Promise<void> => {
    const { out, err } = context;
    using progress = new Progress({ terminal: err, label: "evaluate" });
    using interrupt = new Interrupt({ onFirst: () => progress.clear() });
    const { signal } = interrupt;
    using loader = loaderFor(options.data === undefined ? 0 : Infinity);
    const { checkpoint, origin, measured } = await find(options, context, loader, signal);
    const { device, reason } = await chooseDevice(options.device);
    using _device = device;
    const { model, preparation } = checkpoint, where = `${device.name} (${reason})`;
    err.line(printable(`${model.name}, ${origin}, on ${measured.name}, ${where}`));
    for (const note of measured.notes) err.line(`note: ${note}`);
    const source = measured.pictures.source(preparation), total = source.size;
    using predictor = await Predictor.create(device, checkpoint, {
      batchSize: Math.min(options.batchSize, total),
      onProgress: () => signal.throwIfAborted(),
    });
    const start = performance.now();
    const report = await evaluateClasses(predictor, source, {
      onProgress: (done) => progress.update({ done, total }),
      signal,
    });
    const seconds = (performance.now() - start) / 1000;
    progress.clear();
    const damaged = measured.damaged();
    if (report.size === 0) {
      throw new DataError(`Cannot evaluate on ${measured.name}: all ${total} pictures are damaged`);
    }
    if (options.json) out.line(jsonLine(asData(report, measured, report.size / seconds)));
    else for (const line of tell(report, measured, seconds)) out.line(line);
    for (const { name, reason } of damaged) err.line(printable(`left out: ${name}: ${reason}`));
  },
});

/** The net, and the pictures with labels as the net numbers them. */
async function find(
  options: Options,
  context: Context,
  loader: ReturnType<typeof loaderFor>,
  signal: AbortSignal,
): Promise<FoundModel & { readonly measured: MeasuredPictures }> {
  const { data, dataset } = options;
  if (data === undefined) {
    refuseWithoutData(options);
    const opened = await openNamedDataset(dataset ?? standardDataset, options, context, signal);
    const found = await findModel(options, context, opened.classes);
    return { ...found, measured: testPart(opened, found.checkpoint) };
  }
  if (dataset !== undefined) {
    throw new UsageError("Cannot evaluate: `data` and `dataset` are both given, one is wanted");
  }
  using progress = new Progress({ terminal: context.err, label: "read" });
  const onFile = (done: number, total: number) => {
    if (total >= 1000) progress.update({ done, total });
  };
  const own = await openOwn(data, options, { loader, signal, onFile });
  const found = await findModel(options, context, own.classes);
  return {
    ...found,
    measured: ownPart(own, options.split, found.checkpoint, context.lines.path(data)),
  };
}

/** What is said of one's own pictures is not lost where there are none. */
function refuseWithoutData({ split, skipDamaged }: Options): void {
  const given = split !== undefined ? "split" : skipDamaged ? "skipDamaged" : undefined;
  if (given === undefined) return;
  throw new UsageError(
    `Cannot evaluate: \`${given}\` is for pictures of one's own, \`data\` is wanted with it`,
  );
}

/** The report with names in place of numbers where a reader has only the report. */
function asData(report: ClassReport, { nameOf, damaged }: MeasuredPictures, rate: number) {
  const { accuracy: top1, top5, loss, classes, mistakes, ...rest } = report;
  return {
    ...{ top1, top5, loss, images_per_second: rate, classes, ...rest },
    mistakes: mistakes.map(({ index, label, predicted, confidence }) => ({
      ...{ image: nameOf(index), label: classes[label].name },
      ...{ predicted: classes[predicted].name, confidence },
    })),
    damaged: damaged(),
  };
}

function tell(report: ClassReport, { nameOf }: MeasuredPictures, seconds: number): string[] {
  const { size, accuracy, top5, loss, calibration: { error } } = report;
  const five = top5 === undefined ? [] : [`top 5 ${formatPercent(top5, 2)}`];
  const facts = [
    ...[`top 1 ${formatPercent(accuracy, 2)}`, ...five, `loss ${formatLoss(loss)}`],
    ...[`calibration error ${formatPercent(error)}`, `${formatCount(size)} images`],
    ...[formatRate(size / seconds), formatDuration(seconds)],
  ];
  return [facts.join("  "), ...classTables(report, nameOf)];
}
