/** The IDX file format: a small header, then an array of bytes. */
import { DataError } from "../core/errors.ts";
import { gunzip } from "./gzip.ts";

/** An array of bytes with its shape. */
export interface IdxArray {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Elements a file may hold: four times those of Fashion-MNIST's training images. */
const maxElements = 4 * 60_000 * 28 * 28;
const ubyte = 0x08, maxAxes = 3;

/**
 * Shape and length of the header.
 * Returns `undefined` when there are too few bytes to tell.
 */
function parseHeader(bytes: Uint8Array, fail: (fact: string) => Error) {
  if (bytes.length < 4) return undefined;
  const [zero0, zero1, type, axes] = bytes;
  if (zero0 !== 0 || zero1 !== 0) throw fail("does not begin with two zero bytes, IDX is wanted");
  if (type !== ubyte) throw fail(`has elements of type ${type}, 8 (unsigned bytes) is wanted`);
  if (axes < 1 || axes > maxAxes) throw fail(`has ${axes} axes, 1 to ${maxAxes} are wanted`);
  const headerBytes = 4 + 4 * axes;
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements < 1 || elements > maxElements) {
    const said = `[${shape.join(",")}], ${elements} elements`;
    throw fail(`says its shape is ${said}, 1 to ${maxElements} are wanted`);
  }
  return { shape, headerBytes, elements };
}

/** Unpacks gzip until the array its header promises is full; more or less is an error. */
async function unpack(bytes: Uint8Array<ArrayBuffer>, fail: (fact: string) => Error) {
  const stream = gunzip(new Blob([bytes]).stream());
  let start = new Uint8Array(0), whole: Uint8Array<ArrayBuffer> | undefined, filled = 0;
  try {
    for await (const chunk of stream) {
      if (whole === undefined) {
        const joined = new Uint8Array(start.length + chunk.length);
        joined.set(start);
        joined.set(chunk, start.length);
        start = joined;
        const header = parseHeader(start, fail);
        if (header === undefined) continue;
        whole = new Uint8Array(header.headerBytes + header.elements);
      }
      const piece = filled === 0 ? start : chunk;
      if (filled + piece.length > whole.length) {
        throw fail(`unpacks to more than the ${whole.length} bytes its header says`);
      }
      whole.set(piece, filled);
      filled += piece.length;
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw fail(`is damaged (${error instanceof Error ? error.message : error})`);
  }
  return whole === undefined ? start : whole.subarray(0, filled);
}

/**
 * Reads an IDX array of unsigned bytes, plain or packed with gzip.
 *
 * `00 00 08 r`, then r sizes as big-endian 32-bit words, then the elements.
 * Nothing is allocated beyond what the header says, and that is limited.
 *
 * @throws {DataError} on any other header, a length that does not fit it, or damaged gzip data
 * @source LeCun, "The MNIST database", section "The IDX file format"
 */
export async function readIdx(
  bytes: Uint8Array<ArrayBuffer>,
  { file }: { file: string },
): Promise<IdxArray> {
  const fail = (fact: string) => new DataError(`Cannot read ${file}: it ${fact}`, { file });
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const plain = packed ? await unpack(bytes, fail) : bytes;
  const header = parseHeader(plain, fail);
  if (header === undefined) throw fail(`ends inside its header, after ${plain.length} bytes`);
  const { shape, headerBytes, elements } = header;
  if (plain.length !== headerBytes + elements) {
    throw fail(`has ${plain.length} bytes, ${headerBytes + elements} are wanted`);
  }
  return { shape, data: plain.subarray(headerBytes) };
}
