/**
 * Fine-tuning: a net that has learnt to see is taught other classes. First the head on frozen
 * features, then, as far as time allows and validation gains by it, the last stages and the whole.
 */
import { type Augmentation, augmentationLevels } from "../data/augmentation.ts";
import { holdOut, type Pictures } from "../data/pictures.ts";
import type { Classifier } from "../models/model.ts";
import type { Preparation } from "../models/preparation.ts";
import type { SavedWeights, Weights } from "../models/weights.ts";
import { FeatureExtractor, joinFeatures } from "./features.ts";
import {
  chooseHead,
  fitHeads,
  type FittedHead,
  isSurelyBetter,
  linearHeadOf,
} from "./fine_tune_head.ts";
import { lastLayers, type StageResult, trainStage } from "./fine_tune_stage.ts";
import type { FitEvent } from "./fit_events.ts";
import {
  fitLinearHead,
  type HeadScore,
  type LabelledFeatures,
  type LinearHead,
} from "./linear_head.ts";

/** What is trained: the last layer alone, the last quarter of the layers, or all of them. */
export type FineTuneStage = "head" | "last" | "all";

/** What there is to learn from. */
export interface FineTuneData {
  /** Pictures to learn from. */
  readonly train: Pictures;
  /** Pictures to decide by; without them a fifth of the others is held out, of each class alike. */
  readonly validation?: Pictures;
}

/** Options of {@link fineTune}. */
export interface FineTuneOptions {
  /** What is done to a picture before the net sees it. */
  readonly preparation: Preparation;
  /** How far to go, at most (default `all`). */
  readonly until?: FineTuneStage;
  /** Time to aim at, in minutes (default 2). The head is always fitted. */
  readonly minutes?: number;
  /** Varied views of each picture that the head learns from too, beside it as it is (default: 1 to 8, by time). */
  readonly views?: number;
  /** What may be done to a picture once weights before the head learn (default: `medium`). */
  readonly augmentation?: Augmentation;
  /** Pictures a step of the later stages (default 16). */
  readonly batchSize?: number;
  /** Seed of whatever is drawn (default 0). */
  readonly seed?: number;
  /** Ends it early: its reason is raised, and the weights are the best so far. */
  readonly signal?: AbortSignal;
}

/** What {@link fineTune} yields. */
export type FineTuneEvent =
  /** Pictures whose features are known, of so many. */
  | {
    readonly kind: "features";
    readonly of: "validation" | "train" | "views";
    readonly done: number;
    readonly total: number;
  }
  /** A head was fitted. */
  | { readonly kind: "head"; readonly l2: number } & HeadScore
  /** Something was decided: a sentence for people. */
  | { readonly kind: "decision"; readonly text: string }
  /** A stage begins that trains by steps. */
  | {
    readonly kind: "stage";
    readonly stage: FineTuneStage;
    readonly epochs: number;
    readonly parameters: number;
  }
  /** An event of its training. */
  | { readonly kind: "fit"; readonly stage: FineTuneStage; readonly event: FitEvent }
  /**
   * All stages are done: the weights are those of the best one, as they were scored. Measure by the
   * validation pictures here: a head that is fitted again knows them.
   */
  | { readonly kind: "kept"; readonly stage: FineTuneStage } & HeadScore
  /** What a stage came to, and whether it is the best so far: then the weights are those. */
  | { readonly kind: "score"; readonly stage: FineTuneStage; readonly isBest: boolean } & HeadScore;

/** What {@link fineTune} returns: of the weights that it leaves. */
export interface FineTuned extends HeadScore {
  /** The stage they come from. */
  readonly stage: FineTuneStage;
  /** λ of the head's penalty. */
  readonly l2: number;
}

/**
 * Fine-tunes weights in place.
 *
 * 1. `head`: every picture's features are computed once, as it is and in a few varied views, and a
 *    linear classifier is fitted to them by L-BFGS, for several strengths of its L2 penalty; the
 *    strongest counts whose loss on the validation pictures is within an error of the least.
 * 2. `last`: the last quarter of the layers learns by AdamW, with augmentation, label smoothing of
 *    0.1 and a cosine schedule; all else stays frozen, and so does batch normalisation.
 * 3. `all`: every layer learns, at half of that rate.
 *
 * A later stage begins where the best one before it ended, if there is time for two epochs and if
 * there are 30 validation pictures to judge it by; it is kept only if it hits more of them than
 * chance explains. Where the head remains the best, it is fitted once
 * more to training and validation pictures together, with the strength that was found: its score is
 * that from before.
 *
 * @param weights of a net whose body is pretrained, all of them trained; its head is overwritten
 * @throws {UsageError} when the net has no linear head
 * @throws {DivergedError} when a loss is no number; the weights are the best so far
 * @throws {DataError} when a picture is damaged
 */
export async function* fineTune(
  weights: Weights<Classifier>,
  data: FineTuneData,
  options: FineTuneOptions,
): AsyncGenerator<FineTuneEvent, FineTuned, void> {
  const { until = "all", minutes = 2, signal } = options;
  const start = performance.now(), deadline = start + minutes * 60_000;
  const parts = data.validation
    ? { train: data.train, validation: data.validation }
    : heldOut(data.train);
  const first = yield* headStage(weights, parts, options, deadline);
  let best: StageResult & { readonly stage: FineTuneStage } = { stage: "head", ...first };
  const { l2 } = first;
  try {
    for (const stage of stagesUntil(until)) {
      const rest = (deadline - performance.now()) / 1000;
      const found = yield* laterStage(weights, parts, options, { stage, rest, ...first });
      if (found === undefined) break;
      const isBest = isSurelyBetter(found, best, parts.validation.size);
      if (isBest) {
        best = { stage, ...found };
        weights.load({ tensors: new Map(found.saved) });
      }
      yield { kind: "score", stage, isBest, accuracy: found.accuracy, loss: found.loss };
      signal?.throwIfAborted();
    }
  } finally {
    weights.load({ tensors: new Map(best.saved) });
  }
  const { stage, accuracy, loss } = best;
  yield { kind: "kept", stage, accuracy, loss };
  if (stage === "head") yield* refit(weights, first);
  return { stage, accuracy, loss, l2 };
}

function heldOut(train: Pictures): Required<FineTuneData> {
  const { rest, held } = holdOut(train, 0.2);
  // With one picture a class there is nothing to hold out: then they decide as well.
  return { train: rest, validation: held ?? rest };
}

function stagesUntil(until: FineTuneStage): ("last" | "all")[] {
  return until === "head" ? [] : until === "last" ? ["last"] : ["last", "all"];
}

/** Features of all pictures. */
interface FeatureSets {
  /** Of the pictures to learn from, as they are and in varied views. */
  readonly train: LabelledFeatures;
  /** Of the validation pictures, as they are. */
  readonly validation: LabelledFeatures;
  /** Of those, varied: for the head that learns from all. */
  readonly more: LabelledFeatures;
}

/** What the first stage leaves to the others. */
interface HeadStage extends FittedHead {
  readonly saved: SavedWeights;
  readonly sets: FeatureSets;
  /** Time that the features of one picture take. */
  readonly secondsAPicture: number;
}

async function* headStage(
  weights: Weights<Classifier>,
  { train, validation }: Required<FineTuneData>,
  options: FineTuneOptions,
  deadline: number,
): AsyncGenerator<FineTuneEvent, HeadStage, void> {
  const { classes } = weights.model, { device } = weights.trainable, { signal } = options;
  const { sets, secondsAPicture } = yield* allFeatures(
    weights,
    { train, validation },
    options,
    deadline,
  );
  const heads: FittedHead[] = [];
  for await (const one of fitHeads(device, classes, sets.train, sets.validation, signal)) {
    const { l2, accuracy, loss } = one;
    yield { kind: "head", l2, accuracy, loss };
    heads.push(one);
  }
  const fitted = chooseHead(heads), { accuracy, loss } = fitted;
  writeHead(weights, fitted.head);
  yield { kind: "score", stage: "head", isBest: true, accuracy, loss };
  return { ...fitted, saved: await weights.save(), sets, secondsAPicture };
}

/** Features of the validation pictures, and of the others in as many views as time allows. */
async function* allFeatures(
  weights: Weights<Classifier>,
  { train, validation }: Required<FineTuneData>,
  { preparation, seed = 0, views, signal }: FineTuneOptions,
  deadline: number,
): AsyncGenerator<FineTuneEvent, Pick<HeadStage, "sets" | "secondsAPicture">, void> {
  using extractor = await FeatureExtractor.create(weights, { preparation });
  linearHeadOf(weights, extractor.length);
  const start = performance.now();
  const held = yield* told(
    { of: "validation", total: validation.size, before: 0 },
    extractor.stream(validation.source(preparation), { signal }),
  );
  const sets = [
    yield* told(
      { of: "train", total: train.size, before: 0 },
      extractor.stream(train.source(preparation), { signal }),
    ),
  ];
  const count = train.size + validation.size;
  const secondsAPicture = (performance.now() - start) / 1000 / count;
  const more: LabelledFeatures[] = [], of = "views" as const;
  const sources = [[train, sets], [validation, more]] as const;
  const varied = sources.map(([pictures, into]) => ({
    into,
    source: pictures.source(preparation, { augmentation: headViews, seed }),
  }));
  let extra = views ?? 1;
  for (let epoch = 0, before = 0; epoch < extra; epoch++) {
    const begun = performance.now();
    for (const { source, into } of varied) {
      const part = { of, total: extra * count, before };
      into.push(yield* told(part, extractor.stream(source, { epoch, signal })));
      before += source.size;
    }
    if (epoch > 0) continue;
    // A view may be decoded anew, which pictures as they are were not: only now it is known.
    const seconds = (performance.now() - begun) / 1000, rest = (deadline - begun) / 1000;
    extra = views ?? Math.max(1, Math.min(8, Math.floor(rest / 8 / seconds)));
    const text = `the head learns from ${extra} varied view${extra === 1 ? "" : "s"} beside the ` +
      `pictures as they are: one takes ${seconds.toFixed(1)} s`;
    yield { kind: "decision", text };
  }
  const all = { train: joinFeatures(sets), validation: held, more: joinFeatures(more) };
  return { sets: all, secondsAPicture };
}

/** Tells how a stream of features goes. */
async function* told(
  part: Pick<FineTuneEvent & { kind: "features" }, "of" | "total"> & { readonly before: number },
  stream: AsyncGenerator<number, LabelledFeatures, void>,
): AsyncGenerator<FineTuneEvent, LabelledFeatures, void> {
  const { of, total, before } = part;
  for (;;) {
    const next = await stream.next();
    if (next.done) return next.value;
    yield { kind: "features", of, done: before + next.value, total };
  }
}

function writeHead(weights: Weights<Classifier>, { weight, bias }: LinearHead): void {
  const variables = linearHeadOf(weights, weight.length / bias.length);
  weights.write(variables.weight, weight);
  weights.write(variables.bias, bias);
}

/** The head, once more, on everything there is. */
async function* refit(
  weights: Weights<Classifier>,
  { sets, l2 }: HeadStage,
): AsyncGenerator<FineTuneEvent, void, void> {
  const all = joinFeatures([sets.train, sets.validation, sets.more]), { classes } = weights.model;
  writeHead(weights, await fitLinearHead(weights.trainable.device, all, { classes, l2 }));
  const text = "the head is fitted again, now to the validation pictures as well";
  yield { kind: "decision", text };
}

/** A stage of steps, where there is time for it. */
async function* laterStage(
  weights: Weights<Classifier>,
  data: Required<FineTuneData>,
  { preparation, augmentation = augmentationLevels.medium, ...options }: FineTuneOptions,
  { stage, rest, secondsAPicture }: {
    readonly stage: "last" | "all";
    readonly rest: number;
    readonly secondsAPicture: number;
  },
): AsyncGenerator<FineTuneEvent, StageResult | undefined, void> {
  const { seed = 0, signal, batchSize = 16 } = options, { train, validation } = data;
  const name = stage === "last" ? "the last stages" : "all weights";
  if (validation.size < fewestToDecideBy) {
    const text = `${name} stay as they are: ${validation.size} pictures are too few to tell ` +
      "whether it helps to train them";
    yield { kind: "decision", text };
    return undefined;
  }
  const seconds = secondsAPicture * (validation.size + stepCost[stage] * train.size);
  const epochs = Math.min(mostEpochs, Math.floor(rest / seconds));
  if (epochs < fewestEpochs) {
    const left = Math.max(0, rest).toFixed(0);
    const text = `${name} stay as they are: an epoch would take about ${seconds.toFixed(0)} s, ` +
      `and ${left} s are left`;
    yield { kind: "decision", text };
    return undefined;
  }
  const result = yield* trainStage(weights, {
    stage,
    trains: lastLayers(weights, stage === "all" ? 1 : 0.25),
    train: train.source(preparation, { augmentation, seed }),
    validation: validation.source(preparation),
    ...{ preparation, epochs, seed, signal, batchSize: Math.min(batchSize, train.size) },
    lr: stage === "all" ? 1e-4 : 2e-4,
  });
  return result;
}

/**
 * What a frozen net is shown beside the pictures as they are. Of 40 pictures each of cats and dogs,
 * 87 % of others are told apart with it, 85.3 % with crops down to 0.7, 84.7 % without views.
 */
const headViews: Augmentation = [
  { kind: "random-resized-crop", scale: [0.85, 1] },
  { kind: "horizontal-flip" },
];

/** With fewer pictures to decide by no difference is beyond chance. */
const fewestToDecideBy = 30;

/** What a picture costs in training, in times of what its features cost. */
const stepCost = { last: 1.8, all: 3.6 } as const;
/** Epochs of a stage: with fewer the schedule is all warm-up, and more learn the pictures by heart. */
const fewestEpochs = 2, mostEpochs = 12;
