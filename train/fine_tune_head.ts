/** The first stage of fine-tuning: a linear head on the features of a net that stays as it is. */
import type { Device } from "../core/device.ts";
import { UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import type { Classifier } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import {
  fitLinearHead,
  type LabelledFeatures,
  type LinearHead,
  measureHead,
} from "./linear_head.ts";
import type { HeadScore, MeasuredHead } from "./linear_head.ts";

/** λ of the penalty that are tried, strongest first: each is about three times the next one. */
const strengths: readonly number[] = [10, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003];

/** A head and what it scores on the validation pictures. */
export interface FittedHead extends MeasuredHead {
  /** The head. */
  readonly head: LinearHead;
  /** λ of its penalty. */
  readonly l2: number;
}

/** The last layer of a net whose head is linear. */
export interface HeadVariables {
  /** `[f,classes]`. */
  readonly weight: Tensor;
  /** `[classes]`. */
  readonly bias: Tensor;
}

/**
 * The last layer's variables.
 *
 * @param length numbers of a picture's features
 * @throws {UsageError} when the head is no single linear layer
 */
export function linearHeadOf(
  { model, parameters }: Weights<Classifier>,
  length: number,
): HeadVariables {
  const { classes, name } = model, found: HeadVariables[] = [];
  for (const [path, weight] of parameters) {
    const bias = parameters.get(path.replace(/weight$/, "bias"));
    const [rows, columns] = weight.shape;
    const isLinear = weight.shape.length === 2 && rows === length && columns === classes;
    if (isLinear && bias?.shape.length === 1) found.push({ weight, bias });
  }
  if (found.length === 1) return found[0];
  throw new UsageError(
    `Cannot fine-tune ${name}: its head is no linear layer of ${length} features, one is wanted`,
    { hint: "take another net, such as tf_efficientnet_lite0, mobilenet_v2 or resnet18" },
  );
}

/** Whether a score is better: more hits, or as many and a smaller loss. */
export const isBetter = (a: HeadScore, b: HeadScore | undefined): boolean =>
  b === undefined || a.accuracy > b.accuracy || a.accuracy === b.accuracy && a.loss < b.loss;

/**
 * Whether one of two nets is better by more than chance: hits of n pictures spread by
 * `√(p(1 − p)/n)`, and the difference has to be larger than that.
 */
export function isSurelyBetter(a: HeadScore, b: HeadScore, n: number): boolean {
  const p = (a.accuracy + b.accuracy) / 2;
  return a.accuracy - b.accuracy > Math.sqrt(p * (1 - p) / n);
}

/**
 * Fits a head for each strength of the penalty and yields them as they come.
 *
 * @throws the signal's reason, between two fits
 */
export async function* fitHeads(
  device: Device,
  classes: number,
  train: LabelledFeatures,
  validation: LabelledFeatures,
  signal?: AbortSignal,
): AsyncGenerator<FittedHead, void, void> {
  let worse = 0, best: FittedHead | undefined;
  for (const l2 of strengths) {
    signal?.throwIfAborted();
    const head = await fitLinearHead(device, train, { classes, l2, signal });
    const fitted = { head, l2, ...measureHead(head, validation) };
    yield fitted;
    worse = best === undefined || fitted.loss < best.loss ? 0 : worse + 1;
    if (worse === 0) best = fitted;
    // The loss falls to one strength and rises behind it.
    if (worse === 2) return;
  }
}

/**
 * The head of the strongest penalty whose loss is within a standard error of the least one: the
 * rule of one standard error, since among equals the simpler one does better on other pictures.
 *
 * @source Hastie, Tibshirani, Friedman 2009, "The Elements of Statistical Learning", §7.10
 */
export function chooseHead(heads: readonly FittedHead[]): FittedHead {
  const least = heads.reduce((a, b) => b.loss < a.loss ? b : a);
  const near = heads.filter(({ loss }) => loss <= least.loss + least.lossError);
  return near.reduce((a, b) => b.l2 > a.l2 ? b : a);
}
