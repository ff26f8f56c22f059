/** Pooling to a size in plain float64, after the text of PyTorch's documentation. */
import type { NdArray } from "../laws/case.ts";

/** One number for every window from the values it sees, given with their places, row by row. */
export function adaptivePool(
  x: NdArray,
  [oh, ow]: readonly [number, number],
  value: (seen: readonly number[], at: readonly number[], window: number) => number,
): NdArray {
  const [n, h, w, c] = x.shape, data: number[] = [];
  for (let k = 0; k < n * oh * ow * c; k++) {
    const channel = k % c, j = Math.floor(k / c) % ow, i = Math.floor(k / c / ow) % oh;
    const image = Math.floor(k / c / ow / oh), at: number[] = [];
    for (let u = Math.floor(i * h / oh); u < Math.ceil((i + 1) * h / oh); u++) {
      for (let v = Math.floor(j * w / ow); v < Math.ceil((j + 1) * w / ow); v++) {
        at.push(((image * h + u) * w + v) * c + channel);
      }
    }
    data.push(value(at.map((p) => x.data[p]), at, k));
  }
  return { shape: [n, oh, ow, c], data: Float64Array.from(data) };
}

/** The gradient of the maximum: to the first of the largest values, or to the last NaN. */
export function adaptiveMaxGrad(x: NdArray, dy: NdArray): NdArray {
  const data = new Float64Array(x.data.length), [, oh, ow] = dy.shape;
  adaptivePool(x, [oh, ow], (seen, at, window) => {
    const nan = seen.findLastIndex(Number.isNaN);
    data[at[nan < 0 ? seen.indexOf(Math.max(...seen)) : nan]] += dy.data[window];
    return 0;
  });
  return { shape: x.shape, data };
}
