/** What `train` tells while it works: where, what, how far, and what to do next. */
import { join, resolve } from "node:path";
import type { Device } from "../core/device.ts";
import type { Augmentation } from "../data/augmentation.ts";
import type { Evaluation } from "../train/evaluator.ts";
import type { EpochEvent, FitEvent } from "../train/fit_events.ts";
import type { Run } from "../train/run.ts";
import type { Trainer } from "../train/trainer.ts";
import type { TrainingStep } from "../train/training_step.ts";
import type { Context } from "./command.ts";
import type { Word } from "./command_lines.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLoss,
  formatPercent,
  formatRate,
} from "./format.ts";
import { fovea } from "./identity.ts";
import { jsonLine, printable } from "./printable.ts";
import { Progress } from "./progress.ts";
import { knowsClasses } from "./start_net.ts";
import type { TrainingPlan } from "./train_plan.ts";

/** Kernels worth a line: fewer are made before anybody would read it. */
const manyKernels = 20;

/** Options that a run's configuration does not hold: whoever resumes it says them again. */
const machineKeys: ReadonlySet<string> = new Set([
  ...["device", "maxMemory", "testEachEpoch", "logEvery", "json"],
]);

/** Writes the report of one run. */
export class TrainingReport {
  readonly #progress: Progress;
  readonly #start = performance.now();
  #test?: Evaluation;
  #images = 0;
  #seconds = 0;
  #waited = 0;

  constructor(
    readonly context: Context,
    readonly plan: TrainingPlan,
    readonly json: boolean,
  ) {
    this.#progress = new Progress({ terminal: context.err, label: "train", lineMs: 2000 });
  }

  /** The first lines, before anything slow. */
  begin(device: Device, reason: string): void {
    const { err } = this.context, { dataset, model, recipe, start } = this.plan;
    const { train, test, validation, classes } = dataset;
    err.line(`${err.paint.bold(fovea)}  ${model} on ${dataset.name}, ${device.name} (${reason})`);
    const sizes = [
      `${formatCount(train.size)} training`,
      ...(validation ? [`${formatCount(validation.size)} validation`] : []),
      ...(test ? [`${formatCount(test.size)} test`] : []),
    ];
    const parts = [sizes.slice(0, -1).join(", "), ...sizes.slice(-1)].filter((one) => one !== "");
    err.line(
      `data    ${parts.join(" and ")} images in ${classes.length} classes`,
    );
    err.line(
      `recipe  ${recipe.epochs} epoch${
        recipe.epochs === 1 ? "" : "s"
      }, batch ${recipe.batchSize}, ${recipe.optimizer}, ` +
        `lr ${recipe.lr} ${recipe.schedule}${
          augmentationNote(recipe.augmentation)
        }, seed ${recipe.seed}`,
    );
    if (start) {
      const head = knowsClasses(start, classes) ? "its head" : "a new head";
      err.line(`begins  with ${printable(start.origin)}, ${head}`);
    }
    if (validation || recipe.validation === 0) return;
    err.line(
      `held    ${formatPercent(recipe.validation)} of the training images, to choose the best by`,
    );
  }

  /** Told before each kernel is made. */
  compiling(done: number, total: number): void {
    if (total < manyKernels || this.context.err.isTerminal === false) return;
    this.context.err.write(`\r\x1b[Kcompiling ${done} of ${total} kernels`);
    if (done === total) this.context.err.write("\r\x1b[K");
  }

  /** When everything is built. */
  planned(trainer: Trainer, folder: string): void {
    const { err } = this.context, { weights } = trainer.options;
    const { step } = trainer, { plannedBytes, unsharedBytes } = step.plan;
    const held = step.plan.bytes +
      weights.stores.concat(step.moments).reduce((n, s) => n + s.bytes, 0);
    err.line(`model   ${formatCount(weights.size)} parameters`);
    err.line(
      `memory  ${formatBytes(held)} for a step: values ${formatBytes(plannedBytes)}, ` +
        `${formatBytes(unsharedBytes)} if none were shared`,
    );
    if (step.microBatch < step.batchSize) err.line(cutNote(step));
    err.line(`run     ${printable(this.context.lines.path(folder))}`);
    const { epoch, batch } = trainer.position;
    if (epoch >= this.plan.recipe.epochs) return;
    if (epoch > 0 || batch > 0) err.line(`resume  at batch ${batch} of epoch ${epoch + 1}`);
  }

  /** One reading, log line or epoch. */
  event(event: FitEvent): void {
    const { recipe } = this.plan, { epochs } = recipe, epoch = event.epoch + 1;
    if (event.kind === "step") {
      const done = event.batch * recipe.batchSize, total = event.batches * recipe.batchSize;
      const { loss, metrics: { top1: accuracy }, examplesPerSecond: imagesPerSecond } = event;
      this.#progress.update({ done, total, epoch, epochs, loss, accuracy, imagesPerSecond });
    } else if (event.kind === "log") {
      this.#progress.line(
        `[${epoch}, ${`${event.batch}`.padStart(5)}] loss: ${event.loss.toFixed(3)}`,
      );
    } else {
      this.#images += event.examplesPerSecond * event.seconds;
      this.#seconds += event.seconds;
      this.#waited += event.waiting * event.seconds;
      this.#progress.finish(
        `epoch ${`${epoch}`.padStart(`${epochs}`.length)}/${epochs}  loss ${
          formatLoss(event.loss)
        }  ` +
          `accuracy ${formatPercent(event.metrics.top1)}  ${measured(event)}` +
          `${formatRate(event.examplesPerSecond)}  ${formatDuration(event.seconds)}`,
      );
    }
  }

  /** A line that stays. */
  note(text: string): void {
    this.#progress.line(text);
  }

  /** The test images were measured, or had been. */
  tested(test: Evaluation | undefined): void {
    this.#test = test;
  }

  /** The last lines: accuracy, where the files are, what to try next. */
  end(run: Run): void {
    const { err, out } = this.context, test = this.#test?.metrics, { path } = run.folder;
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = this.#seconds > 0 ? this.#images / this.#seconds : 0;
    if (test === undefined) err.line("nothing left to train: the run had finished");
    else {
      err.line(
        `${err.paint.green("done")}    test accuracy ${formatPercent(test.top1, 2)} ` +
          `(top 5 ${formatPercent(test.top5)}), ${formatDuration(seconds)} in all`,
      );
    }
    err.line(`try     ${this.#nextLine(run.folder.file("best"))}`);
    if (!this.json) return;
    out.line(jsonLine({
      test_accuracy: test?.top1,
      seconds,
      images_per_second: rate,
      run: this.context.lines.path(path),
    }));
  }

  /** The command that goes on with a run that was stopped. */
  resumeLine({ folder }: Run): string {
    const { lines, given } = this.context;
    const words = given((key) => machineKeys.has(key));
    return lines.line({
      words: [...words, "--resume", { path: folder.path }],
      permissions: ["--allow-read"],
      more: new Map([["write", [resolve(folder.path)]]]),
    });
  }

  /** What to do with the weights: look at a picture, where there is one of the kind. */
  #nextLine(weights: string): string {
    const { lines } = this.context, { dataset, dataDir } = this.plan;
    const words: Word[] = ["--weights", { path: weights }], permissions = ["--allow-read"];
    if (dataset.name.startsWith("fashion") && lines.project !== undefined) {
      words.push(lines.short(join(lines.project, "examples/pictures/ankle_boot.png")));
      return lines.line({ name: "predict", words, permissions });
    }
    words.push("--dataset", dataset.name);
    if (dataDir !== undefined) words.push("--data-dir", { path: dataDir });
    return lines.line({ name: "evaluate", words, permissions });
  }
}

/** What may be done to the images, `, varied by random-resized-crop and horizontal-flip`. */
function augmentationNote(augmentation: Augmentation): string {
  const kinds = augmentation.map(({ kind }) => kind);
  if (kinds.length === 0) return "";
  const last = kinds.pop();
  return `, varied by ${kinds.length > 0 ? `${kinds.join(", ")} and ` : ""}${last}`;
}

function cutNote({ microBatch, batchSize, hasBatchStatistics }: TrainingStep): string {
  const effect = hasBatchStatistics
    ? "batch norm then sees fewer images at a time, so results differ from whole batches"
    : "the result is that of whole batches within rounding";
  return `cut     batches of ${batchSize} into ${
    batchSize / microBatch
  } of ${microBatch}; ${effect}`;
}

/** What an epoch was measured by, `validation 88.1 %  test 87.9 %  `. */
function measured({ validation, test }: EpochEvent): string {
  return Object.entries({ validation, test })
    .flatMap(([name, e]) => e ? [`${name} ${formatPercent(e.metrics.top1)}  `] : []).join("");
}
