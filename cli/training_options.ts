/** The options of `train`: what to train on what, and how. */
import { augmentationLevels } from "../data/augmentation.ts";
import { cifar10Archive } from "../data/cifar10_archive.ts";
import { datasets } from "../data/datasets.ts";
import { isModelName, models } from "../models/models.ts";
import { preparationAt, type Recipe } from "../train/recipes.ts";
import { schedules } from "../train/schedule.ts";
import { choice, flag, group, integer, number, path } from "./options.ts";
import type { Values } from "./options.ts";

/** Keys of a table, with their own types. */
export function names<T extends object>(table: T): (keyof T & string)[] {
  return Object.keys(table) as (keyof T & string)[];
}

const recipe = "from the data set's recipe";

/** Which images. */
export const dataOptions = group("Data", {
  dataset: choice(names(datasets), { help: "what to train on", unset: "fashion-mini" }),
  dataDir: path({ help: "folder with the data set's files", valueName: "DIR" }),
  download: flag({ help: "fetch the files into the folder when they are missing" }),
});

/** What {@link dataOptions} may need: to fetch a data set into a folder. */
export const dataPermissions: readonly string[] = [
  "--allow-write=datasets",
  `--allow-net=${new URL(cifar10Archive.url).host}`,
];

/** What {@link dataOptions} means by no data set. */
export const standardDataset = "fashion-mini";

/** How to train; what is not given comes from the data set's recipe. */
export const recipeOptions = group("Training", {
  model: choice(names(models), { help: "architecture", unset: recipe }),
  epochs: integer({ help: "passes over the training images", unset: recipe, min: 1, max: 100_000 }),
  batchSize: integer({ help: "images a step", unset: recipe, min: 1, max: 65_536 }),
  optimizer: choice(["sgd", "adam", "adamw"], { help: "update rule", unset: recipe }),
  lr: number({ help: "learning rate, the highest of its schedule", unset: recipe, above: 0 }),
  schedule: choice(names(schedules), { help: "course of the learning rate", unset: recipe }),
  momentum: number({ help: "momentum of sgd", unset: recipe, min: 0, max: 1 }),
  weightDecay: number({ help: "weight decay", unset: recipe, min: 0 }),
  labelSmoothing: number({
    help: "share of the target spread over all classes",
    ...{ unset: recipe, min: 0, max: 0.9 },
  }),
  augment: choice(names(augmentationLevels), {
    help: "how much the training images are varied",
    unset: recipe,
  }),
  validation: number({
    help: "share of the training images to choose the best weights by",
    ...{ unset: recipe, min: 0, max: 0.9 },
  }),
});

/** Values of {@link recipeOptions}. */
export type RecipeOptions = Values<typeof recipeOptions>;

/** The data set's recipe with the user's options over it. */
export function overrideRecipe(
  base: Recipe,
  options: RecipeOptions,
  seed: number | undefined,
): Recipe {
  const { epochs, batchSize, optimizer, lr, schedule, momentum, weightDecay, augment } = options;
  const { labelSmoothing, validation } = options, model = options.model ?? base.model;
  const { height } = isModelName(model) ? models[model].preparation : base.preparation;
  return {
    model,
    preparation: preparationAt(base.preparation, height),
    epochs: epochs ?? base.epochs,
    batchSize: batchSize ?? base.batchSize,
    optimizer: optimizer ?? base.optimizer,
    lr: lr ?? base.lr,
    schedule: schedule ?? base.schedule,
    momentum: momentum ?? base.momentum,
    // AdamW without decay is Adam: who asks for it gets its own default, not the recipe's.
    weightDecay: weightDecay ??
      (optimizer === "adamw" && base.optimizer !== "adamw" ? 0.01 : base.weightDecay),
    labelSmoothing: labelSmoothing ?? base.labelSmoothing,
    augmentation: augment === undefined ? base.augmentation : augmentationLevels[augment],
    validation: validation ?? base.validation,
    seed: seed ?? base.seed,
  };
}
