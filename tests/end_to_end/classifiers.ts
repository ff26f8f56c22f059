/** Classification at its shortest, for tests that are about something else. */
import type { Device, Elements } from "../../core/device.ts";
import type { Source } from "../../data/source.ts";
import type { Model } from "../../models/model.ts";
import type { Preparation } from "../../models/preparation.ts";
import type { Weights } from "../../models/weights.ts";
import { classification } from "../../train/classification.ts";
import {
  compileEvaluation,
  type EvaluationOptions,
  type Evaluator,
} from "../../train/evaluator.ts";
import type { Optimizer } from "../../train/optimizer.ts";
import type { Task } from "../../train/task.ts";
import { compileStep, type StepOptions, type TrainingStep } from "../../train/training_step.ts";

const half = [0.5, 0.5, 0.5];

/** Squares of so many pixels, small pictures in their middle, values from −1 to 1. */
export function squares(size: number, content = size): Preparation {
  return {
    ...{ height: size, width: size, fit: "pad", share: content / size, filter: "bilinear" },
    ...{ channels: 3, mean: half, std: half },
  };
}

/** Classification by a model, of squares of its size. */
export const classify = (model: Model): Task => classification(model, squares(model.inputSize));

/** Elements of a batch, by the names that classification gives them. */
export interface Examples {
  readonly [name: string]: Elements;
  readonly pixels: Uint32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
}

/** A training step of classification. */
export function classifierStep(
  device: Device,
  weights: Weights,
  optimizer: Optimizer,
  options: StepOptions,
): Promise<TrainingStep> {
  return compileStep(device, weights, optimizer, classify(weights.model), options);
}

/** An evaluation of classification. */
export function classifierEvaluation(
  device: Device,
  weights: Weights,
  options: EvaluationOptions = {},
): Promise<Evaluator> {
  return compileEvaluation(device, weights, classify(weights.model), options);
}

/** All examples of a source at once, in its order. */
export async function wholeBatch(source: Source): Promise<Examples> {
  const all = Uint32Array.from({ length: source.size }, (_, k) => k);
  return await source.batch(all, 0) as Examples;
}
