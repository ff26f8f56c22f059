/** Between our order in memory (channels last) and PyTorch's on disk (channels first). */
import { type Shape, sizeOf, stridesOf } from "../core/shape.ts";
import type { DiskLayout } from "./parameter.ts";

/** A view of elements: sizes, and how far a step along each axis goes. */
interface Walk {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
}

/** The elements in disk order: shape on disk, and the walk over memory that gives them. */
function diskWalk(shape: Shape, layout: DiskLayout): { shape: Shape; walk: Walk } {
  if (layout.kind === "plain") return { shape, walk: { sizes: shape, strides: stridesOf(shape) } };
  if (layout.kind === "conv") {
    const [kh, kw, cin, cout] = shape, [sy, sx, si, so] = stridesOf(shape);
    const sizes = [cout, cin, kh, kw];
    return { shape: sizes, walk: { sizes, strides: [so, si, sy, sx] } };
  }
  const [inputs, outputs] = shape, [h, w, c] = layout.flattened ?? [1, 1, inputs];
  const sizes = [outputs, c, h, w], strides = [1, outputs, w * c * outputs, c * outputs];
  return { shape: [outputs, inputs], walk: { sizes, strides } };
}

/** Calls `visit(k, at)` for the k-th element on disk, which lies at `at` in memory. */
function eachElement({ sizes, strides }: Walk, visit: (k: number, at: number) => void): void {
  const index = new Array<number>(sizes.length).fill(0), total = sizeOf(sizes);
  for (let k = 0, at = 0; k < total; k++) {
    visit(k, at);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < sizes[axis]) break;
      at -= sizes[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}

/** Shape of a parameter on disk. */
export const diskShape = (shape: Shape, layout: DiskLayout): Shape => diskWalk(shape, layout).shape;

/** Elements in disk order. */
export function toDisk(
  memory: Float32Array,
  shape: Shape,
  layout: DiskLayout,
): Float32Array<ArrayBuffer> {
  const disk = new Float32Array(memory.length);
  eachElement(diskWalk(shape, layout).walk, (k, at) => disk[k] = memory[at]);
  return disk;
}

/** Elements with their axes in another order: axis k of the result is axis `order[k]`. */
export function permuted(
  elements: Float32Array,
  shape: Shape,
  order: readonly number[],
): Float32Array<ArrayBuffer> {
  const strides = stridesOf(shape), result = new Float32Array(elements.length);
  const walk = { sizes: order.map((k) => shape[k]), strides: order.map((k) => strides[k]) };
  eachElement(walk, (k, at) => result[k] = elements[at]);
  return result;
}

/** Elements in memory order. */
export function fromDisk(
  disk: Float32Array,
  shape: Shape,
  layout: DiskLayout,
): Float32Array<ArrayBuffer> {
  const memory = new Float32Array(disk.length);
  eachElement(diskWalk(shape, layout).walk, (k, at) => memory[at] = disk[k]);
  return memory;
}
