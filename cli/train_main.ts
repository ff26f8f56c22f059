/** Train a model: data set, device, run folder, progress, summary. */
import { resolve } from "node:path";
import { checkBatches } from "../data/batches.ts";
import { models } from "../models/models.ts";
import { initialWeights } from "../models/weights.ts";
import { chooseDevice } from "../open_device.ts";
import { Run } from "../train/run.ts";
import { RunFolder } from "../train/run_folder.ts";
import { DivergedError, Trainer } from "../train/trainer.ts";
import { defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { type ExitCode, exitCodes, ExitError } from "./exit.ts";
import { formatCount } from "./format.ts";
import { Interrupt } from "./interrupt.ts";
import { bytes, group, integer, path } from "./options.ts";
import { askToWrite } from "./permission.ts";
import { planTraining, type TrainingPlan } from "./train_plan.ts";
import { TrainingReport } from "./train_report.ts";
import { dataOptions, recipeOptions } from "./training_options.ts";
import { version } from "./identity.ts";

/** The command. */
export const command = defineCommand({
  name: "train",
  summary: "Train a model and leave its weights in a run folder",
  examples: [
    { words: [], note: "the tutorial's CNN on built-in images, under a minute" },
    {
      words: ["--dataset", "cifar10", "--data-dir", { path: "datasets/cifar10" }, "--download"],
      more: ["--allow-write=datasets", "--allow-net=www.cs.toronto.edu"],
      note: "on CIFAR-10, as the tutorial does",
    },
    { words: ["--epochs", "3", "--optimizer", "adam", "--lr", "0.001"], note: "another recipe" },
  ],
  permissions: ["--allow-read", "--allow-write=runs"],
  positionals: {},
  options: {
    ...dataOptions,
    ...recipeOptions,
    ...group("Run", {
      runs: path({
        help: "folder that run folders are made in",
        default: "runs",
        valueName: "DIR",
      }),
      resume: path({ help: "run folder to go on with", valueName: "DIR" }),
      maxMemory: bytes({
        help: "memory a step may take; larger batches are cut",
        unset: "no bound",
      }),
      logEvery: integer({ help: "batches between printed losses", default: 3000, min: 1 }),
    }),
    ...machineOptions,
    ...outputOptions,
  },
  run: async ({ options }, context): Promise<ExitCode | void> => {
    const plan = await planTraining(options, context);
    await askToWrite(plan.resume?.path ?? options.runs);
    const { device, reason } = await chooseDevice(options.device);
    using _device = device;
    const report = new TrainingReport(context, plan, options.json);
    report.begin(device, reason);
    const model = models[plan.model].create({ classes: plan.dataset.classes.length });
    using weights = initialWeights(device, model, plan.recipe.seed);
    using trainer = await Trainer.create({
      device,
      weights,
      dataset: plan.dataset,
      recipe: plan.recipe,
      logEvery: options.logEvery,
      maxBytes: options.maxMemory,
      readingMs: context.err.isTerminal ? 100 : 250,
      onProgress: (done, total) => report.compiling(done, total),
    });
    const { train, test } = plan.dataset, imageSize = model.inputSize;
    checkBatches(train, { ...plan.recipe, imageSize, last: "drop" });
    checkBatches(test, { batchSize: 1, imageSize, last: "pad" });
    const run = await openRun(plan, trainer, device.name, options.runs);
    report.planned(trainer, run.folder.path);
    return await trainToEnd(run, report);
  },
});

async function openRun(
  plan: TrainingPlan,
  trainer: Trainer,
  device: string,
  root: string,
): Promise<Run> {
  if (plan.resume) return await Run.resume(trainer, plan.resume);
  const { weights, dataset, recipe } = trainer.options;
  const folder = await RunFolder.create(root, plan.model, dataset.name, new Date());
  const config = {
    version,
    device,
    dataset: dataset.name,
    dataDir: plan.dataDir && resolve(plan.dataDir),
    model: plan.model,
    classes: dataset.classes,
    recipe,
    parameters: weights.size,
  };
  try {
    return await Run.begin(trainer, folder, config);
  } catch (error) {
    await Deno.remove(folder.path, { recursive: true }).catch(() => {});
    throw error;
  }
}

async function trainToEnd(run: Run, report: TrainingReport): Promise<ExitCode> {
  using interrupt = new Interrupt({
    onFirst: () => report.note("finishing the step and saving; Ctrl-C again stops at once"),
  });
  try {
    for await (const event of run.train()) {
      report.event(event);
      if (await interrupt.check()) break;
    }
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
    throw new ExitError(exitCodes.diverged, error.message, {
      hint: `try --lr ${Number((run.trainer.options.recipe.lr / 10).toPrecision(3))}`,
    });
  }
  if (interrupt.code !== undefined) {
    await run.save();
    const step = formatCount(run.trainer.step.steps);
    report.note(`saved after step ${step}; ${report.resumeLine(run)} goes on`);
    return interrupt.code;
  }
  report.end(run);
  return exitCodes.done;
}
