/** Layers, architectures and model files. */
export type { Conv2dOptions } from "../ops/conv2d.ts";
export type { AvgPoolOptions, PoolOptions } from "../ops/pool.ts";
export type { Margins, Pair, WindowOptions } from "../ops/window.ts";
export * from "./layers.ts";
export { type Observation, Pass, type PassOptions, type RandomSite } from "./pass.ts";
export { fill, type Init, kaimingNormal, normal, torchDefault, uniform } from "./init.ts";
export {
  type DiskLayout,
  type NamesParts,
  parameter,
  type ParameterAttrs,
  type ParameterOptions,
  parametersOf,
  parts,
} from "./parameter.ts";
export type { Classifier, Model, ModelEntry, ModelOptions } from "./model.ts";
export {
  type Fit,
  imagenetNormalization,
  type Preparation,
  type ResizeFilter,
} from "./preparation.ts";
export { type ModelName, models } from "./models.ts";
export { TutorialCnn } from "./tutorial_cnn.ts";
export { BasicBlock, ResNet, type Stem } from "./resnet.ts";
export { initialWeights, type SavedWeights, Weights } from "./weights.ts";
export {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  type Preprocessing,
} from "./checkpoint.ts";
export {
  parseSafetensors,
  type SafeTensors,
  serializeSafetensors,
  type StoredTensor,
  type StoredType,
} from "./safetensors.ts";
