/** Pooling to a size: windows that cover an image of any size as evenly as they can. */
import type { Tensor } from "../core/graph.ts";
import { reshape } from "../core/structure.ts";
import { checkDType, checkRank } from "./check.ts";
import { concat, slice } from "./layout.ts";
import { avgPool2d, maxPool2d } from "./pool.ts";
import { mean } from "./reduce.ts";
import { checkedPair, type Pair } from "./window.ts";

/** Pooling by windows of one size that lie side by side. */
type Pool = (x: Tensor, options: { readonly size: Pair }) => Tensor;

/** Window `i` of `count` along an axis: from `⌊i·size/count⌋` to `⌈(i+1)·size/count⌉`. */
const windowOf = (size: number, count: number, i: number): readonly [from: number, to: number] => [
  Math.floor(i * size / count),
  Math.ceil((i + 1) * size / count),
];

/** Pools one axis: in one piece where all windows are alike, else window by window. */
function along(axis: 1 | 2, x: Tensor, count: number, pool: Pool): Tensor {
  const size = x.shape[axis];
  const pair = (length: number): Pair => axis === 1 ? [length, 1] : [1, length];
  if (size % count === 0) return pool(x, { size: pair(size / count) });
  const windows = Array.from({ length: count }, (_, i) => {
    const [from, to] = windowOf(size, count, i), starts = [0, 0, 0, 0];
    starts[axis] = from;
    return pool(slice(x, starts, x.shape.with(axis, to - from)), { size: pair(to - from) });
  });
  return concat(windows, axis);
}

function adaptive(action: string, x: Tensor, size: number | Pair, pool: Pool): Tensor {
  checkRank(action, "", "x", x, 4, "n, h, w, c");
  checkDType(action, "", "x", x);
  const [rows, columns] = checkedPair(action, "size", size), [, h, w] = x.shape;
  if (h % rows === 0 && w % columns === 0) return pool(x, { size: [h / rows, w / columns] });
  // Windows are products of intervals, so axes are pooled in turn. Columns come first: then the
  // gradient of a maximum goes to the first of equal values in row-major order.
  return along(1, along(2, x, columns, pool), rows, pool);
}

/**
 * Mean of windows that cover the image; size 1 is global average pooling. Windows overlap by a place
 * where their number does not divide the image.
 *
 * `y[n,i,j,c]` = mean of `x[n,u,v,c]` over `⌊i·h/h'⌋ ≤ u < ⌈(i+1)·h/h'⌉`, v likewise
 *
 * Shapes: x `[n,h,w,c]` → `[n,h',w',c]`. Accuracy: f32 sums.
 *
 * @param size h' and w', one number for both
 * @throws {ShapeError} when a size is no whole number from 1, or x is no f32 with four axes
 * @source PyTorch `nn.AdaptiveAvgPool2d`
 */
export function adaptiveAvgPool2d(x: Tensor, size: number | Pair): Tensor {
  const pool: Pool = (part, { size: [kh, kw] }) => {
    const [n, h, w, c] = part.shape;
    // Over whole images a reduction cuts its sums into parts, which a window's kernel does not.
    if (kh !== h || kw !== w) return avgPool2d(part, { size: [kh, kw] });
    return reshape(mean(part, { axes: [1, 2] }), [n, 1, 1, c]);
  };
  return adaptive("adaptiveAvgPool2d", x, size, pool);
}

/**
 * Largest value of windows that cover the image, NaN if one sees it; windows as in
 * {@link adaptiveAvgPool2d}, gradient as in {@link maxPool2d}.
 *
 * Shapes: x `[n,h,w,c]` → `[n,h',w',c]`.
 *
 * @param size h' and w', one number for both
 * @throws {ShapeError} when a size is no whole number from 1, or x is no f32 with four axes
 * @source PyTorch `nn.AdaptiveMaxPool2d`
 */
export function adaptiveMaxPool2d(x: Tensor, size: number | Pair): Tensor {
  return adaptive("adaptiveMaxPool2d", x, size, maxPool2d);
}
