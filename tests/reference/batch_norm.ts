/** Batch normalisation in plain float64. */
import type { NdArray } from "../laws/case.ts";

/** `(x − mean)/√(var + eps)·gamma + beta`, the means, and the unbiased variances of channels. */
export function batchNorm(
  [x, gamma, beta]: readonly NdArray[],
  eps: number,
): readonly [y: NdArray, mean: NdArray, variance: NdArray] {
  const c = gamma.data.length, rows = x.data.length / c;
  const mean = new Float64Array(c), squares = new Float64Array(c);
  for (const [i, v] of x.data.entries()) mean[i % c] += v / rows;
  for (const [i, v] of x.data.entries()) squares[i % c] += (v - mean[i % c]) ** 2;
  const y = x.data.map((v, i) => {
    const ch = i % c;
    return (v - mean[ch]) / Math.sqrt(squares[ch] / rows + eps) * gamma.data[ch] + beta.data[ch];
  });
  const variance = squares.map((s) => s / (rows - 1));
  return [
    { shape: x.shape, data: y },
    { shape: [c], data: mean },
    { shape: [c], data: variance },
  ];
}
