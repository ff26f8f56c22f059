/** The training loop: epochs of steps, readings on the way, an evaluation after each epoch. */
import type { BuildProgress, Device } from "../core/device.ts";
import { UsageError } from "../core/errors.ts";
import { batchCount, batches, checkBatches, type Source } from "../data/source.ts";
import { Waiting } from "../data/waiting.ts";
import type { Net } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import { Cadence } from "./cadence.ts";
import { type EpochProgress, EpochSums } from "./epoch_sums.ts";
import { compileEvaluation, type Evaluation, type Evaluator } from "./evaluator.ts";
import type { FitEvent, LogEvent, Position, StepEvent } from "./fit_events.ts";
import { chooseMicroBatch } from "./micro_batch.ts";
import type { Optimizer } from "./optimizer.ts";
import { optimizerOf, type TrainingRecipe } from "./recipes.ts";
import { type Schedule, schedules } from "./schedule.ts";
import { isFiniteTotal, type Task } from "./task.ts";
import { compileStep, type TrainingStep } from "./training_step.ts";

/** Options of {@link Trainer.create}. */
export interface TrainerOptions {
  /** Where to train. */
  readonly device: Device;
  /** What moves; on the same device, and must outlive the trainer. */
  readonly weights: Weights<Net>;
  /** What becomes small, and what is measured. */
  readonly task: Task;
  /** What to learn from. */
  readonly train: Source;
  /** What to measure by after each epoch; none by default. */
  readonly validation?: Source;
  /** What to measure by at the end, see {@link Trainer.test}; none by default. */
  readonly test?: Source;
  /** Measure by the test examples after each epoch too (default false). */
  readonly testEachEpoch?: boolean;
  /**
   * Length, order and optimiser. Left out: SGD with a momentum of 0.9 and no decay, a constant rate,
   * seed 0.
   */
  readonly recipe: TrainingRecipe;
  /** An optimiser instead of the recipe's. */
  readonly optimizer?: Optimizer;
  /** A course of the learning rate instead of the recipe's. */
  readonly schedule?: Schedule;
  /** Scales gradients down so that the norm over all weights stays below this (default: never). */
  readonly clipNorm?: number;
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

/** Examples that one evaluation batch holds; the last is padded. */
const evaluationBatch = 250;

function checkSources({ train, validation, test, recipe: { batchSize } }: TrainerOptions): void {
  checkBatches(train.size, { batchSize, last: "drop" });
  for (const [name, source] of Object.entries({ validation, test })) {
    if (source?.size !== 0) continue;
    throw new UsageError(`Cannot train: there are 0 ${name} examples, 1 or more are wanted`);
  }
}

/** Trains a task's weights. */
export class Trainer implements Disposable {
  #position: Position = { epoch: 0, batch: 0 };
  readonly #sums: EpochSums;
  #waiting = 0;
  readonly #schedule: Schedule;

  private constructor(
    /** As given. */
    readonly options: TrainerOptions,
    /** The compiled step, with the optimiser's moments. */
    readonly step: TrainingStep,
    /** The compiled evaluation, where there is something to evaluate. */
    readonly evaluator: Evaluator | undefined,
  ) {
    this.#sums = new EpochSums(step);
    this.#schedule = options.schedule ?? schedules[options.recipe.schedule ?? "constant"];
  }

  /**
   * Compiles the training step and the evaluation.
   *
   * @throws {UsageError} when the training examples do not fill one batch, or there are none to
   *   measure by
   * @throws {ShapeError} when the task's tensors do not fit each other
   * @throws {DeviceError} when a batch exceeds what the device can bind, or memory runs out
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    checkSources(options);
    const { device, weights, task, recipe, maxBytes, clipNorm, onProgress, debug } = options;
    const { batchSize, seed } = recipe, rule = options.optimizer ?? optimizerOf(recipe);
    const common = { batchSize, clipNorm, seed, onProgress, debug };
    const microBatch = maxBytes === undefined
      ? batchSize
      : chooseMicroBatch(device, weights, rule, task, common, maxBytes);
    using made = new DisposableStack();
    const step = made.use(
      await compileStep(device, weights, rule, task, { ...common, microBatch }),
    );
    const sizes = [options.validation, options.test].flatMap((s) => s ? [s.size] : []);
    const atOnce = maxBytes === undefined ? evaluationBatch : Math.min(evaluationBatch, microBatch);
    const evaluator = sizes.length === 0 ? undefined : await compileEvaluation(
      ...[device, weights, task] as const,
      { batchSize: Math.min(atOnce, Math.max(...sizes)), onProgress },
    );
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
    return batchCount(this.options.train.size, this.options.recipe.batchSize, "drop");
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
   * @throws {DivergedError} when the loss, of training or of an evaluation, is no finite number
   * @throws {DataError} when the task refuses an example
   * @throws {DeviceError} when the device was lost
   */
  async *fit(signal?: AbortSignal): AsyncGenerator<FitEvent, void, void> {
    const { recipe, validation, test, testEachEpoch = false } = this.options;
    while (this.#position.epoch < recipe.epochs) {
      yield* this.#epoch();
      const { epoch } = this.#position, { loss, metrics } = this.step.meansOf(this.#sums.total);
      const measured = {
        validation: validation && await this.#evaluate("validation", validation, signal),
        test: test && testEachEpoch ? await this.#evaluate("test", test, signal) : undefined,
      };
      const { seconds } = this.#sums, examples = this.#sums.total.steps * recipe.batchSize;
      this.#position = { epoch: epoch + 1, batch: 0 };
      this.#sums.restart();
      const examplesPerSecond = examples / seconds;
      const speed = { seconds, examplesPerSecond, waiting: this.#waiting };
      yield { kind: "epoch", epoch, loss, metrics, ...measured, ...speed };
    }
  }

  /**
   * Measures by the test examples, with the weights as they are now.
   *
   * @param signal ends the evaluation early
   * @throws {UsageError} when the trainer was given none
   * @throws {DivergedError} when the loss is no finite number
   * @throws the signal's reason, within a batch of its abort
   */
  async test(signal?: AbortSignal): Promise<Evaluation> {
    const { test } = this.options;
    if (!test) throw new UsageError("Cannot test: the trainer was given no test examples");
    return await this.#evaluate("test", test, signal);
  }

  async #evaluate(name: string, source: Source, signal?: AbortSignal): Promise<Evaluation> {
    const result = await this.evaluator!.run(source, { signal });
    if (isFiniteTotal(result.totals.loss)) return result;
    // In the midst of an epoch's end it is not counted as finished yet.
    const { epoch, batch } = this.#position;
    throw this.#diverged(`on the ${name} examples after`, batch === 0 ? epoch - 1 : epoch);
  }

  async *#epoch(): AsyncGenerator<StepEvent | LogEvent, void, void> {
    const { train, recipe, logEvery = Infinity, readingMs = 250 } = this.options;
    const { epoch, batch: startBatch } = this.#position, total = this.batchesPerEpoch;
    const sums = this.#sums, cadence = new Cadence(readingMs);
    const { batchSize, seed } = recipe;
    const order = batches(train, {
      ...{ batchSize, seed, epoch, startBatch },
      last: "drop",
      shuffle: true,
    });
    const waiting = new Waiting(), start = performance.now();
    let batch = startBatch;
    for await (const { fields } of waiting.of(order)) {
      const learningRate = this.#rateAt(epoch * total + batch);
      this.step.run(fields, learningRate);
      batch++;
      this.#position = { epoch, batch };
      const logs = batch % logEvery === 0;
      if (!cadence.step() && !logs && !sums.isDue(batch) && batch < total) continue;
      const since = await sums.read(batch, () => cadence.restart());
      this.#waiting = waiting.waitedMs / (performance.now() - start);
      const { steps, loss, metrics } = this.step.meansOf(since);
      if (!isFiniteTotal(this.step.named(since).loss)) {
        throw this.#diverged(`at batch ${batch} of`, epoch);
      }
      if (logs) {
        // Before the reading: who leaves at that one must not lose this one.
        yield { kind: "log", epoch, batch, loss: this.step.meansOf(sums.log()).loss };
      }
      yield {
        kind: "step",
        epoch,
        batch,
        batches: total,
        loss,
        metrics,
        examplesPerSecond: steps * batchSize / cadence.seconds,
        learningRate,
      };
    }
  }

  #rateAt(step: number): number {
    return this.options.recipe.lr * this.#schedule(step, this.totalSteps);
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
    this.evaluator?.[Symbol.dispose]();
  }
}
