/** `train --data`: a pretrained net is fine-tuned to the user's own pictures, and a report written. */
import { resolve } from "node:path";
import { UsageError } from "../core/errors.ts";
import { augmentationLevels } from "../data/augmentation.ts";
import { fileSize } from "../data/files.ts";
import { type FolderDataset, openFolder } from "../data/folder.ts";
import type { FolderPictures } from "../data/folder_pictures.ts";
import { serializeCheckpoint } from "../models/checkpoint.ts";
import { models } from "../models/models.ts";
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
import { choice, flag, group, number, path, type Values } from "./options.ts";
import { askToWrite } from "./permission.ts";
import { findStart, type StartOptions } from "./start_net.ts";
import { names } from "./training_options.ts";

/** How far each choice of `--freeze` goes. */
const stages = { body: "head", most: "last", none: "all" } as const;

/** What is said of the user's own pictures, beside the model and what is drawn. */
export const folderOptions = group("Your own pictures", {
  data: path({
    help: "folder with a folder a class, or train, val and test of such folders; or a CSV of " +
      "path and label: a pretrained net is fine-tuned to them",
  }),
  minutes: number({ help: "time to aim at", default: 2, above: 0 }),
  freeze: choice(names(stages), {
    help: "what stays as it was learnt: all before the head, most layers, or nothing",
    default: "none",
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
interface More extends StartOptions, Partial<Record<(typeof others)[number], unknown>> {
  readonly augment?: keyof typeof augmentationLevels;
  readonly batchSize?: number;
  readonly validation?: number;
  readonly seed?: number;
  readonly runs?: string;
  readonly device: Parameters<typeof chooseDevice>[0];
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
    onProgress: ({ loadedBytes: done, totalBytes: total = 0 }) => report.reading(done, total),
  });
  report.found(dataset, context.lines.path(data));
  const net = await findStart(options, context);
  await askToWrite(root);
  await verified(dataset, net.preparation, signal, report);
  const { device, reason } = await chooseDevice(options.device);
  using _device = device;
  const { content, file } = net.checkpoint, seed = options.seed ?? 0;
  const model = models[net.name].create({ classes: dataset.classes.length });
  using weights = initialWeights(device, model, seed);
  weights.load(content, { leaveReshaped: true }, file);
  report.begin(`${net.name} (${net.origin})`, device, reason);
  using folder = await RunFolder.create(root, net.name, dataset.name, new Date());
  const settings: Settings = {
    ...{
      minutes: options.minutes,
      freeze: options.freeze,
      seed,
      batchSize: options.batchSize ?? 16,
    },
    ...{ augment: options.augment ?? "medium", preparation: net.preparation },
  };
  await begin(folder, { device: device.name, data, dataset, model: net.name, weights, settings });
  report.run(folder.path);
  const job: Job = { weights, dataset, settings, folder, report, signal };
  const isWhole = await fineTuned(job);
  if (!isWhole && interrupt.code !== undefined) {
    const best = folder.file("best"), isThere = await fileSize("stop", best) !== undefined;
    const where = isThere
      ? `the best so far is in ${context.lines.path(best)}`
      : "nothing is learnt";
    report.note(`stopped; ${where}`);
    return interrupt.code;
  }
  report.end(folder);
  return exitCodes.done;
}

/** Settings of a fine-tuning, as its configuration has them. */
interface Settings {
  readonly minutes: number;
  readonly freeze: keyof typeof stages;
  readonly seed: number;
  readonly batchSize: number;
  readonly augment: keyof typeof augmentationLevels;
  readonly preparation: Preparation;
}

/** All that a fine-tuning works with. */
interface Job {
  readonly weights: Weights<Classifier>;
  readonly dataset: FolderDataset;
  readonly settings: Settings;
  readonly folder: RunFolder;
  readonly report: FolderReport;
  readonly signal: AbortSignal;
}

/** Writes what is known before anything is trained. */
async function begin(
  folder: RunFolder,
  { device, data, dataset, model, weights, settings }:
    & { readonly device: string; readonly data: string; readonly model: string }
    & Pick<Job, "dataset" | "weights" | "settings">,
): Promise<void> {
  const config = {
    ...{ version, started: new Date().toISOString(), device },
    ...{ dataset: dataset.name, dataDir: resolve(data), model, classes: dataset.classes },
    ...{ fingerprint: dataset.fingerprint, parameters: weights.size, fineTuning: settings },
  };
  await folder.write("config", `${JSON.stringify(config, null, 2)}\n`);
  await folder.publish();
}

/** Fine-tunes, saves, measures and reports; false where the user stopped it. */
async function fineTuned(job: Job): Promise<boolean> {
  const { dataset, folder, report } = job;
  const firstBatch = await writeFirstBatch(job);
  const [part, pictures] = dataset.test
    ? ["test", dataset.test] as const
    : ["validation", dataset.validation] as const;
  let sections: Partial<GatheredReport> = {};
  const measure = async (): Promise<void> => {
    if (pictures) sections = await measured(job, { part, pictures });
  };
  // The head may be fitted again to the validation pictures, and no longer be measured by them.
  const result = await tuned(job, part === "validation" ? measure : undefined);
  if (result === undefined) return false;
  await saveBest(job, result);
  if (part === "test") await measure();
  const data = { ...report.data(dataset, sections), firstBatch };
  await folder.write("reportData", JSON.stringify(data));
  await folder.write("report", renderReport(await readReportData(folder.path)));
  return true;
}

function refuseOthers(options: { readonly [key in (typeof others)[number]]?: unknown }): void {
  const given = others.find((key) => options[key] !== undefined && options[key] !== false);
  if (given === undefined) return;
  throw new UsageError(
    `Cannot train with \`data\` and ${optionName(given)}: fine-tuning decides that by itself`,
    { hint: `leave ${optionName(given)} out` },
  );
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
      onProgress: ({ loadedBytes }) => report.reading(before + loadedBytes, total),
    });
    report.skipped(flaws);
    before += part.size;
  }
}

/** Writes the weights as they are, with what is needed to use them. */
async function saveBest(
  { weights, dataset, settings: { preparation }, folder }: Job,
  score?: { readonly accuracy: number },
): Promise<void> {
  const usage = { classes: dataset.classes, preparation };
  const metadata = {
    dataset: dataset.name,
    ...(score ? { validation_score: `${score.accuracy}` } : {}),
  };
  const saved = await weights.save();
  await folder.write("best", serializeCheckpoint(weights.model, saved, usage, { metadata }));
}

/** The best weights that could be had; undefined where the user stopped it. */
async function tuned(
  job: Job,
  onKept: (() => Promise<void>) | undefined,
): Promise<FineTuned | undefined> {
  const { weights, dataset, settings, folder, report, signal } = job;
  const { freeze, augment, ...more } = settings;
  const tuning = fineTune(weights, dataset, {
    ...{ ...more, signal, until: stages[freeze], augmentation: augmentationLevels[augment] },
  });
  try {
    for (;;) {
      const next = await tuning.next();
      if (next.done) return next.value;
      const row = report.event(next.value);
      if (row !== undefined) await appendRow(folder.file("metrics"), row);
      if (next.value.kind === "score" && next.value.isBest) await saveBest(job, next.value);
      if (next.value.kind === "kept") await onKept?.();
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

/** Pictures of the first batch as the later stages see them. */
async function writeFirstBatch(
  { dataset: { train, classes }, settings, folder }: Job,
): Promise<PngUrl> {
  const { preparation, augment, seed } = settings, { width, height } = preparation;
  const shown = firstOf(train), area = width * height;
  const source = train.source(preparation, { augmentation: augmentationLevels[augment], seed });
  const { pixels, labels } = await source.batch(shown, 0);
  const pictures = Array.from(shown, (_, k) => ({
    pixels: pixels.subarray(k * area, (k + 1) * area) as Uint32Array,
    label: classes[labels[k]] ?? "left out",
  }));
  const png = encodePng(contactSheet(pictures, preparation));
  await folder.write("firstBatch", png);
  return pngUrl(png);
}

/** Sixteen pictures, spread over the classes. */
function firstOf({ size }: FolderPictures): Uint32Array<ArrayBuffer> {
  const count = Math.min(16, size);
  return Uint32Array.from({ length: count }, (_, k) => Math.floor(k * size / count));
}

/** Measures the weights as they are. */
async function measured(
  { weights, dataset: { classes }, settings: { preparation }, folder, report, signal }: Job,
  { part, pictures }: { readonly part: string; readonly pictures: FolderPictures },
): Promise<GatheredReport> {
  using predictor = await Predictor.of(weights, { classes, preparation }, { batchSize: 8 });
  const nameOf = (index: number): string => pictures.files[index].name;
  const { scores, sections } = await gatherReport(predictor, pictures, { part, nameOf, signal });
  report.measured(part, scores, nameOf);
  const { accuracy: top1, loss, top5 } = scores;
  await appendRow(folder.file("metrics"), { kind: part, top1, loss, top5 });
  return sections;
}
