/** All operations, one line per file. */
export * from "./adaptive_pool.ts";
export {
  batchNorm,
  batchNormInference,
  type BatchNormOptions,
  type BatchNormResult,
} from "./batch_norm.ts";
export * from "./conv2d.ts";
export { crossEntropy, type CrossEntropyOptions, type LossReduction } from "./cross_entropy.ts";
export * from "./group_norm.ts";
export { labelRank, type LabelRankOptions, topKHits } from "./label_rank.ts";
export * from "./layout.ts";
export { matmul, type MatmulOptions } from "./matmul.ts";
export * from "./max.ts";
export { pixels, type PixelsOptions } from "./pixels.ts";
export * from "./pointwise.ts";
export * from "./pool.ts";
export { expand, mean, type ReduceOptions, sum, sumTo } from "./reduce.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export { type RandomSite, uniform } from "./uniform.ts";
export type { Margins, Pair, WindowOptions } from "./window.ts";
export { full, reshape } from "../core/structure.ts";
