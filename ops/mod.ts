/** All operations, a statement per file; the objects behind them stay inside. */
export * from "./adaptive_pool.ts";
export {
  batchNorm,
  batchNormInference,
  type BatchNormOptions,
  type BatchNormResult,
} from "./batch_norm.ts";
export {
  conv2d,
  type Conv2dOptions,
  convTranspose2d,
  type ConvTranspose2dOptions,
} from "./conv2d.ts";
export { crossEntropy, type CrossEntropyOptions, type LossReduction } from "./cross_entropy.ts";
export * from "./group_norm.ts";
export { labelRank, type LabelRankOptions, topKHits } from "./label_rank.ts";
export { concat, type Margin, pad, slice, transpose } from "./layout.ts";
export { matmul, type MatmulOptions } from "./matmul.ts";
export * from "./max.ts";
export { pixels, type PixelsOptions } from "./pixels.ts";
export * from "./pointwise.ts";
export { avgPool2d, type AvgPoolOptions, maxPool2d, type PoolOptions } from "./pool.ts";
export { expand, mean, type ReduceOptions, sum, sumTo } from "./reduce.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export { type RandomSite, uniform } from "./uniform.ts";
export type { Margins, Pair, WindowOptions } from "./window.ts";
export { full, reshape } from "../core/structure.ts";
