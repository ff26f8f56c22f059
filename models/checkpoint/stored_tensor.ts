/** Tensors as they lie in files: element types, sizes, and their elements as f32 or f16. */
import { CheckpointError, DataError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";

/** Element type of a stored tensor: kind and bits. */
// deno-fmt-ignore
export type StoredType =
  | "BOOL" | "U8" | "I8" | "U16" | "I16" | "F16" | "BF16"
  | "U32" | "I32" | "F32" | "U64" | "I64" | "F64";

/** Bytes of an element. */
// deno-fmt-ignore
export const elementWidths: Readonly<Record<StoredType, number>> = {
  BOOL: 1, U8: 1, I8: 1, U16: 2, I16: 2, F16: 2, BF16: 2,
  U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8,
};

/** A tensor in a file. */
export interface StoredTensor {
  /** Element type as safetensors names it. */
  readonly dtype: StoredType;
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /**
   * Elements in row-major order, little-endian: a view of the file where they lie so in it, else a
   * copy that is made each time it is asked for.
   */
  readonly bytes: Uint8Array;
}

/** Bytes of all elements, without reading them. */
export function sizeBytes({ dtype, shape }: Pick<StoredTensor, "dtype" | "shape">): number {
  return sizeOf(shape) * elementWidths[dtype];
}

/** True for a type whose elements can be weights. */
export function isFloat(dtype: StoredType): boolean {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16" || dtype === "F64";
}

/**
 * Elements of a float tensor as f32; always a copy, so that alignment does not matter.
 *
 * F16 and BF16 are exact, NaN and infinities included; F64 is rounded to nearest, ties to even.
 *
 * @param name for messages
 * @throws {DataError} when it holds no floats
 */
export function toFloat32(name: string, { dtype, bytes }: StoredTensor): Float32Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes).buffer;
  if (dtype === "F32") return new Float32Array(copy);
  if (dtype === "F64") return new Float32Array(new Float64Array(copy));
  if (dtype === "F16") return new Float32Array(new Float16Array(copy));
  if (dtype === "BF16") {
    return new Float32Array(Uint32Array.from(new Uint16Array(copy), (half) => half << 16).buffer);
  }
  throw new DataError(`Cannot read ${name}: it holds ${dtype}, F32, F64, F16 or BF16 is wanted`);
}

/**
 * Elements as {@link toFloat32} gives them, without a copy where the file holds them as f32 at a
 * multiple of four bytes. To be read only: it may be the file.
 *
 * @throws {DataError} when it holds no floats
 */
export function viewFloat32(name: string, tensor: StoredTensor): Float32Array {
  if (tensor.dtype !== "F32") return toFloat32(name, tensor);
  const { buffer, byteOffset, byteLength } = tensor.bytes;
  if (byteOffset % 4 !== 0) return toFloat32(name, tensor);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

/**
 * A float tensor in half precision, rounded to nearest, ties to even. NaN and infinities stay.
 *
 * @param name for messages
 * @throws {CheckpointError} when a number is too large for f16, 65,520 or more
 * @throws {DataError} when it holds no floats
 */
export function toHalf(name: string, tensor: StoredTensor): StoredTensor {
  // From f64 at once: rounded twice it could be one step off.
  const elements = tensor.dtype === "F64"
    ? new Float64Array(new Uint8Array(tensor.bytes).buffer)
    : viewFloat32(name, tensor);
  const half = new Float16Array(elements);
  const large = half.findIndex((v, k) => !Number.isFinite(v) && Number.isFinite(elements[k]));
  if (large >= 0) {
    throw new CheckpointError(
      `Cannot save ${name} as F16: it holds ${elements[large]}, at most 65,504 is wanted; F32 fits`,
      { key: name },
    );
  }
  return { dtype: "F16", shape: tensor.shape, bytes: new Uint8Array(half.buffer) };
}
