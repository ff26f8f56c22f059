/**
 * Pictures and batches. The table of data sets is an entry of its own, `data/datasets.ts`: it brings
 * 4.8 MB of built-in images with it.
 */
export * from "./image.ts";
export * from "./preparation.ts";
export {
  type Augmentation as AugmentationSteps,
  type AugmentationLevel,
  augmentationLevels,
  type AugmentationStep,
  type ColorJitter,
  type Flip,
  type GaussianBlur,
  type Interval,
  type RandAugment,
  type RandomCrop,
  type RandomErasing,
  type RandomResizedCrop,
  type Rotation,
  type TrivialAugmentWide,
  type WarpOptions,
} from "./augmentation.ts";
export { checkAugmentation, parseAugmentation } from "./augmentation_check.ts";
export {
  drawAugmentation,
  type DrawKey,
  type DrawnBox,
  type DrawnStep,
  type PictureSize,
} from "./augmentation_draw.ts";
export * from "./mixing.ts";
export {
  type Batch,
  batchCount,
  batches,
  type BatchOptions,
  type Fields,
  ignoredLabel,
  type Source,
} from "./source.ts";
export {
  type Augmentation,
  holdOut,
  type PackedImages,
  PackedPictures,
  type Pictures,
} from "./pictures.ts";
export { type PublishedWeights, publishedWeights } from "./published_weights.ts";
export type { Dataset, OpenDataset, OpenOptions, PackedDataset, Progress } from "./dataset.ts";
