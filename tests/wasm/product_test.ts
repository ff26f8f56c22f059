/**
 * Matrix products and direct convolutions over shapes that reach every way through the kernels:
 * tiles at each edge, several blocks of k and chunks of rows, A packed along, across and neither,
 * B packed or not. Operands are small whole numbers, so that results are exact in any order.
 */
import { conv2d, conv2dWeightGrad, convTranspose2d } from "../reference/conv2d.ts";
import { matmul } from "../reference/matmul.ts";
import { assertExact, run, whole } from "./kernels.ts";

function checkProduct(m: number, n: number, k: number, turnA: boolean, turnB: boolean): void {
  const label = `${m}x${n}x${k}${turnA ? " Aᵀ" : ""}${turnB ? " Bᵀ" : ""}`;
  const a = whole(turnA ? [k, m] : [m, k], `a ${label}`);
  const b = whole(turnB ? [n, k] : [k, n], `b ${label}`);
  const words = [1, m, n, k, Number(turnA), Number(turnB), 0, 0];
  assertExact(run("matmul", [a, b], [m, n], words), matmul(a, b, turnA, turnB).data, label);
}

Deno.test("products: exact at every edge of rows and columns", () => {
  for (const m of [1, 3, 4, 5, 7, 8, 9, 12, 13, 96, 101]) {
    for (const n of [1, 4, 7, 8, 12, 13, 15, 16, 17, 20, 24, 29]) {
      for (const turn of [0, 1, 2, 3]) checkProduct(m, n, 9, turn % 2 === 1, turn > 1);
    }
  }
});

Deno.test("products: exact over several blocks of k, with B packed and not", () => {
  for (const k of [0, 1, 319, 320, 321, 512, 513, 650, 1100]) {
    for (const [m, n] of [[10, 8], [10, 29], [7, 13], [30, 525], [515, 20]]) {
      checkProduct(m, n, k, k % 2 === 0, false);
      checkProduct(m, n, k, k % 2 === 1, true);
    }
  }
});

/** n, h, w, cin, k, cout, stride, padding. */
type Conv = readonly [number, number, number, number, number, number, number, number];

function checkConvolution([n, h, w, cin, size, cout, stride, pad]: Conv): void {
  const label = `[${[n, h, w, cin]}], ${size}x${size} to ${cout}, stride ${stride}, padding ${pad}`;
  const out = (length: number): number => Math.floor((length + 2 * pad - size) / stride) + 1;
  const [oh, ow] = [out(h), out(w)];
  const x = whole([n, h, w, cin], `x ${label}`), dy = whole([n, oh, ow, cout], `dy ${label}`);
  const f = whole([size, size, cin, cout], `f ${label}`);
  const settings = {
    stride: [stride, stride],
    padding: [pad, pad, pad, pad],
    dilation: [1, 1],
    groups: 1,
  } as const;
  const words = [n, h, w, cin, size, size, cout, oh, ow, stride, stride, 1, 1, pad, pad, 1];
  assertExact(run("conv2d", [x, f], dy.shape, words), conv2d(x, f, settings).data, `y of ${label}`);
  const dx = convTranspose2d(dy, f, settings, [h, w]).data;
  assertExact(run("conv2d_input_grad", [dy, f], x.shape, words), dx, `dx of ${label}`);
  const df = conv2dWeightGrad(x, dy, f.shape, settings).data;
  assertExact(run("conv2d_weight_grad", [x, dy], f.shape, words), df, `df of ${label}`);
}

Deno.test("convolutions: exact in all passes, directly", () => {
  const shapes: Conv[] = [
    [3, 14, 14, 6, 5, 16, 1, 0], // few channels: scattered, and swapped
    [5, 13, 11, 3, 5, 6, 1, 0], // pixels taken together
    [2, 12, 12, 3, 5, 16, 2, 0], // scattered with stride
    [2, 17, 15, 5, 3, 21, 1, 1], // rows of weights that do not fill strips
    [2, 16, 16, 24, 3, 29, 2, 1], // phases
    [1, 9, 9, 130, 3, 20, 2, 1], // a step far wider than a strip
    [1, 6, 7, 70, 3, 24, 1, 1], // more than one block of k
    [2, 20, 20, 3, 7, 33, 2, 3], // a stem
  ];
  for (const shape of shapes) checkConvolution(shape);
});
