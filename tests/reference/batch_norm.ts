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

/** The gradient of y for x: `γ/σ·(dy − Σdy/n − x̂·Σ(dy·x̂)/n)`, without γ. */
export function batchNormGrad(x: NdArray, dy: NdArray, eps: number): NdArray {
  const c = x.shape.at(-1)!, rows = x.data.length / c, one = new Float64Array(c).fill(1);
  const [{ data: normal }, , { data: variance }] = batchNorm(
    [x, { shape: [c], data: one }, { shape: [c], data: one.map(() => 0) }],
    eps,
  );
  const total = new Float64Array(c), dot = new Float64Array(c);
  for (const [i, g] of dy.data.entries()) {
    total[i % c] += g / rows;
    dot[i % c] += g * normal[i] / rows;
  }
  const data = dy.data.map((g, i) => {
    const ch = i % c, deviation = Math.sqrt(variance[ch] * (rows - 1) / rows + eps);
    return (g - total[ch] - normal[i] * dot[ch]) / deviation;
  });
  return { shape: x.shape, data };
}
