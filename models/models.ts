/** The table of models: one line per architecture. */
import * as lite from "./efficientnet_lite.ts";
import { mobilenetV2, tfMobilenetV2 } from "./mobilenet_v2.ts";
import type { ModelEntry } from "./model.ts";
import { resnet18, resnet18Small, resnet34, resnet50, wideResnet50 } from "./resnet.ts";
import { resnet110, resnet20, resnet32, resnet44, resnet56 } from "./resnet_cifar.ts";
import { squeezenet10, squeezenet10Caffe, squeezenet11 } from "./squeezenet.ts";
import { tutorialCnn } from "./tutorial_cnn.ts";

/** Architectures by the name that the command line and checkpoints use. */
export const models = {
  "tutorial-cnn": tutorialCnn,
  "resnet18-small": resnet18Small,
  "resnet20": resnet20,
  "resnet32": resnet32,
  "resnet44": resnet44,
  "resnet56": resnet56,
  "resnet110": resnet110,
  "resnet18": resnet18,
  "resnet34": resnet34,
  "resnet50": resnet50,
  "wide_resnet50_2": wideResnet50,
  "mobilenet_v2": mobilenetV2,
  "tf_mobilenet_v2": tfMobilenetV2,
  "squeezenet1_0": squeezenet10,
  "squeezenet1_0_caffe": squeezenet10Caffe,
  "squeezenet1_1": squeezenet11,
  "tf_efficientnet_lite0": lite.efficientnetLite0,
  "tf_efficientnet_lite1": lite.efficientnetLite1,
  "tf_efficientnet_lite2": lite.efficientnetLite2,
  "tf_efficientnet_lite3": lite.efficientnetLite3,
  "tf_efficientnet_lite4": lite.efficientnetLite4,
} as const satisfies Record<string, ModelEntry>;

/** A name in the table. */
export type ModelName = keyof typeof models;

/** True for a name in the table. */
export function isModelName(name: string): name is ModelName {
  return Object.hasOwn(models, name);
}
