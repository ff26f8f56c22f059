/** Tensors of PyTorch as stored tensors: views of the file where they lie in order, else copied when asked for. */
import { type Fail, quoted } from "./byte_reader.ts";
import type { Storage, TorchTensor } from "./pickle_values.ts";
import { elementWidths, sizeBytes, type StoredTensor, type StoredType } from "./stored_tensor.ts";

/** A tensor whose elements lie apart: transposed, cut out, or repeated. */
class StridedTensor implements StoredTensor {
  /**
   * A view that was checked.
   *
   * @param storage the bytes it looks into
   * @param start first byte
   * @param strides in elements
   */
  constructor(
    readonly dtype: StoredType,
    readonly shape: readonly number[],
    private readonly storage: Uint8Array,
    private readonly start: number,
    private readonly strides: readonly number[],
  ) {}

  /** The elements in row-major order, copied each time. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const { storage } = this, width = elementWidths[this.dtype];
    // Axes of one element may have strides beyond all bounds, and go nowhere.
    const axes = [...this.shape.keys()].filter((axis) => this.shape[axis] !== 1);
    const shape = axes.map((axis) => this.shape[axis]);
    const strides = axes.map((axis) => this.strides[axis]);
    const copy = new Uint8Array(sizeBytes(this)), index = new Array<number>(shape.length).fill(0);
    for (let to = 0, from = this.start; to < copy.length; to += width) {
      for (let k = 0; k < width; k++) copy[to + k] = storage[from + k];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += strides[axis] * width;
        if (++index[axis] < shape[axis]) break;
        from -= strides[axis] * width * shape[axis];
        index[axis] = 0;
      }
    }
    return copy;
  }
}

/**
 * Makes stored tensors of one file.
 *
 * All copies together are no larger than the file, so that a small file whose tensors repeat their
 * elements cannot fill memory.
 */
export class TensorReader {
  #copied = 0;

  /** A reader for a file of so many bytes. */
  constructor(readonly fileBytes: number, readonly fail: Fail) {}

  /** A tensor whose storage has its bytes. */
  read(name: string, { storage, dtype, offset, shape, strides }: TorchTensor): StoredTensor {
    const { bytes, start } = bytesOf(storage), width = elementWidths[dtype];
    const at = start + offset * width, size = sizeBytes({ dtype, shape });
    if (bytes === undefined) this.fail(`${quoted(name)} lies in a storage that the file lacks`);
    if (shape.includes(0)) return { dtype, shape, bytes: bytes.subarray(0, 0) };
    const last = shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], offset);
    if ((last + 1) * width > bytes.length - start) {
      const held = Math.floor((bytes.length - start) / width);
      this.fail(
        `${quoted(name)} reaches to element ${last} of a storage of ${held} (sizes [${shape}], ` +
          `strides [${strides}], offset ${offset})`,
      );
    }
    if (isContiguous(shape, strides)) {
      return { dtype, shape, bytes: bytes.subarray(at, at + size) };
    }
    this.#copied += size;
    if (this.#copied > this.fileBytes) {
      this.fail(
        `${quoted(name)} and others repeat their elements, together ${this.#copied} bytes of a ` +
          `file of ${this.fileBytes}`,
      );
    }
    return new StridedTensor(dtype, shape, bytes, at, strides);
  }
}

/** The bytes that a storage lies in, up to its end, and its first one. */
function bytesOf(storage: Storage): { bytes: Uint8Array | undefined; start: number } {
  const { origin } = storage;
  if (origin === undefined) return { bytes: storage.bytes, start: 0 };
  const width = storage.dtype === null ? 1 : elementWidths[storage.dtype];
  const start = origin.start * width, end = start + storage.count * width;
  return { bytes: origin.storage.bytes?.subarray(0, end), start };
}

/** True where elements lie in row-major order without gaps; axes of one element go nowhere. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== stride) return false;
    stride *= shape[axis];
  }
  return true;
}
