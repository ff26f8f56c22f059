/** Cross-entropy in plain float64, as PyTorch's `CrossEntropyLoss` with classes in the last axis. */
import type { NdArray } from "../laws/case.ts";
import { logSoftmax } from "./softmax.ts";

/** What the loss depends on beside logits and target. */
export interface CrossEntropyCase {
  readonly ignoreIndex: number;
  readonly smoothing: number;
  readonly reduction: "mean" | "sum" | "none";
}

/** With labels and, if given, class weights. */
export function crossEntropy(
  [logits, labels, weights]: readonly NdArray[],
  { ignoreIndex, smoothing, reduction }: CrossEntropyCase,
): NdArray {
  const c = logits.shape.at(-1)!, logP = logSoftmax(logits).data;
  const weightOf = (j: number): number => weights?.data[j] ?? 1;
  let totalWeight = 0;
  const losses = labels.data.map((label, row) => {
    if (label === ignoreIndex) return 0;
    totalWeight += weightOf(label);
    const own = -weightOf(label) * logP[row * c + label];
    if (smoothing === 0) return own; // 0 times an infinite sum is NaN
    let spread = 0;
    for (let j = 0; j < c; j++) spread -= weightOf(j) * logP[row * c + j];
    return (1 - smoothing) * own + smoothing / c * spread;
  });
  return reduce(losses, labels.shape, totalWeight, reduction);
}

/**
 * With probabilities: the target is mixed with the even distribution. A probability of 0 at a logit
 * of −∞ gives NaN: PyTorch computes `−(log_softmax(x) * target).sum()`.
 */
export function softCrossEntropy(
  [logits, target]: readonly NdArray[],
  { smoothing, reduction }: CrossEntropyCase,
): NdArray {
  const c = logits.shape.at(-1)!, rows = logits.data.length / c, logP = logSoftmax(logits).data;
  const losses = new Float64Array(rows);
  for (const [i, t] of target.data.entries()) {
    losses[Math.floor(i / c)] -= ((1 - smoothing) * t + smoothing / c) * logP[i];
  }
  return reduce(losses, logits.shape.slice(0, -1), rows, reduction);
}

function reduce(
  losses: Float64Array,
  shape: readonly number[],
  weight: number,
  reduction: CrossEntropyCase["reduction"],
): NdArray {
  if (reduction === "none") return { shape, data: losses };
  const total = losses.reduce((sum, v) => sum + v, 0);
  const value = reduction === "sum" ? total : weight > 0 ? total / weight : 0;
  return { shape: [], data: Float64Array.of(value) };
}
