/** A run: training that leaves a folder behind and can be resumed from it, bit for bit. */
import { UsageError } from "../core/errors.ts";
import type { Recipe } from "../data/dataset.ts";
import { readFile } from "../data/files.ts";
import { encodeCheckpoint } from "../models/checkpoint.ts";
import { parseSafetensors } from "../models/safetensors.ts";
import type { RunFolder } from "./run_folder.ts";
import { encodeState, restoreState } from "./state.ts";
import type { EpochEvent, FitEvent, Trainer } from "./trainer.ts";

/** What `config.json` holds: enough to resume. */
export interface RunConfig {
  readonly version: string;
  readonly device: string;
  readonly dataset: string;
  readonly dataDir?: string;
  readonly model: string;
  readonly classes: readonly string[];
  readonly recipe: Recipe;
  /** Trained elements. */
  readonly parameters: number;
}

/** Training with a run folder. */
export class Run {
  #best = -Infinity;
  #last: EpochEvent | undefined;

  constructor(readonly trainer: Trainer, readonly folder: RunFolder) {}

  /** Begins a run: writes `config.json`. */
  static async begin(trainer: Trainer, folder: RunFolder, config: RunConfig): Promise<Run> {
    await folder.write("config", `${JSON.stringify(config, null, 2)}\n`);
    return new Run(trainer, folder);
  }

  /** Goes on with a run where its folder says it stood. */
  static async resume(trainer: Trainer, folder: RunFolder): Promise<Run> {
    const read = async (name: "last" | "state"): Promise<Uint8Array> =>
      await readFile(`resume ${folder.path}`, folder.file(name));
    const { weights } = trainer.options, file = folder.file("last");
    weights.load(parseSafetensors(await read("last"), file), file);
    restoreState(trainer, await read("state"), folder.file("state"));
    const run = new Run(trainer, folder);
    const lines = await Deno.readTextFile(folder.file("metrics")).catch(() => "");
    for (const line of lines.split("\n").filter(Boolean)) {
      const { top1 } = JSON.parse(line) as { top1?: number };
      if (typeof top1 === "number") run.#best = Math.max(run.#best, top1);
    }
    return run;
  }

  /** The last epoch that was finished in this session. */
  get last(): EpochEvent | undefined {
    return this.#last;
  }

  /** Trains to the end; after each epoch, metrics and weights are saved. */
  async *train(): AsyncGenerator<FitEvent, void, void> {
    for await (const event of this.trainer.fit()) {
      if (event.kind === "epoch") {
        this.#last = event;
        await this.#finishEpoch(event);
      } else if (event.kind === "log") {
        const { kind, batch, loss } = event;
        await this.folder.log({ kind, epoch: event.epoch + 1, batch, loss });
      }
      yield event;
    }
  }

  /** Saves where training stands, between any two steps. */
  async save(): Promise<void> {
    await this.folder.write("last", await this.#checkpoint());
    await this.folder.write("state", await encodeState(this.trainer));
  }

  async #finishEpoch(event: EpochEvent): Promise<void> {
    const { epoch, loss, accuracy, seconds, imagesPerSecond, test } = event;
    await this.folder.log({
      kind: "epoch",
      epoch: epoch + 1,
      loss,
      accuracy,
      test_loss: test.loss,
      top1: test.top1,
      top5: test.top5,
      seconds,
      images_per_second: imagesPerSecond,
    });
    await this.save();
    if (test.top1 > this.#best) {
      this.#best = test.top1;
      await this.folder.write("best", await this.#checkpoint());
    }
  }

  async #checkpoint(): Promise<Uint8Array> {
    const { weights, dataset, recipe } = this.trainer.options,
      { epoch, batch } = this.trainer.position;
    const { mean, std } = recipe, { classes, train } = dataset;
    const contentSize = Math.min(train.width, weights.model.inputSize);
    const accuracy = batch === 0 && this.#last && { test_accuracy: `${this.#last.test.top1}` };
    return await encodeCheckpoint(weights, { classes, mean, std, contentSize }, {
      ...(accuracy || {}),
      dataset: dataset.name,
      epoch: `${epoch}`,
      batch: `${batch}`,
    });
  }
}

/** Reads the configuration of a run. @throws {UsageError} when the folder holds none */
export async function readRunConfig(folder: RunFolder): Promise<RunConfig> {
  const file = folder.file("config"), action = `resume ${folder.path}`;
  try {
    return JSON.parse(new TextDecoder().decode(await readFile(action, file))) as RunConfig;
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
