/** Softmax in plain float64. */
import type { NdArray } from "../laws/case.ts";

/** `x_j − log Σ_k e^(x_k)` over the last axis. */
export function logSoftmax({ shape, data }: NdArray): NdArray {
  const c = shape.at(-1)!, result = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += c) {
    const row = data.subarray(at, at + c), top = Math.max(...row);
    const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0);
    result.set(row.map((v) => v - top - Math.log(total)), at);
  }
  return { shape, data: result };
}

/** `e^(x_j) / Σ_k e^(x_k)` over the last axis. */
export function softmax(x: NdArray): NdArray {
  return { shape: x.shape, data: logSoftmax(x).data.map(Math.exp) };
}
