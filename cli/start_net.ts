/** The net that a training begins with: its weights, and what it is shown. */
import { UsageError } from "../core/errors.ts";
import type { Checkpoint } from "../models/checkpoint.ts";
import { isModelName, type ModelName, models } from "../models/models.ts";
import { headPaths } from "../models/head_size.ts";
import type { Preparation } from "../models/preparation.ts";
import type { Weights } from "../models/weights.ts";
import type { Context } from "./command.ts";
import { findModel, modelOptions, weightNames } from "./model_options.ts";
import { group, integer, nameOrPath, type Values } from "./options.ts";

/** What to begin with, and how large its pictures are. */
export const startOptions = group("Weights to begin with", {
  weights: nameOrPath(weightNames, {
    help: "model file, of Fovea or PyTorch, or a net with weights of its own, such as mobilenet_v2",
    unset: "drawn at random; for your own pictures tf_efficientnet_lite0",
    valueName: "FILE",
  }),
  weightsDir: modelOptions.weightsDir,
  imageSize: integer({
    help: "height and width of what the net sees",
    ...{ unset: "as the recipe or the net says", min: 16, max: 1024 },
  }),
});

/** Values of {@link startOptions}, and what else says which net it is. */
export type StartOptions = Values<typeof startOptions> & {
  readonly model?: string;
  readonly download: boolean;
};

/** A net with weights, whose head is for other classes. */
export interface StartNet {
  readonly name: ModelName;
  readonly preparation: Preparation;
  readonly checkpoint: Checkpoint;
  /** In words, such as `built-in weights`. */
  readonly origin: string;
}

/**
 * The net that the options mean.
 *
 * @param usual what they mean by no weights and no model
 * @throws {UsageError} when it is no model of the table, or an option does not fit the file
 */
export async function findStart(
  { model, weights, weightsDir, imageSize: size, download }: StartOptions,
  context: Context,
  usual: ModelName = "tf_efficientnet_lite0",
): Promise<StartNet> {
  const { checkpoint, origin } = await findModel({
    ...{ model: model === undefined ? undefined : asModelName(model) },
    ...{ weights: weights ?? model ?? usual, weightsDir, download, size },
    ...{ labels: undefined, fit: undefined, normalize: undefined },
  }, context);
  const { preparation, model: { name } } = checkpoint;
  return { name: asModelName(name), preparation, checkpoint, origin };
}

/** Whether a net's head is for these classes: the same names, in the same order. */
export function knowsClasses({ checkpoint }: StartNet, classes: readonly string[]): boolean {
  const known = checkpoint.classes;
  return known.length === classes.length && known.every((name, k) => name === classes[k]);
}

/** Loads what the net has learnt; of its head only where it is for these classes. */
export function loadStart(
  weights: Weights,
  start: StartNet,
  classes: readonly string[],
): void {
  const { content, file } = start.checkpoint, head = headPaths(models[start.name]);
  const skip = knowsClasses(start, classes) ? undefined : (path: string) => head.has(path);
  weights.load(content, { leaveReshaped: true, skip }, file);
}

function asModelName(name: string): ModelName {
  if (isModelName(name)) return name;
  throw new UsageError(
    `Cannot begin with ${name}: there is no such model in the table, one of ` +
      `${Object.keys(models).join(", ")} is wanted`,
  );
}
