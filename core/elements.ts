/** Elements on the host: what devices are given and give back. */
import { ShapeError } from "./errors.ts";
import {
  arrayNames,
  classOf,
  type DType,
  dtypeOf,
  elementBytes,
  show,
  sizeOf,
  type Type,
} from "./shape.ts";

/** Elements on the host. */
export type Elements =
  | Float32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>;

/**
 * Checks that host data fills a tensor: by class, since bytes of another are read as they lie.
 *
 * @param found start of the message: what the data was given to
 * @throws {ShapeError} when the class or the number of elements is another
 */
export function checkElements(data: Elements, { shape, dtype }: Type, found: string): void {
  if (dtypeOf(data) === dtype && data.length === sizeOf(shape)) return;
  throw new ShapeError(
    `Cannot ${found} ${data?.length ?? "no"} elements of ${dtypeOf(data) ?? classOf(data)}, ` +
      `${show(shape)} of ${dtype} in a ${arrayNames[dtype]} is wanted`,
  );
}

/** A typed view of raw bytes. */
export function viewAs(dtype: DType, bytes: ArrayBuffer): Elements {
  const length = bytes.byteLength / elementBytes;
  if (dtype === "f32") return new Float32Array(bytes, 0, length);
  return dtype === "i32" ? new Int32Array(bytes, 0, length) : new Uint32Array(bytes, 0, length);
}
