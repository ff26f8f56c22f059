/** What a training run is: the options over the data set's recipe, or over a run's to resume. */
import { UsageError } from "../core/errors.ts";
import type { Dataset, Recipe } from "../data/dataset.ts";
import { type DatasetName, datasets } from "../data/datasets.ts";
import { isModelName, type ModelName } from "../models/models.ts";
import { readRunConfig, type RunConfig } from "../train/run.ts";
import { RunFolder } from "../train/run_folder.ts";
import type { Context } from "./command.ts";
import { openNamedDataset } from "./open_dataset.ts";
import type { Values } from "./options.ts";
import { type dataOptions, overrideRecipe, type RecipeOptions } from "./training_options.ts";

/** A run before a device is opened. */
export interface TrainingPlan {
  readonly dataset: Dataset;
  readonly dataDir?: string;
  readonly model: ModelName;
  readonly recipe: Recipe;
  /** The folder of the run to go on with. */
  readonly resume?: RunFolder;
}

/** The options that decide it. */
export type PlanOptions = Values<typeof dataOptions> & RecipeOptions & {
  readonly seed?: number;
  readonly resume?: string;
};

/** Opens the data set and settles the recipe. */
export async function planTraining(options: PlanOptions, context: Context): Promise<TrainingPlan> {
  const resume = options.resume === undefined ? undefined : RunFolder.open(options.resume);
  const config = resume && await readRunConfig(resume);
  const name = config ? datasetOf(config, resume.path) : options.dataset;
  const dataDir = options.dataDir ?? config?.dataDir, { download } = options;
  const dataset = await openNamedDataset(name, { dataDir, download }, context);
  const base = config ? { ...config.recipe, model: config.model } : dataset.recipe;
  const recipe = overrideRecipe(base, options, config ? undefined : options.seed);
  if (!isModelName(recipe.model)) {
    throw new UsageError(`Cannot train: there is no model ${recipe.model}`);
  }
  return { dataset, dataDir, model: recipe.model, recipe, resume };
}

function datasetOf(config: RunConfig, folder: string): DatasetName {
  if (Object.hasOwn(datasets, config.dataset)) return config.dataset as DatasetName;
  throw new UsageError(`Cannot resume ${folder}: it is of the unknown data set ${config.dataset}`);
}
