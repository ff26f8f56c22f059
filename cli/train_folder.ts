/** `train --data`: a pretrained net is fine-tuned to the user's own pictures, and a report written. */
import { resolve } from "node:path";
import { UsageError } from "../core/errors.ts";
import { augmentationLevels } from "../data/augmentation.ts";
import { type FolderDataset, openFolder } from "../data/folder.ts";
import type { FolderPictures } from "../data/folder_pictures.ts";
import { serializeCheckpoint } from "../models/checkpoint.ts";
import { isModelName, models } from "../models/models.ts";
import type { Classifier } from "../models/model.ts";
import type { Preparation } from "../models/preparation.ts";
import { initialWeights, type Weights } from "../models/weights.ts";
import { chooseDevice } from "../open_device.ts";
import { contactSheet } from "../report/contact_sheet.ts";
import { type GatheredReport, gatherReport } from "../report/gather.ts";
import type { PngUrl } from "../report/data.ts";
import { pngUrl } from "../report/png_url.ts";
import { readReportData } from "../report/read_run.ts";
import { renderReport } from "../report/render.ts";
import { fineTune, type FineTuned } from "../train/fine_tune.ts";
import { Predictor } from "../train/predictor.ts";
import { RunFolder } from "../train/run_folder.ts";
import { appendRow } from "../train/run_metrics.ts";
import { encodePng } from "../wasm/image.ts";
import { type Context, optionName } from "./command.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { FolderReport } from "./folder_report.ts";
import { version } from "./identity.ts";
import { Interrupt } from "./interrupt.ts";
import { loaderFor, manyPictures } from "./loader_threads.ts";
import { findModel, modelOptions } from "./model_options.ts";
import { choice, flag, group, integer, number, path, type Values } from "./options.ts";
import { askToWrite } from "./permission.ts";
import { names } from "./training_options.ts";

/** Which net is fine-tuned unless told otherwise. */
const standardNet = "tf_efficientnet_lite0";

/** How far each choice of `--freeze` goes. */
const stages = { body: "head", most: "last", none: "all" } as const;

/** What is said of the user's own pictures, beside the model and what is drawn. */
export const folderOptions = group("Your own pictures", {
  data: path({
    help: "folder with a folder a class, or train, val and test of such folders; or a CSV of " +
      "path and label: a pretrained net is fine-tuned to them",
  }),
  minutes: number({ help: "time to aim at", default: 2, above: 0 }),
  weights: { ...modelOptions.weights, unset: standardNet },
  weightsDir: modelOptions.weightsDir,
  freeze: choice(names(stages), {
    help: "what stays as it was learnt: all before the head, most layers, or nothing",
    default: "none",
  }),
  imageSize: integer({
    help: "height and width of what the net sees",
    ...{ unset: "as the net is made for", min: 16, max: 1024 },
  }),
  skipDamaged: flag({ help: "leave damaged files out, instead of stopping" }),
});

/** Values of {@link folderOptions}. */
export type FolderOptions = Values<typeof folderOptions>;

/** Options of a recipe, which fine-tuning decides by itself, and of data sets of the table. */
const others = [
  ...["dataset", "dataDir", "resume", "epochs", "optimizer", "lr", "schedule", "momentum"],
  ...["weightDecay", "labelSmoothing", "testEachEpoch", "maxMemory"],
] as const;

/** What else the command was given. */
interface More extends Partial<Record<(typeof others)[number], unknown>> {
  readonly model?: string;
  readonly augment?: keyof typeof augmentationLevels;
  readonly batchSize?: number;
  readonly validation?: number;
  readonly seed?: number;
  readonly runs?: string;
  readonly device: Parameters<typeof chooseDevice>[0];
  readonly download: boolean;
  readonly json: boolean;
}

/** Fine-tunes a net to the pictures in a folder. */
export async function trainFolder(
  data: string,
  options: FolderOptions & More,
  context: Context,
): Promise<ExitCode | void> {
  refuseOthers(options);
  const root = options.runs ?? "runs", report = new FolderReport(context, options.json);
  using interrupt = new Interrupt({ onFirst: () => report.note("stopping; what is best is kept") });
  using loader = loaderFor(manyPictures);
  const { signal } = interrupt;
  const dataset = await openFolder(data, {
    ...{ loader, signal, skipDamaged: options.skipDamaged },
    validationShare: options.validation,
    onProgress: ({ loadedBytes: done, totalBytes: total = 0 }) => report.opening(done, total),
  });
  report.found(dataset, context.lines.path(data));
  const found = await findModel({
    ...{ model: options.model === undefined ? undefined : modelName(options.model) },
    ...{ weights: options.weights ?? options.model ?? standardNet },
    ...{ weightsDir: options.weightsDir, download: options.download },
    ...{ size: options.imageSize, labels: undefined, fit: undefined, normalize: undefined },
  }, context);
  await askToWrite(root);
  const { checkpoint: { model: { name }, content, preparation, file }, origin } = found;
  const model = models[modelName(name)].create({ classes: dataset.classes.length });
  await verified(dataset, preparation, signal, report);
  const { device, reason } = await chooseDevice(options.device);
  using _device = device;
  using weights = initialWeights(device, model, options.seed ?? 0);
  weights.load(content, { leaveReshaped: true }, file);
  report.begin(`${name} (${origin})`, device, reason);
  using folder = await RunFolder.create(root, name, dataset.name, new Date());
  const settings = {
    ...{ minutes: options.minutes, freeze: options.freeze, seed: options.seed ?? 0 },
    ...{ augment: options.augment ?? "medium", preparation },
  };
  const config = {
    ...{ version, started: new Date().toISOString(), device: device.name },
    ...{ dataset: dataset.name, dataDir: resolve(data), model: name, classes: dataset.classes },
    ...{ fingerprint: dataset.fingerprint, parameters: weights.size, fineTuning: settings },
  };
  await folder.write("config", `${JSON.stringify(config, null, 2)}\n`);
  await folder.publish();
  report.run(folder.path);
  const firstBatch = await writeFirstBatch(dataset, preparation, settings, folder);
  const result = await tuned(weights, dataset, { ...options, ...settings }, signal, report, folder);
  const usage = { classes: dataset.classes, preparation };
  const bytes = serializeCheckpoint(model, await weights.save(), usage, {
    metadata: {
      dataset: dataset.name,
      ...(result ? { validation_score: `${result.accuracy}` } : {}),
    },
  });
  await folder.write("best", bytes);
  if (interrupt.code !== undefined) {
    report.note(`stopped; the best so far is in ${context.lines.path(folder.file("best"))}`);
    return interrupt.code;
  }
  await measured(weights, dataset, usage, folder, report, firstBatch);
  report.end(folder);
  return exitCodes.done;
}

function refuseOthers(options: { readonly [key in (typeof others)[number]]?: unknown }): void {
  const given = others.find((key) => options[key] !== undefined && options[key] !== false);
  if (given === undefined) return;
  throw new UsageError(
    `Cannot train with \`data\` and ${optionName(given)}: fine-tuning decides that by itself`,
    { hint: `leave ${optionName(given)} out` },
  );
}

function modelName(name: string): keyof typeof models {
  if (isModelName(name)) return name;
  throw new UsageError(`Cannot fine-tune ${name}: there is no such model in the table`, {
    hint: "deno task models lists them",
  });
}

/** Decodes everything once, so that all damage is known, and small sets are at hand. */
async function verified(
  { train, validation, test }: FolderDataset,
  preparation: Preparation,
  signal: AbortSignal,
  report: FolderReport,
): Promise<void> {
  const parts = [train, validation, test].filter((part) => part !== undefined);
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const part of parts) {
    const flaws = await part.verify(preparation, {
      signal,
      onProgress: ({ loadedBytes }) => report.decoding(before + loadedBytes, total),
    });
    report.skipped(flaws);
    before += part.size;
  }
}

/** The best weights that could be had; undefined where the user stopped before there were any. */
async function tuned(
  weights: Weights<Classifier>,
  dataset: FolderDataset,
  options: FolderOptions & More & { readonly preparation: Preparation },
  signal: AbortSignal,
  report: FolderReport,
  folder: RunFolder,
): Promise<FineTuned | undefined> {
  const { preparation, minutes, freeze, batchSize, seed, augment } = options;
  const tuning = fineTune(weights, dataset, {
    ...{ preparation, minutes, batchSize, seed, signal, until: stages[freeze] },
    augmentation: augment && augmentationLevels[augment],
  });
  try {
    for (;;) {
      const next = await tuning.next();
      if (next.done) return next.value;
      const row = report.event(next.value);
      if (row !== undefined) await appendRow(folder.file("metrics"), row);
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

/** Pictures of the first batch as a later stage sees them. */
async function writeFirstBatch(
  { train, classes }: FolderDataset,
  preparation: Preparation,
  { augment, seed }: { readonly augment: keyof typeof augmentationLevels; readonly seed: number },
  folder: RunFolder,
): Promise<PngUrl> {
  const shown = firstOf(train), { width, height } = preparation, area = width * height;
  const source = train.source(preparation, { augmentation: augmentationLevels[augment], seed });
  const { pixels, labels } = await source.batch(shown, 0);
  const pictures = Array.from(shown, (_, k) => ({
    pixels: pixels.subarray(k * area, (k + 1) * area) as Uint32Array,
    label: classes[labels[k]] ?? "left out",
  }));
  const { data, ...size } = contactSheet(pictures, preparation);
  const png = encodePng({ ...size, data: rgba(data) });
  await folder.write("firstBatch", png);
  return pngUrl(png);
}

/** Sixteen pictures, spread over the classes. */
function firstOf({ size }: FolderPictures): Uint32Array<ArrayBuffer> {
  const count = Math.min(16, size);
  return Uint32Array.from({ length: count }, (_, k) => Math.floor(k * size / count));
}

function rgba(rgb: Uint8Array): Uint8Array {
  const data = new Uint8Array(rgb.length / 3 * 4).fill(255);
  for (let k = 0; k < rgb.length; k++) data[Math.floor(k / 3) * 4 + k % 3] = rgb[k];
  return data;
}

/** Measures the weights that are kept, and writes the report. */
async function measured(
  weights: Weights<Classifier>,
  dataset: FolderDataset,
  usage: { readonly classes: readonly string[]; readonly preparation: Preparation },
  folder: RunFolder,
  report: FolderReport,
  firstBatch: PngUrl,
): Promise<void> {
  const [part, pictures] = dataset.test
    ? ["test", dataset.test] as const
    : ["validation", dataset.validation] as const;
  let sections: Partial<GatheredReport> = {};
  if (pictures !== undefined) {
    using predictor = await Predictor.of(weights, usage, { batchSize: 8 });
    const nameOf = (index: number): string => pictures.files[index].name;
    const gathered = await gatherReport(predictor, pictures, { part, nameOf });
    sections = gathered.sections;
    report.measured(part, gathered.scores, nameOf);
    const { accuracy: top1, loss, top5 } = gathered.scores;
    await appendRow(folder.file("metrics"), { kind: part, top1, loss, top5 });
  }
  await folder.write(
    "reportData",
    JSON.stringify({ ...report.data(dataset, sections), firstBatch }),
  );
  await folder.write("report", renderReport(await readReportData(folder.path)));
}
