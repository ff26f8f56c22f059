/** A later stage of fine-tuning: weights before the head learn too, by steps. */
import type { Source } from "../data/source.ts";
import type { Classifier } from "../models/model.ts";
import type { Preparation } from "../models/preparation.ts";
import { type SavedWeights, Weights } from "../models/weights.ts";
import { classification } from "./classification.ts";
import { isBetter } from "./fine_tune_head.ts";
import type { FitEvent } from "./fit_events.ts";
import type { HeadScore } from "./linear_head.ts";
import { Trainer } from "./trainer.ts";

/** What a stage came to: its best epoch. */
export interface StageResult extends HeadScore {
  /** The weights of that epoch. */
  readonly saved: SavedWeights;
}

/** What a stage is. */
export interface StageOptions<S extends string> {
  /** What it is called. */
  readonly stage: S;
  /** Which parameters learn. */
  readonly trains: (path: string) => boolean;
  /** What to learn from. */
  readonly train: Source;
  /** What to choose the best epoch by. */
  readonly validation: Source;
  /** What is done to a picture. */
  readonly preparation: Preparation;
  /** Passes over the pictures. */
  readonly epochs: number;
  /** Pictures a step. */
  readonly batchSize: number;
  /** Highest learning rate. */
  readonly lr: number;
  /** Seed of order and whatever is drawn. */
  readonly seed: number;
  /** Ends it early, with its reason. */
  readonly signal?: AbortSignal;
}

/** The events of a stage. */
export type StageEvent<S extends string> =
  | {
    readonly kind: "stage";
    readonly stage: S;
    readonly epochs: number;
    readonly parameters: number;
  }
  | { readonly kind: "fit"; readonly stage: S; readonly event: FitEvent };

/**
 * Trains a stage from the weights as they are, which are left as they are.
 *
 * @returns its best epoch
 * @throws {DivergedError} when a loss is no number
 */
export async function* trainStage<S extends string>(
  from: Weights<Classifier>,
  { stage, trains, preparation, signal, ...options }: StageOptions<S>,
): AsyncGenerator<StageEvent<S>, StageResult, void> {
  const { model, trainable: { device } } = from, { epochs, batchSize, lr, seed } = options;
  using weights = new Weights(device, model, { trains });
  weights.load({ tensors: new Map(await from.save()) });
  using trainer = await Trainer.create({
    ...{ device, weights, train: options.train, validation: options.validation },
    task: classification(model, preparation, { labelSmoothing: 0.1 }),
    recipe: { epochs, batchSize, lr, seed, optimizer: "adamw", schedule: "cosine" },
    clipNorm: 1,
  });
  yield { kind: "stage", stage, epochs, parameters: weights.size };
  let best: StageResult | undefined;
  for await (const event of trainer.fit(signal)) {
    if (event.kind === "epoch") {
      const { metrics: { top1: accuracy }, loss } = event.validation!;
      const isBest = isBetter({ accuracy, loss }, best);
      if (isBest) best = { accuracy, loss, saved: await weights.save() };
    }
    yield { kind: "fit", stage, event };
    signal?.throwIfAborted();
  }
  return best!;
}

/**
 * Which parameters learn in a stage: those of the last layers, and never those of a layer that
 * normalises by running statistics. It stays as it was, in training too: a few hundred pictures
 * move its statistics too slowly for weights that change under them, and what is measured is then
 * another net than what is trained.
 *
 * @param share of the layers that have parameters, from the last one on, the head with them
 */
export function lastLayers(
  { parameters }: Weights<Classifier>,
  share: number,
): (path: string) => boolean {
  const paths = [...parameters.keys()];
  const normalising = new Set(paths.filter((p) => p.endsWith(".running_mean")).map(layerOf));
  const layers = [...new Set(paths.map(layerOf))].filter((layer) => !normalising.has(layer));
  const last = new Set(layers.slice(Math.floor(layers.length * (1 - share))));
  return (path) => last.has(layerOf(path));
}

/** The layer that a parameter stands in: its path without the last name. */
const layerOf = (path: string): string => path.slice(0, path.lastIndexOf("."));
