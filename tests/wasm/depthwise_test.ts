/**
 * Depthwise convolution in all three passes, exact on small whole numbers: tiles whole and cut at
 * either edge, rows of taps that miss the image, channels that do not fill vectors, and every window
 * that goes by single windows instead.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { tensorModule } from "../../wasm/tensor.ts";
import {
  conv2d,
  conv2dWeightGrad,
  type ConvSettings,
  convTranspose2d,
} from "../reference/conv2d.ts";
import { assertExact, bitsOf, run, threads, type Whole, whole } from "./kernels.ts";

/** A convolution; numbers for both axes or pairs, padding as everywhere. */
interface Conv {
  readonly n?: number;
  readonly size: readonly [number, number];
  readonly channels: number;
  readonly taps: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation?: readonly [number, number];
  /** Output channels of an input channel. */
  readonly multiplier?: number;
}

interface Pass {
  readonly name: "conv2d" | "conv2d_input_grad" | "conv2d_weight_grad";
  readonly operands: readonly [Whole, Whole];
  readonly expected: Whole;
}

function passesOf(conv: Conv): { readonly passes: readonly Pass[]; readonly words: number[] } {
  const { n = 1, size, channels, taps, multiplier = 1 } = conv;
  const { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1] } = conv;
  const settings: ConvSettings = { stride, padding, dilation, groups: channels };
  const label = JSON.stringify(conv), cout = channels * multiplier;
  const x = whole([n, ...size, channels], `x ${label}`);
  const w = whole([...taps, 1, cout], `w ${label}`);
  const y = conv2d(x, w, settings), dy = whole(y.shape, `dy ${label}`);
  const [, oh, ow] = y.shape;
  return {
    passes: [
      { name: "conv2d", operands: [x, w], expected: y },
      {
        name: "conv2d_input_grad",
        operands: [dy, w],
        expected: convTranspose2d(dy, w, settings, size),
      },
      {
        name: "conv2d_weight_grad",
        operands: [x, dy],
        expected: conv2dWeightGrad(x, dy, w.shape, settings),
      },
    ],
    words: [
      ...[n, ...size, channels, ...taps, cout, oh, ow],
      ...[...stride, ...dilation, padding[0], padding[1], channels],
    ],
  };
}

function check(conv: Conv): void {
  const { passes, words } = passesOf(conv);
  for (const { name, operands, expected } of passes) {
    const actual = run(name, operands, expected.shape, words);
    assertExact(actual, expected.data, `${name} of ${JSON.stringify(conv)}`);
  }
}

Deno.test("depthwise: exact for windows of 3 and 5 at every width and padding", () => {
  for (const k of [3, 5]) {
    for (const s of [1, 2]) {
      for (let width = 1; width <= 21; width++) {
        const left = width % k, right = (width * 3) % (k + 1);
        const short = Math.max(0, k - width - left - right);
        check({
          size: [4, width],
          channels: 1 + (width * 5) % 11 + k % 2,
          taps: [3, k],
          stride: [1 + width % 2, s],
          padding: [1, left, 1, right + short],
        });
      }
    }
  }
});

Deno.test("depthwise: exact for every kind of window", () => {
  const same = [1, 1, 1, 1] as const, two = [2, 2, 2, 2] as const;
  const convs: Conv[] = [
    { n: 2, size: [14, 14], channels: 35, taps: [3, 3], padding: same },
    { n: 3, size: [7, 7], channels: 20, taps: [5, 5], padding: two },
    { size: [14, 15], channels: 17, taps: [3, 3], stride: [2, 2], padding: [0, 0, 1, 1] }, // SAME
    { size: [15, 14], channels: 33, taps: [5, 5], stride: [2, 2], padding: [1, 2, 2, 2] },
    { size: [9, 12], channels: 6, taps: [3, 3], stride: [2, 1], padding: same },
    { size: [9, 12], channels: 6, taps: [3, 3], stride: [1, 2], padding: same },
    { size: [3, 4], channels: 5, taps: [3, 3], padding: [7, 9, 8, 10] }, // windows of padding alone
    { size: [3, 4], channels: 5, taps: [5, 5], stride: [2, 2], padding: [7, 9, 8, 10] },
    { size: [11, 11], channels: 4, taps: [3, 3], dilation: [3, 1], padding: same },
    { size: [11, 11], channels: 4, taps: [3, 3], dilation: [1, 2], padding: same },
    { size: [13, 9], channels: 9, taps: [5, 3], stride: [3, 2], dilation: [2, 1], padding: two },
    { size: [10, 10], channels: 9, taps: [3, 3], stride: [3, 3], padding: same },
    { size: [10, 10], channels: 9, taps: [7, 7], padding: [3, 3, 3, 3] },
    { size: [10, 10], channels: 9, taps: [1, 5], padding: [0, 2, 0, 2] },
    { size: [10, 10], channels: 9, taps: [7, 3], padding: [3, 1, 3, 1] },
    { size: [8, 8], channels: 6, taps: [3, 3], padding: same, multiplier: 2 },
    { n: 41, size: [5, 5], channels: 3, taps: [3, 3], padding: same }, // parts of several images
    { size: [2, 160], channels: 40, taps: [3, 3], padding: same }, // long lines
  ];
  for (const conv of convs) check(conv);
});

/** Enough work for all threads, with many lines and with few. */
const large: readonly Conv[] = [
  { n: 4, size: [28, 28], channels: 68, taps: [3, 3], padding: [1, 1, 1, 1] },
  { size: [7, 7], channels: 1000, taps: [5, 5], padding: [2, 2, 2, 2] },
  { size: [30, 30], channels: 200, taps: [3, 3], stride: [2, 2], padding: [0, 0, 1, 1] },
];

Deno.test({
  name: "depthwise: 1, 2 and 4 threads give the same bits",
  // Threads are never taken back.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    if (!tensorModule().threaded) return console.log("skipped: built without threads");
    const third = (w: Whole): Whole => ({ ...w, data: w.data.map((v) => v / 3) });
    const results = () =>
      large.flatMap((conv) => {
        const { passes, words } = passesOf(conv);
        return passes.map(({ name, operands: [a, b], expected }) =>
          run(name, [third(a), third(b)], expected.shape, words)
        );
      });
    const alone = results();
    for (const count of [2, 4]) {
      await threads(count);
      results().forEach((result, k) => {
        assert.equal(Buffer.compare(bitsOf(result), bitsOf(alone[k])), 0, `${count} threads, ${k}`);
      });
    }
  },
});
