/** The training loop: epochs of steps, readings on the way, an evaluation after each epoch. */
import type { BuildProgress, Device } from "../core/device.ts";
import { batchCount, batches } from "../data/batches.ts";
import type { Dataset, Recipe } from "../data/dataset.ts";
import type { Weights } from "../models/weights.ts";
import { type Evaluation, Evaluator } from "./evaluator.ts";
import { type EpochProgress, EpochSums } from "./epoch_sums.ts";
import { adam, adamw, type Optimizer, sgd } from "./optimizer.ts";
import { schedules } from "./schedule.ts";
import { chooseMicroBatch, TrainingStep } from "./training_step.ts";

/** Where a run stands: the next step is batch `batch` of epoch `epoch`, both from 0. */
export interface Position {
  /** Epochs that are finished. */
  readonly epoch: number;
  /** Batches of the epoch that are done. */
  readonly batch: number;
}

/** A reading on the way. */
export interface StepEvent {
  /** Marks a reading; not every step has one. */
  readonly kind: "step";
  /** From 0. */
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Batches of the whole epoch. */
  readonly batches: number;
  /** Mean cross-entropy since the last reading. */
  readonly loss: number;
  /** Share of images since the last reading whose class got the largest logit. */
  readonly accuracy: number;
  /** Since the last reading; the first one includes warming up. */
  readonly imagesPerSecond: number;
  /** Learning rate of the last step. */
  readonly learningRate: number;
}

/** Mean loss of every so many batches, as asked by `logEvery`. */
export interface LogEvent {
  /** Marks a mean that was asked for. */
  readonly kind: "log";
  /** From 0. */
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Mean cross-entropy since the last event of this kind, or the start of the epoch. */
  readonly loss: number;
}

/** The end of an epoch. */
export interface EpochEvent {
  /** Marks a finished epoch. */
  readonly kind: "epoch";
  /** Number of the finished epoch, from 0. */
  readonly epoch: number;
  /** Mean cross-entropy of the epoch's steps, while the weights moved. */
  readonly loss: number;
  /** Share of the epoch's images whose class got the largest logit, while the weights moved. */
  readonly accuracy: number;
  /** On the test images, with the weights as they are now. */
  readonly test: Evaluation;
  /** Time the training of the epoch took, evaluation left out. */
  readonly seconds: number;
  /** Training only, evaluation left out. */
  readonly imagesPerSecond: number;
}

/** What {@link Trainer.fit} yields. */
export type FitEvent = StepEvent | LogEvent | EpochEvent;

/** Options of {@link Trainer.create}. */
export interface TrainerOptions {
  /** Where to train. */
  readonly device: Device;
  /** What moves; on the same device, and must outlive the trainer. */
  readonly weights: Weights;
  /** What to learn from, and to measure by. */
  readonly dataset: Dataset;
  /** The data set's recipe, or the user's. */
  readonly recipe: Recipe;
  /** Batches between {@link LogEvent}s; none by default. */
  readonly logEvery?: number;
  /** Aimed time between readings in milliseconds (default 250). */
  readonly readingMs?: number;
  /** Bytes that a step may take; larger batches are cut (default: no bound). */
  readonly maxBytes?: number;
  /** Told before each kernel is made. */
  readonly onProgress?: BuildProgress;
  /** Plan the step without fusion or reuse, so that a NaN can be traced. */
  readonly debug?: boolean;
}

/** Raised when the loss is no number any more. */
export class DivergedError extends Error {
  /** Stands before the message in print; minifying does not change it. */
  override name = "DivergedError";
}

/** The optimiser a recipe names. */
export function optimizerOf(recipe: Recipe): Optimizer {
  const { optimizer, momentum, weightDecay } = recipe;
  if (optimizer === "sgd") return sgd({ momentum, weightDecay });
  return optimizer === "adam" ? adam({ weightDecay }) : adamw({ weightDecay });
}

/** Images that one evaluation batch holds; the last is padded. */
const evaluationBatch = 250;

/** Trains a model on a data set. */
export class Trainer implements Disposable {
  #position: Position = { epoch: 0, batch: 0 };
  readonly #sums: EpochSums;

  private constructor(
    /** As given. */
    readonly options: TrainerOptions,
    /** The compiled step, with the optimiser's moments. */
    readonly step: TrainingStep,
    /** The compiled evaluation. */
    readonly evaluator: Evaluator,
  ) {
    this.#sums = new EpochSums(step);
  }

  /**
   * Compiles the training step and the evaluation.
   *
   * @throws {ShapeError} when the recipe's mean and std do not fit the model's channels
   * @throws {DeviceError} when a batch exceeds what the device can bind, or memory runs out
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { device, weights, recipe, dataset, maxBytes, onProgress, debug } = options;
    const rule = optimizerOf(recipe);
    const microBatch = maxBytes === undefined
      ? recipe.batchSize
      : chooseMicroBatch(device, weights, rule, recipe, maxBytes);
    using made = new DisposableStack();
    const stepOptions = { ...recipe, microBatch, onProgress, debug };
    const step = made.use(await TrainingStep.create(device, weights, rule, stepOptions));
    const atOnce = maxBytes === undefined ? evaluationBatch : Math.min(evaluationBatch, microBatch);
    const evaluator = await Evaluator.create(device, weights, {
      ...recipe,
      batchSize: Math.min(atOnce, dataset.test.size),
      onProgress,
    });
    made.move();
    return new Trainer(options, step, evaluator);
  }

  /** Where the next step starts. Set it, {@link progress} and the moments to resume a run. */
  get position(): Position {
    return this.#position;
  }
  set position(position: Position) {
    this.#position = position;
    this.#sums.restart();
    this.step.steps = position.epoch * this.batchesPerEpoch + position.batch;
  }

  /** Totals of this epoch at the last reading; set after {@link position} to resume within it. */
  get progress(): EpochProgress {
    return this.#sums.progress;
  }
  set progress(progress: EpochProgress) {
    this.#sums.progress = progress;
  }

  /** Steps of an epoch; a last batch that is not full is left out. */
  get batchesPerEpoch(): number {
    return batchCount(this.options.dataset.train.size, this.options.recipe.batchSize, "drop");
  }

  /** Steps of the whole run. */
  get totalSteps(): number {
    return this.options.recipe.epochs * this.batchesPerEpoch;
  }

  /**
   * Trains from the current position to the last epoch. Leave the loop with `break` to stop after
   * a step: {@link position} then says where.
   *
   * @param signal stops an evaluation under way: the position is then the end of the epoch, and
   *   the next call evaluates first. Between steps it is for the caller to leave.
   * @throws {DivergedError} when the loss, of training or of the test images, is no finite number
   * @throws {ShapeError} when the images are larger than the model's
   * @throws {UsageError} when the training images do not fill one batch
   * @throws {DeviceError} when the device was lost
   */
  async *fit(signal?: AbortSignal): AsyncGenerator<FitEvent, void, void> {
    const { recipe, dataset } = this.options;
    while (this.#position.epoch < recipe.epochs) {
      yield* this.#epoch();
      const { epoch } = this.#position, { steps, loss, hits } = this.#sums.total;
      const test = await this.evaluator.run(dataset.test, { signal });
      if (!Number.isFinite(test.loss)) throw this.#diverged("on the test images after", epoch);
      const { seconds } = this.#sums, images = steps * recipe.batchSize;
      this.#position = { epoch: epoch + 1, batch: 0 };
      this.#sums.restart();
      yield {
        kind: "epoch",
        epoch,
        loss: loss / steps,
        accuracy: hits / images,
        test,
        seconds,
        imagesPerSecond: images / seconds,
      };
    }
  }

  async *#epoch(): AsyncGenerator<StepEvent | LogEvent, void, void> {
    const { dataset, recipe, logEvery = Infinity, readingMs = 250 } = this.options;
    const { epoch, batch: startBatch } = this.#position, total = this.batchesPerEpoch;
    const sums = this.#sums, cadence = new Cadence(readingMs);
    const order = batches(dataset.train, {
      ...recipe,
      imageSize: this.options.weights.model.inputSize,
      last: "drop",
      shuffle: true,
      epoch,
      startBatch,
    });
    let batch = startBatch;
    for (const { pixels, labels } of order) {
      const learningRate = this.#rateAt(epoch * total + batch);
      this.step.run(pixels, labels, learningRate);
      batch++;
      this.#position = { epoch, batch };
      const logs = batch % logEvery === 0;
      if (!cadence.step() && !logs && !sums.isDue(batch) && batch < total) continue;
      const { steps, loss, hits } = await sums.read(batch, () => cadence.restart());
      const images = steps * recipe.batchSize;
      if (!Number.isFinite(loss)) throw this.#diverged(`at batch ${batch} of`, epoch);
      if (logs) {
        // Before the reading: who leaves at that one must not lose this one.
        const logged = sums.log();
        yield { kind: "log", epoch, batch, loss: logged.loss / logged.steps };
      }
      yield {
        kind: "step",
        epoch,
        batch,
        batches: total,
        loss: loss / steps,
        accuracy: hits / images,
        imagesPerSecond: images / cadence.seconds,
        learningRate,
      };
    }
  }

  #rateAt(step: number): number {
    const { lr, schedule } = this.options.recipe;
    return lr * schedules[schedule](step, this.totalSteps);
  }

  #diverged(where: string, epoch: number): DivergedError {
    return new DivergedError(
      `Cannot go on training: the loss is no finite number ${where} epoch ${epoch + 1}, ` +
        `a lower learning rate than ${this.options.recipe.lr} may help`,
    );
  }

  /** Frees plans, moments and sums; the weights stay. */
  [Symbol.dispose](): void {
    this.step[Symbol.dispose]();
    this.evaluator[Symbol.dispose]();
  }
}

/**
 * When to read: after a number of steps that takes about the wanted time. Counting steps instead of
 * looking at the clock bounds the work queued on a device that returns at once.
 */
class Cadence {
  #every = 1;
  #done = 0;
  #start = performance.now();
  #seconds = 0;

  constructor(readonly wantedMs: number) {}

  /** Counts a step; true when a reading is due. */
  step(): boolean {
    return ++this.#done >= this.#every;
  }

  /** Seconds between the last two readings. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Notes a reading: adapts the number of steps to the next, returns the seconds it took. */
  restart(): number {
    const now = performance.now(), ms = now - this.#start;
    if (ms < this.wantedMs / 2 && this.#done >= this.#every) this.#every *= 2;
    else if (ms > this.wantedMs * 2) this.#every = Math.max(1, this.#every >> 1);
    this.#done = 0;
    this.#start = now;
    return this.#seconds = ms / 1000;
  }
}
