/** The laws of all operations: one line per file. */
import { cases as adaptivePool } from "./adaptive_pool.ts";
import { cases as batchNorm } from "./batch_norm.ts";
import { cases as conv2d } from "./conv2d.ts";
import { cases as crossEntropy } from "./cross_entropy.ts";
import { cases as groupNorm } from "./group_norm.ts";
import { cases as labelRank } from "./label_rank.ts";
import { cases as layout } from "./layout.ts";
import { cases as matmul } from "./matmul.ts";
import { cases as pixels } from "./pixels.ts";
import { cases as pointwise } from "./pointwise.ts";
import { cases as pool } from "./pool.ts";
import { cases as reduce } from "./reduce.ts";
import { cases as softmax } from "./softmax.ts";
import { cases as uniform } from "./uniform.ts";
import type { LawCase } from "../case.ts";

/** Every case; a test asks that each exported operation is covered by one. */
export const allCases: readonly LawCase[] = [
  ...adaptivePool,
  ...batchNorm,
  ...conv2d,
  ...crossEntropy,
  ...groupNorm,
  ...labelRank,
  ...layout,
  ...matmul,
  ...pixels,
  ...pointwise,
  ...pool,
  ...reduce,
  ...softmax,
  ...uniform,
];
