/** Sessions of a run in one folder, and what they leave in it, for tests of resuming. */
import type { Device } from "../../core/device.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Model } from "../../models/model.ts";
import { parseSafetensors } from "../../models/checkpoint/safetensors.ts";
import { initialWeights } from "../../models/weights.ts";
import { pictureTraining } from "../../train/classification.ts";
import type { Recipe } from "../../train/recipes.ts";
import { Run, type RunConfig } from "../../train/run.ts";
import type { runFiles, RunFolder } from "../../train/run_folder.ts";
import type { FitEvent } from "../../train/fit_events.ts";
import { Trainer } from "../../train/trainer.ts";
import { bitsOf, checksum } from "./weights.ts";

/** What is trained on what: its kind of optimiser state and of weights. */
export interface Setting {
  readonly device: Device;
  readonly dataset: Dataset;
  readonly make: () => Model;
  readonly recipe: Recipe;
}

/** Where a session ends: told of every event, true to leave. */
export type Stop = (event: FitEvent) => boolean;

/** How a session goes. */
export interface SessionOptions {
  /** Go on with what the folder holds. */
  readonly resume: boolean;
  /** Where it ends; at the end of the run unless told otherwise. */
  readonly stop?: Stop;
  /** Where a signal comes that ends the next evaluation. */
  readonly abort?: Stop;
  /** Time between readings; 0 reads after every step. */
  readonly readingMs?: number;
  /** Told what resuming dropped. */
  readonly onNote?: (text: string) => void;
}

/** One session of a run in a folder, begun or resumed; returns the bits of its weights. */
export async function session(
  { device, dataset, make, recipe }: Setting,
  folder: RunFolder,
  { resume, stop, abort, readingMs = 0, onNote }: SessionOptions,
): Promise<Map<string, string>> {
  // Weights drawn from another seed: resuming has to overwrite all of them.
  using weights = initialWeights(device, make(), resume ? 1000 : recipe.seed);
  using trainer = await Trainer.create({
    device,
    weights,
    recipe,
    ...pictureTraining(weights.model, dataset, recipe),
    readingMs,
    logEvery: 3,
  });
  const config: RunConfig = {
    version: "0",
    started: "2026-01-31T12:00:00.000Z",
    device: device.name,
    dataset: dataset.name,
    model: "tutorial-cnn",
    classes: dataset.classes,
    recipe,
    parameters: weights.size,
  };
  const run = resume
    ? await Run.resume(trainer, folder, config, onNote)
    : await Run.begin(trainer, folder, config);
  const interrupt = new AbortController();
  try {
    let hasEnded = true;
    for await (const event of run.train(interrupt.signal)) {
      if (abort?.(event)) interrupt.abort(new Error("interrupted"));
      if (!stop?.(event)) continue;
      await run.save();
      hasEnded = false;
      break;
    }
    if (hasEnded) await run.test(interrupt.signal);
  } catch (error) {
    if (error !== interrupt.signal.reason) throw error;
    await run.save();
  }
  return await bitsOf(weights);
}

/** What a run left, as values to compare; times left out. */
export interface Leftovers {
  /** Weights, moments and position of the state, by name. */
  readonly state: readonly (readonly [name: string, bits: string])[];
  /** Checksums of the model files, metadata included. */
  readonly last: string;
  readonly best: string;
  /** Rows of the metrics without what depends on the clock. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** Reads what a run left. */
export async function leftovers(
  folder: { file(name: keyof typeof runFiles): string },
): Promise<Leftovers> {
  const { tensors, metadata } = parseSafetensors(await Deno.readFile(folder.file("state")));
  const { epoch, batch, standing } = metadata, { best, last } = JSON.parse(standing);
  const told = JSON.stringify({ epoch, batch, best, last });
  const bits = [...tensors].map(([name, { bytes }]) => [name, checksum(bytes)] as const);
  const rows = (await Deno.readTextFile(folder.file("metrics"))).split("\n").filter(Boolean);
  return {
    state: [...bits, ["position", told]],
    last: checksum(await Deno.readFile(folder.file("last"))),
    best: checksum(await Deno.readFile(folder.file("best"))),
    rows: rows.map((row) => {
      const { seconds: _, examples_per_second: __, waiting: ___, ...rest } = JSON.parse(row);
      return rest;
    }),
  };
}
