/** Convolutions in plain float64. */
import { sizeOf } from "../../core/shape.ts";
import type { NdArray } from "../laws/case.ts";

/** Everything a convolution leaves to choose, both axes written out. */
export interface ConvSettings {
  readonly stride: readonly [number, number];
  readonly padding: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Calls `visit` for every product: offsets into the large images, the filters, the small images. */
function products(
  [n, h, w, channels]: readonly number[],
  [kh, kw, cin, cout]: readonly number[],
  [, oh, ow]: readonly number[],
  { stride, padding, dilation, groups }: ConvSettings,
  visit: (atLarge: number, atFilter: number, atSmall: number) => void,
): void {
  for (let out = 0; out < n * oh * ow * cout; out++) {
    const o = out % cout, place = (out - o) / cout, j = place % ow, line = (place - j) / ow;
    const top = (line % oh) * stride[0] - padding[0], left = j * stride[1] - padding[1];
    const image = Math.floor(line / oh) * h, first = Math.floor(o / (cout / groups)) * cin;
    for (let u = 0; u < kh; u++) {
      const y = top + u * dilation[0];
      for (let v = 0; v < kw; v++) {
        const x = left + v * dilation[1];
        if (y < 0 || y >= h || x < 0 || x >= w) continue;
        const atLarge = ((image + y) * w + x) * channels + first, tap = (u * kw + v) * cin;
        for (let c = 0; c < cin; c++) visit(atLarge + c, (tap + c) * cout + o, out);
      }
    }
  }
}

/** `y[n,i,j,o] = Σ x[n, i·s+u·d−pt, j·s+v·d−pl, c] · w[u,v,c,o]`. */
export function conv2d(x: NdArray, w: NdArray, settings: ConvSettings): NdArray {
  const { stride, padding, dilation } = settings;
  const along = (axis: 0 | 1): number => {
    const room = x.shape[axis + 1] + padding[axis] + padding[axis + 2];
    return Math.floor((room - dilation[axis] * (w.shape[axis] - 1) - 1) / stride[axis]) + 1;
  };
  const shape = [x.shape[0], along(0), along(1), w.shape[3]];
  const data = new Float64Array(sizeOf(shape));
  products(x.shape, w.shape, shape, settings, (i, k, o) => data[o] += x.data[i] * w.data[k]);
  return { shape, data };
}

/** The transposed map: every value of x adds its filter, scaled, to the result. */
export function convTranspose2d(
  x: NdArray,
  w: NdArray,
  settings: ConvSettings,
  size: readonly [number, number],
): NdArray {
  const shape = [x.shape[0], ...size, w.shape[2] * settings.groups];
  const data = new Float64Array(sizeOf(shape));
  products(shape, w.shape, x.shape, settings, (i, k, o) => data[i] += x.data[o] * w.data[k]);
  return { shape, data };
}

/** The gradient of {@link conv2d} for its filters. */
export function conv2dWeightGrad(
  x: NdArray,
  dy: NdArray,
  shape: readonly number[],
  settings: ConvSettings,
): NdArray {
  const data = new Float64Array(sizeOf(shape));
  products(x.shape, shape, dy.shape, settings, (i, k, o) => data[k] += x.data[i] * dy.data[o]);
  return { shape, data };
}
