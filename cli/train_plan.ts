/** What a training run is: the options over the data set's recipe, or over a run's to resume. */
import { UsageError } from "../core/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import { type DatasetName, datasets } from "../data/datasets.ts";
import { isModelName, type ModelName } from "../models/models.ts";
import { preparationAt, type Recipe, recipes } from "../train/recipes.ts";
import { readRunConfig, type RunConfig } from "../train/run.ts";
import { type Context, optionName } from "./command.ts";
import { openNamedDataset } from "./open_dataset.ts";
import type { Values } from "./options.ts";
import { findStart, type StartNet, type StartOptions } from "./start_net.ts";
import {
  type dataOptions,
  overrideRecipe,
  type RecipeOptions,
  standardDataset,
} from "./training_options.ts";

/** A run before a device is opened. */
export interface TrainingPlan {
  readonly dataset: Dataset;
  readonly dataDir?: string;
  readonly model: ModelName;
  readonly recipe: Recipe;
  /** The net with weights to begin with, where they are not drawn. */
  readonly start?: StartNet;
  /** The run to go on with: its folder and how it was configured. */
  readonly resume?: { readonly path: string; readonly config: RunConfig };
}

/** The options that decide it. */
export type PlanOptions = Values<typeof dataOptions> & RecipeOptions & StartOptions & {
  readonly seed?: number;
  readonly runs?: string;
  readonly resume?: string;
};

/** Opens the data set and settles the recipe. */
export async function planTraining(options: PlanOptions, context: Context): Promise<TrainingPlan> {
  const resume = options.resume === undefined ? undefined : await openResume(options.resume);
  const config = resume?.config;
  if (config) refuseFixed(options, config);
  const name = config ? datasetOf(config, resume.path) : options.dataset ?? standardDataset;
  const dataDir = options.dataDir ?? config?.dataDir, { download } = options;
  const dataset = await openNamedDataset(name, { dataDir, download }, context);
  const base = config ? { ...config.recipe, model: config.model } : recipes[name];
  const start = options.weights === undefined ? undefined : await findStart(options, context);
  const recipe = recipeOf(base, options, start);
  if (!isModelName(recipe.model)) {
    throw new UsageError(`Cannot train: there is no model ${recipe.model}`);
  }
  return { dataset, dataDir, model: recipe.model, recipe, start, resume };
}

/** The recipe for a net of its own, for pictures of another size, or as it is. */
function recipeOf(base: Recipe, options: PlanOptions, start?: StartNet): Recipe {
  const { seed, imageSize } = options;
  if (start) {
    const recipe = overrideRecipe({ ...base, model: start.name }, options, seed);
    // Pictures in memory are cut to what they show: nothing more is cut off.
    return { ...recipe, preparation: { ...start.preparation, share: 1 } };
  }
  const recipe = overrideRecipe(base, options, seed);
  if (imageSize === undefined) return recipe;
  return { ...recipe, preparation: preparationAt(recipe.preparation, imageSize) };
}

async function openResume(path: string): Promise<NonNullable<TrainingPlan["resume"]>> {
  return { path, config: await readRunConfig(path) };
}

/** What a run is made of: its state would belong to another run if one of these changed. */
function refuseFixed(options: PlanOptions, { dataset, model, recipe }: RunConfig): void {
  const { seed, batchSize, optimizer, validation, preparation } = recipe, { resume } = options;
  const fixed = {
    ...{ dataset, model, seed, batchSize, optimizer, validation, imageSize: preparation.height },
    ...{ runs: undefined, weights: undefined },
  };
  for (const key of Object.keys(fixed) as (keyof typeof fixed)[]) {
    if (options[key] === undefined || options[key] === fixed[key]) continue;
    const known = fixed[key] === undefined ? "it stays in its folder" : `it has ${fixed[key]}`;
    throw new UsageError(
      `Cannot resume ${resume} with ${optionName(key)} ${options[key]}: ${known}`,
      { hint: `leave ${optionName(key)} out, or begin another run without --resume` },
    );
  }
}

function datasetOf(config: RunConfig, folder: string): DatasetName {
  if (Object.hasOwn(datasets, config.dataset)) return config.dataset as DatasetName;
  throw new UsageError(`Cannot resume ${folder}: it is of the unknown data set ${config.dataset}`);
}
