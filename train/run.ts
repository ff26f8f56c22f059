/** A run: training that leaves a folder behind and can be resumed from it, bit for bit. */
import { join } from "node:path";
import { UsageError } from "../core/errors.ts";
import { readFile, syncFolder } from "../data/files.ts";
import { parseSafetensors } from "../models/checkpoint/safetensors.ts";
import { serializeCheckpoint } from "../models/checkpoint.ts";
import { firstNotFinite } from "../models/finite.ts";
import type { SavedWeights } from "../models/weights.ts";
import type { Evaluation } from "./evaluator.ts";
import type { EpochEvent, FitEvent } from "./fit_events.ts";
import type { Recipe } from "./recipes.ts";
import { runFiles, type RunFolder } from "./run_folder.ts";
import { appendRow, cutRows, syncRows } from "./run_metrics.ts";
import { encodeState, restoreState, type Score } from "./state.ts";
import { DivergedError, type Trainer } from "./trainer.ts";

/** What `config.json` holds: enough to resume. */
export interface RunConfig {
  readonly version: string;
  /** When the run was begun, ISO 8601 in UTC. */
  readonly started: string;
  /** When it was last resumed. */
  readonly resumed?: string;
  readonly device: string;
  readonly dataset: string;
  readonly dataDir?: string;
  readonly model: string;
  readonly classes: readonly string[];
  readonly recipe: Recipe;
  /** Where the weights came from that it began with, in words; drawn at random without. */
  readonly from?: string;
  /** Trained elements. */
  readonly parameters: number;
}

/**
 * How good an evaluation is: of two, the larger one is better. Pictures: the share of hits.
 * Undefined where nothing counted.
 */
function scoreOf({ metrics, loss }: Evaluation): number | undefined {
  const score = metrics.top1 ?? -loss;
  return Number.isNaN(score) ? undefined : score;
}

/** Training with a run folder. */
export class Run {
  #best: Score | undefined;
  #measured: Score | undefined;
  #last: EpochEvent | undefined;
  #tested = false;

  private constructor(
    readonly trainer: Trainer,
    readonly folder: RunFolder,
    readonly config: RunConfig,
  ) {}

  /** Begins a run: from here on its folder holds something to resume. */
  static async begin(trainer: Trainer, folder: RunFolder, config: RunConfig): Promise<Run> {
    const run = new Run(trainer, folder, config);
    await run.#configure();
    await run.save();
    await folder.publish();
    return run;
  }

  /**
   * Goes on with a run where its folder says it stood. What a crash left of a later moment goes;
   * files that it kept from being written are written.
   *
   * @param config as it is from now on
   * @param onNote told what was lost, in words for people
   * @throws {CheckpointError} when the state belongs to another model or optimiser
   * @throws {DataError} when the state is damaged
   */
  static async resume(
    trainer: Trainer,
    folder: RunFolder,
    config: RunConfig,
    onNote: (text: string) => void = () => {},
  ): Promise<Run> {
    const run = new Run(trainer, folder, config), file = folder.file("state");
    const standing = restoreState(trainer, await readFile(`resume ${folder.path}`, file), file);
    run.#best = standing.best;
    run.#measured = standing.last;
    // Who asks for more epochs gets another best, to be tested anew.
    run.#tested = (standing.tested ?? false) && trainer.position.epoch >= config.recipe.epochs;
    const note = await cutRows(folder.file("metrics"), standing.metricsBytes);
    if (note !== undefined) onNote(note);
    await run.#configure();
    await run.#publish(await trainer.options.weights.save());
    return run;
  }

  /** The last epoch that was finished in this session. */
  get last(): EpochEvent | undefined {
    return this.#last;
  }

  /**
   * Trains to the end; after each epoch, metrics and weights are saved.
   *
   * @param signal stops an evaluation under way, see {@link Trainer.fit}
   * @throws {DivergedError} when loss or weights are no numbers any more: what was saved before stays
   */
  async *train(signal?: AbortSignal): AsyncGenerator<FitEvent, void, void> {
    for await (const event of this.trainer.fit(signal)) {
      if (event.kind === "epoch") {
        this.#last = event;
        await this.#finishEpoch(event);
      } else if (event.kind === "log") {
        const { kind, batch, loss } = event;
        await this.#log({ kind, epoch: event.epoch + 1, batch, loss });
      }
      yield event;
    }
  }

  /**
   * Saves where training stands, between any two steps.
   *
   * @throws {DivergedError} when the weights are no numbers any more; what was saved before stays
   */
  async save(): Promise<void> {
    await this.#saveMoment(await this.#finiteWeights());
  }

  async #finiteWeights(): Promise<SavedWeights> {
    const weights = await this.trainer.options.weights.save();
    const bad = firstNotFinite(weights);
    if (bad === undefined) return weights;
    throw new DivergedError(
      `Cannot go on training: ${bad} is no finite number any more, ` +
        `a lower learning rate than ${this.trainer.options.recipe.lr} may help`,
    );
  }

  async #saveMoment(weights: SavedWeights): Promise<void> {
    const metricsBytes = await syncRows(this.folder.file("metrics"));
    const tested = this.#tested;
    const standing = { best: this.#best, last: this.#measured, tested, metricsBytes };
    await this.folder.write("state", await encodeState(this.trainer, weights, standing));
    await this.#publish(weights);
  }

  async #finishEpoch(event: EpochEvent): Promise<void> {
    const weights = await this.#finiteWeights();
    const { epoch, loss, metrics, seconds, examplesPerSecond, waiting, validation, test } = event;
    const value = validation && scoreOf(validation), best = this.#best?.value;
    this.#measured = { epoch, ...(value === undefined ? {} : { value }) };
    if (value === undefined || best === undefined || value > best) this.#best = this.#measured;
    await this.#log({
      ...{ kind: "epoch", epoch: epoch + 1, loss, ...metrics },
      ...(validation ? { validation: { loss: validation.loss, ...validation.metrics } } : {}),
      ...(test ? { test: { loss: test.loss, ...test.metrics } } : {}),
      ...{ seconds, examples_per_second: examplesPerSecond, waiting },
    });
    await this.#saveMoment(weights);
  }

  /**
   * Measures the weights that the run keeps, the best ones, by the test examples: once, when all
   * epochs are done. Undefined where there are none, or they were measured before.
   *
   * @param signal ends the evaluation early; a resumed run then measures
   * @throws {DivergedError} when the loss is no finite number
   * @throws {DataError} when `best.safetensors` is missing or damaged
   * @throws {CheckpointError} when it holds other weights
   */
  async test(signal?: AbortSignal): Promise<Evaluation | undefined> {
    const { trainer } = this, { weights, recipe, test } = trainer.options;
    if (!test || this.#tested || trainer.position.epoch < recipe.epochs) return undefined;
    const last = await weights.save(), isBest = this.#best?.epoch === this.#measured?.epoch;
    if (!isBest) await this.#loadBest();
    try {
      const result = await trainer.test(signal), { loss, metrics } = result;
      const epoch = (this.#best?.epoch ?? 0) + 1;
      await this.#log({ kind: "test", epoch, loss, ...metrics });
      this.#tested = true;
      await this.#saveMoment(last);
      return result;
    } finally {
      if (!isBest) weights.load({ tensors: new Map(last) });
    }
  }

  async #loadBest(): Promise<void> {
    const { folder, trainer } = this, file = folder.file("best");
    const content = parseSafetensors(await readFile(`test ${folder.path}`, file), file);
    trainer.options.weights.load(content, {}, file);
  }

  async #log(row: Readonly<Record<string, unknown>>): Promise<void> {
    await appendRow(this.folder.file("metrics"), row);
  }

  async #configure(): Promise<void> {
    await this.folder.write("config", `${JSON.stringify(this.config, null, 2)}\n`);
  }

  /** Writes the files that follow from the state: `last`, and `best` where this moment is. */
  async #publish(saved: SavedWeights): Promise<void> {
    const { epoch, batch } = this.trainer.position;
    const isMeasured = (score: Score | undefined): boolean =>
      batch === 0 && score !== undefined && score.epoch + 1 === epoch;
    const bytes = this.#checkpoint(saved, isMeasured(this.#measured));
    await this.folder.write("last", bytes);
    if (isMeasured(this.#best)) await this.folder.write("best", bytes);
    await syncFolder(this.folder.path);
  }

  #checkpoint(saved: SavedWeights, isMeasured: boolean): Uint8Array {
    const { model } = this.trainer.options.weights, { classes, dataset, recipe } = this.config;
    const { epoch, batch } = this.trainer.position, { preparation } = recipe;
    const score = isMeasured ? this.#measured?.value : undefined;
    const metadata = {
      ...(score === undefined ? {} : { validation_score: `${score}` }),
      ...{ dataset, epoch: `${epoch}`, batch: `${batch}` },
    };
    return serializeCheckpoint(model, saved, { classes, preparation }, { metadata });
  }
}

/**
 * Reads the configuration of a run.
 *
 * @param folder path of the run folder
 * @throws {UsageError} when the folder holds none
 */
export async function readRunConfig(folder: string): Promise<RunConfig> {
  const file = join(folder, runFiles.config), action = `resume ${folder}`;
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(await readFile(action, file)));
    if (isConfig(config)) return config;
    if (typeof config === "object" && config !== null && "fineTuning" in config) {
      throw new UsageError(`Cannot ${action}: it is a fine-tuning, which is begun anew`, {
        hint: "give its pictures as `data`, and the time it may take as `minutes`",
      });
    }
    throw new UsageError(
      `Cannot ${action}: ${file} is of another version of Fovea, whose recipes had other fields`,
      { hint: "begin another run, or resume it with the version that began it" },
    );
  } catch (error) {
    // A file that is missing is a DataError, which is a SyntaxError too.
    if (error instanceof SyntaxError) {
      throw new UsageError(`Cannot ${action}: ${file} is missing or damaged`, {
        hint: "give the folder of a run, such as runs/2026-01-31-120000-tutorial-cnn-fashion-mini",
      });
    }
    throw error;
  }
}

/** Whether a configuration is of this version: recipes had flips before there was augmentation. */
function isConfig(value: unknown): value is RunConfig {
  const recipe = (value as Partial<RunConfig> | null)?.recipe as Partial<Recipe> | undefined;
  return typeof recipe?.preparation === "object" && Array.isArray(recipe.augmentation);
}
