/**
 * Pictures and batches. The table of data sets is an entry of its own, `data/datasets.ts`: it brings
 * 4.8 MB of built-in images with it.
 */
export * from "./image.ts";
export * from "./preparation.ts";
export {
  type Augmentation,
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
export { drawAugmentation, type DrawKey } from "./augmentation_draw.ts";
export type { DrawnBox, DrawnStep, PictureSize } from "./drawn_steps.ts";
export * from "./mixing.ts";
export {
  type Batch,
  batchCount,
  batches,
  type BatchOptions,
  type Fields,
  ignoredLabel,
  type LastBatch,
  type Source,
} from "./source.ts";
export {
  type AugmentOptions,
  holdOut,
  type PackedImages,
  PackedPictures,
  type Pictures,
} from "./pictures.ts";
export { type FolderDataset, type FolderOptions, openFolder } from "./folder.ts";
export type { FolderLayout } from "./folder_layout.ts";
export {
  FolderPictures,
  type FolderState,
  type LabelledFile,
  type VerifyOptions,
} from "./folder_pictures.ts";
export type { PictureFile } from "./folder_scan.ts";
export type { Copies, FolderSummary, Range, SplitCounts, SplitRule } from "./folder_summary.ts";
export type { FileError, Flaw, FoundFile } from "./folder_walk.ts";
export { Loader, type LoaderOptions, type Prepared } from "./loader.ts";
export type {
  PictureJob,
  StartThread,
  Thread,
  ThreadAnswer,
  ThreadEvents,
  ThreadTask,
} from "./loader_thread.ts";
export { PreparedCache, type PreparedShelf } from "./prepared_cache.ts";
export { type Hashed, type Split, splitByContent } from "./split.ts";
export { balanced } from "./balanced.ts";
export { Waiting } from "./waiting.ts";
export { type PublishedWeights, publishedWeights } from "./published_weights.ts";
export type { Dataset, OpenDataset, OpenOptions, PackedDataset, Progress } from "./dataset.ts";
