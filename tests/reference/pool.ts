/** Pooling in plain float64, after the text of PyTorch's documentation. */
import type { NdArray } from "../laws/case.ts";

/** Everything pooling leaves to choose, both axes written out. */
export interface PoolSettings {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;
}

/** Where the windows along an axis begin. */
export function beginnings(size: number, p: PoolSettings, axis: 0 | 1): number[] {
  const last = size + p.padding[axis + 2] - p.dilation[axis] * (p.size[axis] - 1) - 1;
  const starts: number[] = [];
  // A window must end in the padded image; in ceil mode the one that covers the end is kept too if
  // it begins before the padding behind the image.
  for (let at = -p.padding[axis];; at += p.stride[axis]) {
    const whole = at <= last, covering = at - p.stride[axis] < last && at < size;
    if (!whole && !(p.ceilMode && covering)) return starts;
    starts.push(at);
  }
}

/** One number for every window from the values it sees, and how many places of padding. */
function pooled(
  x: NdArray,
  p: PoolSettings,
  value: (inside: number[], padded: number) => number,
): NdArray {
  const [n, h, w, c] = x.shape, data: number[] = [];
  const [rows, columns] = [beginnings(h, p, 0), beginnings(w, p, 1)];
  const [bottom, right] = [h + p.padding[2], w + p.padding[3]];
  for (let at = 0; at < n * rows.length * columns.length * c; at++) {
    const [channel, rest] = [at % c, Math.floor(at / c)],
      image = Math.floor(rest / columns.length / rows.length);
    const [i, j] = [
      rows[Math.floor(rest / columns.length) % rows.length],
      columns[rest % columns.length],
    ];
    const inside: number[] = [];
    let padded = 0;
    for (let u = 0; u < p.size[0] * p.size[1]; u++) {
      const row = i + Math.floor(u / p.size[1]) * p.dilation[0];
      const column = j + (u % p.size[1]) * p.dilation[1];
      if (row >= 0 && row < h && column >= 0 && column < w) {
        inside.push(x.data[((image * h + row) * w + column) * c + channel]);
      } else if (row < bottom && column < right) padded++;
    }
    data.push(value(inside, padded));
  }
  return { shape: [n, rows.length, columns.length, c], data: Float64Array.from(data) };
}

/** Largest value that each window sees. */
export const maxPool2d = (x: NdArray, settings: PoolSettings): NdArray =>
  pooled(x, settings, (inside) => Math.max(...inside));

/** Mean of the values that each window sees, the zeros of the padding among them or not. */
export const avgPool2d = (x: NdArray, settings: PoolSettings, countPadding: boolean): NdArray =>
  pooled(
    x,
    settings,
    (inside, padded) =>
      inside.reduce((a, b) => a + b, 0) / (inside.length + (countPadding ? padded : 0)),
  );

/**
 * The gradient of {@link maxPool2d}: dy goes to the first of the largest values of each window, or,
 * as in PyTorch's `val > maxval || isnan(val)`, to its last NaN.
 */
export function maxPool2dGrad(x: NdArray, dy: NdArray, p: PoolSettings): NdArray {
  const [, h, w, c] = x.shape, [, oh, ow] = dy.shape, data = new Float64Array(x.data.length);
  const [rows, columns] = [beginnings(h, p, 0), beginnings(w, p, 1)];
  for (const [out, value] of dy.data.entries()) {
    const [channel, rest] = [out % c, Math.floor(out / c)], image = Math.floor(rest / ow / oh);
    const [i, j] = [rows[Math.floor(rest / ow) % oh], columns[rest % ow]];
    let best = -1;
    for (let u = 0; u < p.size[0] * p.size[1]; u++) {
      const row = i + Math.floor(u / p.size[1]) * p.dilation[0];
      const column = j + (u % p.size[1]) * p.dilation[1];
      if (row < 0 || row >= h || column < 0 || column >= w) continue;
      const at = ((image * h + row) * w + column) * c + channel;
      if (best < 0 || x.data[at] > x.data[best] || Number.isNaN(x.data[at])) best = at;
    }
    data[best] += value;
  }
  return { shape: x.shape, data };
}
