/** Recipes: how each data set is trained on when the user says nothing. Plain data, all of it used. */
import type { Augmentation } from "../data/augmentation.ts";
import type { Preparation } from "../models/preparation.ts";
import { adam, adamw, type Optimizer, sgd } from "./optimizer.ts";
import type { ScheduleName } from "./schedule.ts";

/** How a net is trained: stands in a run's configuration, whole. */
export interface Recipe {
  /** Name of the model in the table of models. */
  readonly model: string;
  /** What is done to a picture before the net sees it. */
  readonly preparation: Preparation;
  /** Passes over the training pictures. */
  readonly epochs: number;
  /** Pictures a step. */
  readonly batchSize: number;
  /** Rule by which weights follow their gradients. */
  readonly optimizer: "sgd" | "adam" | "adamw";
  /** Learning rate; the highest one where the schedule varies it. */
  readonly lr: number;
  /** How the learning rate goes over the steps. */
  readonly schedule: ScheduleName;
  /** Momentum of SGD; the other optimizers ignore it. */
  readonly momentum: number;
  /** L2 penalty (SGD, Adam) or decoupled decay (AdamW). */
  readonly weightDecay: number;
  /** Share of the target that is spread evenly over all classes. */
  readonly labelSmoothing: number;
  /** What may be done to a training picture, drawn anew for each one and epoch. */
  readonly augmentation: Augmentation;
  /**
   * Share of each class's training pictures that is kept from training, to choose the best weights
   * by, where the data set brings none of its own; with 0 the last weights are kept.
   */
  readonly validation: number;
  /** Seed of weights, order and whatever is drawn. */
  readonly seed: number;
}

const half = [0.5, 0.5, 0.5];

/** The recipe of PyTorch's tutorial "Training a classifier": the last weights count. */
const tutorial: Recipe = {
  model: "tutorial-cnn",
  preparation: {
    ...{ height: 32, width: 32, fit: "pad", share: 1, filter: "bilinear" },
    ...{ channels: 3, mean: half, std: half },
  },
  epochs: 2,
  batchSize: 4,
  optimizer: "sgd",
  lr: 0.001,
  schedule: "constant",
  momentum: 0.9,
  weightDecay: 0,
  labelSmoothing: 0,
  augmentation: [],
  validation: 0,
  seed: 0,
};

/** Pictures of 28 pixels in the middle of 32. */
const fashion: Recipe = {
  ...tutorial,
  preparation: { ...tutorial.preparation, share: 28 / 32 },
  epochs: 5,
  batchSize: 64,
  optimizer: "adam",
  lr: 0.004,
  schedule: "one-cycle",
  augmentation: [{ kind: "horizontal-flip" }],
  validation: 0.1,
};

/** What a trainer needs of a recipe; what is left out is that of the tutorial's. */
export type TrainingRecipe =
  & Pick<Recipe, "epochs" | "batchSize" | "lr">
  & Partial<Pick<Recipe, "optimizer" | "schedule" | "momentum" | "weightDecay" | "seed">>;

/** Recipes by the name of the data set. */
export const recipes = {
  "fashion-mini": { ...fashion, epochs: 15 },
  "fashion-mnist": fashion,
  "mnist": { ...fashion, augmentation: [] },
  "cifar10": tutorial,
} as const satisfies Record<string, Recipe>;

/** The optimiser a recipe names: SGD with a momentum of 0.9 where nothing else is said. */
export function optimizerOf(
  recipe: Pick<TrainingRecipe, "optimizer" | "momentum" | "weightDecay">,
): Optimizer {
  const { optimizer = tutorial.optimizer, weightDecay = tutorial.weightDecay } = recipe;
  if (optimizer === "sgd") {
    return sgd({ momentum: recipe.momentum ?? tutorial.momentum, weightDecay });
  }
  return optimizer === "adam" ? adam({ weightDecay }) : adamw({ weightDecay });
}

/**
 * A recipe's preparation for a net of another size: small pictures in the middle of a slightly
 * larger square make way for pictures that fill it.
 *
 * @param size height and width of the net's pictures, in pixels
 */
export function preparationAt(preparation: Preparation, size: number): Preparation {
  const { height, width } = preparation;
  if (height === size && width === size) return preparation;
  return { ...preparation, height: size, width: size, share: 1 };
}
