/** Matrix products in plain float64. */
import { broadcastShapes, sizeOf } from "../../core/shape.ts";
import type { NdArray } from "../laws/case.ts";

/** `y[b,i,j] = Σ_k a[b,i,k] · c[b,k,j]`; a batch of one matrix repeats. */
export function matmul(a: NdArray, b: NdArray, transposeA: boolean, transposeB: boolean): NdArray {
  const [ra, ca] = a.shape.slice(-2), [rb, cb] = b.shape.slice(-2);
  const [m, k] = transposeA ? [ca, ra] : [ra, ca], n = transposeB ? rb : cb;
  const lead = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const batch = sizeOf(lead), data = new Float64Array(batch * m * n);
  const atA = (p: number, i: number, q: number): number =>
    a.data[(p * m * k) % a.data.length + (transposeA ? q * m + i : i * k + q)];
  const atB = (p: number, q: number, j: number): number =>
    b.data[(p * k * n) % b.data.length + (transposeB ? j * k + q : q * n + j)];
  for (let p = 0, at = 0; p < batch; p++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++, at++) {
        for (let q = 0; q < k; q++) data[at] += atA(p, i, q) * atB(p, q, j);
      }
    }
  }
  return { shape: [...lead, m, n], data };
}
