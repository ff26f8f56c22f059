/** Layers, architectures and model files. */
export type { Conv2dOptions } from "../ops/conv2d.ts";
export type { AvgPoolOptions, PoolOptions } from "../ops/pool.ts";
export type { Margins, Pair, WindowOptions } from "../ops/window.ts";
export * from "./layers.ts";
export { type Observation, Pass, type PassOptions, type RandomSite } from "./pass.ts";
export {
  fill,
  type Init,
  kaimingNormal,
  kaimingUniform,
  normal,
  torchDefault,
  uniform,
} from "./init.ts";
export {
  type DiskLayout,
  type NamesParts,
  parameter,
  type ParameterAttrs,
  type ParameterOptions,
  parametersOf,
  parts,
} from "./parameter.ts";
export type { Classifier, Model, ModelEntry, ModelOptions, Net } from "./model.ts";
export {
  type Fit,
  imagenetNormalization,
  imagenetPreparation,
  normalizations,
  parsePreparation,
  type Preparation,
  type ResizeFilter,
} from "./preparation.ts";
export { type ModelName, models } from "./models.ts";
export { TutorialCnn } from "./tutorial_cnn.ts";
export { BasicBlock, Bottleneck, ResNet, type ResNetSettings, type Stem } from "./resnet.ts";
export { CifarBlock, CifarResNet } from "./resnet_cifar.ts";
export { InvertedResidual, MobileNetV2, type MobileNetV2Settings } from "./mobilenet_v2.ts";
export { Fire, SqueezeNet, type SqueezeNetSettings } from "./squeezenet.ts";
export {
  EfficientNetLite,
  type EfficientNetLiteSettings,
  LiteBlock,
  renameEfficientnetPytorch,
  SeparableBlock,
} from "./efficientnet_lite.ts";
export { describeModel, type ModelDescription } from "./describe.ts";
export { initialWeights, type SavedWeights, Weights, type WeightsOptions } from "./weights.ts";
export {
  type Checkpoint,
  decodeCheckpoint,
  type DecodeCheckpointOptions,
  encodeCheckpoint,
  type EncodeCheckpointOptions,
  loadModel,
  type LoadModelOptions,
  type ModelUsage,
} from "./checkpoint.ts";
export type { LoadOptions, LoadReport, Rename } from "./checkpoint/matching.ts";
export {
  parseSafetensors,
  type SafeTensors,
  serializeSafetensors,
} from "./checkpoint/safetensors.ts";
export {
  readStateDict,
  type StateDict,
  type StateDictFormat,
  type StateDictOptions,
} from "./checkpoint/state_dict.ts";
export {
  sizeBytes,
  type StoredTensor,
  type StoredType,
  toFloat32,
  toHalf,
} from "./checkpoint/stored_tensor.ts";
