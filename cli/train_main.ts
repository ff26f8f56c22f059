/** Train a model: data set, device, run folder, progress, summary. */
import { resolve } from "node:path";
import { models } from "../models/models.ts";
import { initialWeights } from "../models/weights.ts";
import { chooseDevice } from "../open_device.ts";
import { pictureTraining } from "../train/classification.ts";
import { Run } from "../train/run.ts";
import { RunFolder } from "../train/run_folder.ts";
import { DivergedError, Trainer } from "../train/trainer.ts";
import { defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { type ExitCode, exitCodes, ExitError } from "./exit.ts";
import { formatCount } from "./format.ts";
import { Interrupt } from "./interrupt.ts";
import { bytes, flag, group, integer, path } from "./options.ts";
import { modelPermissions } from "./model_options.ts";
import { askToWrite } from "./permission.ts";
import { folderOptions, trainFolder } from "./train_folder.ts";
import { planTraining, type TrainingPlan } from "./train_plan.ts";
import { loadStart, startOptions } from "./start_net.ts";
import { TrainingReport } from "./train_report.ts";
import { dataOptions, dataPermissions, recipeOptions } from "./training_options.ts";
import { version } from "./identity.ts";

/** The command. */
export const command = defineCommand({
  name: "train",
  summary: "Train a model, or fine-tune one to your own pictures, and leave it in a run folder",
  examples: [
    { words: [], note: "the tutorial's CNN on built-in images, under a minute" },
    {
      words: ["--dataset", "cifar10", "--data-dir", { path: "datasets/cifar10" }, "--download"],
      more: dataPermissions,
      note: "on CIFAR-10, as the tutorial does",
    },
    {
      words: ["--data", { path: "flowers" }],
      note: "your own pictures, a folder a class: a pretrained net learns them in two minutes",
    },
    { words: ["--epochs", "3", "--optimizer", "adam", "--lr", "0.001"], note: "another recipe" },
  ],
  permissions: ["--allow-read", "--allow-write=runs"],
  optionalPermissions: [...dataPermissions, ...modelPermissions],
  positionals: {},
  options: {
    ...dataOptions,
    ...folderOptions,
    ...startOptions,
    ...recipeOptions,
    ...group("Run", {
      runs: path({
        help: "folder that run folders are made in",
        unset: "runs",
        valueName: "DIR",
      }),
      resume: path({ help: "run folder to go on with", valueName: "DIR" }),
      maxMemory: bytes({
        help: "memory a step may take; larger batches are cut",
        unset: "no bound",
      }),
      testEachEpoch: flag({ help: "measure by the test images after each epoch too" }),
      logEvery: integer({ help: "batches between printed losses", default: 3000, min: 1 }),
    }),
    ...machineOptions,
    ...outputOptions,
  },
  run: async ({ options }, context): Promise<ExitCode | void> => {
    if (options.data !== undefined) return await trainFolder(options.data, options, context);
    const plan = await planTraining(options, context);
    const root = options.runs ?? "runs";
    await askToWrite(plan.resume?.path ?? root);
    const { device, reason } = await chooseDevice(options.device);
    using _device = device;
    const report = new TrainingReport(context, plan, options.json);
    report.begin(device, reason);
    const model = models[plan.model].create({ classes: plan.dataset.classes.length });
    const { recipe, dataset } = plan, training = pictureTraining(model, dataset, recipe);
    using weights = initialWeights(device, model, recipe.seed);
    if (plan.start) loadStart(weights, plan.start, dataset.classes);
    using trainer = await Trainer.create({
      ...{ device, weights, recipe, ...training },
      testEachEpoch: options.testEachEpoch,
      logEvery: options.logEvery,
      maxBytes: options.maxMemory,
      readingMs: context.err.isTerminal ? 100 : 250,
      onProgress: (done, total) => report.compiling(done, total),
    });
    using folder = await openFolder(plan, root);
    const run = await openRun(plan, trainer, folder, report);
    report.planned(trainer, run.folder.path);
    return await trainToEnd(run, report);
  },
});

async function openFolder(
  { resume, model, dataset }: TrainingPlan,
  root: string,
): Promise<RunFolder> {
  if (resume) return await RunFolder.open(resume.path);
  return await RunFolder.create(root, model, dataset.name, new Date());
}

async function openRun(
  { resume, recipe, dataset, dataDir, model, start }: TrainingPlan,
  trainer: Trainer,
  folder: RunFolder,
  report: TrainingReport,
): Promise<Run> {
  const { weights, device: { name: device } } = trainer.options;
  // As seen from anywhere: the run may be resumed from another folder.
  const place = dataDir && resolve(dataDir);
  const now = new Date().toISOString(), common = { version, device, recipe, dataDir: place };
  if (resume) {
    const config = { ...resume.config, ...common, resumed: now };
    return await Run.resume(trainer, folder, config, (text) => report.note(text));
  }
  return await Run.begin(trainer, folder, {
    ...common,
    started: now,
    dataset: dataset.name,
    model,
    classes: dataset.classes,
    parameters: weights.size,
    ...(start ? { from: start.origin } : {}),
  });
}

async function trainToEnd(run: Run, report: TrainingReport): Promise<ExitCode> {
  using interrupt = new Interrupt({
    onFirst: () => report.note("finishing the step and saving; Ctrl-C again stops at once"),
  });
  try {
    await trainUntil(interrupt, run, report);
    if (interrupt.isRequested) await run.save();
  } catch (error) {
    throw error instanceof DivergedError ? diverged(error, run) : error;
  }
  if (interrupt.code !== undefined) {
    const step = formatCount(run.trainer.step.steps);
    report.note(`saved after step ${step}; ${report.resumeLine(run)} goes on`);
    return interrupt.code;
  }
  report.end(run);
  return exitCodes.done;
}

async function trainUntil(interrupt: Interrupt, run: Run, report: TrainingReport): Promise<void> {
  try {
    for await (const event of run.train(interrupt.signal)) {
      report.event(event);
      if (await interrupt.check()) return;
    }
    report.tested(await run.test(interrupt.signal));
  } catch (error) {
    // The signal ended an evaluation: its epoch is trained and not measured.
    if (!interrupt.isRequested || error !== interrupt.signal.reason) throw error;
  }
}

function diverged(error: DivergedError, run: Run): ExitError {
  return new ExitError(exitCodes.diverged, error.message, {
    hint: `try --lr ${Number((run.trainer.options.recipe.lr / 10).toPrecision(3))}`,
  });
}
