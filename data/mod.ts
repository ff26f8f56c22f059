/**
 * Pictures and batches. The table of data sets is an entry of its own, `data/datasets.ts`: it brings
 * 4.8 MB of built-in images with it.
 */
export * from "./image.ts";
export * from "./preparation.ts";
export { type Batch, batchCount, batches, type BatchOptions, ignoredLabel } from "./batches.ts";
export type { Dataset, OpenDataset, OpenOptions, Progress, Recipe, Split } from "./dataset.ts";
