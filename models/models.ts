/** The table of models: one line per architecture. */
import type { ModelEntry } from "./model.ts";
import { resnet18, resnet18Small } from "./resnet.ts";
import { tutorialCnn } from "./tutorial_cnn.ts";

/** Architectures by the name that the command line and checkpoints use. */
export const models = {
  "tutorial-cnn": tutorialCnn,
  "resnet18": resnet18,
  "resnet18-small": resnet18Small,
} as const satisfies Record<string, ModelEntry>;

/** A name in the table. */
export type ModelName = keyof typeof models;

/** True for a name in the table. */
export function isModelName(name: string): name is ModelName {
  return Object.hasOwn(models, name);
}
