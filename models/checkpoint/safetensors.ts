/**
 * The safetensors format: header length (u64, little-endian), header (JSON, padded with spaces to
 * eight bytes), then the elements of all tensors without gaps. A file is hostile input: every
 * length and offset is checked before it is used.
 *
 * @source github.com/huggingface/safetensors, "Format"
 */
import { DataError } from "../../core/errors.ts";
import { plainName, printableJson } from "./byte_reader.ts";
import { elementWidths, sizeBytes, type StoredTensor, type StoredType } from "./stored_tensor.ts";

/** What a file holds. */
export interface SafeTensors {
  /** Tensors by name, in the order of the header. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Texts by name, such as the model's name; empty where the file has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

const known = Object.keys(elementWidths).join(", ");

const maxHeaderBytes = 100_000_000;

interface HeaderEntry {
  readonly dtype?: unknown;
  readonly shape?: unknown;
  readonly data_offsets?: unknown;
}

/**
 * Reads a file from its bytes, without copying the tensors.
 *
 * @param bytes all bytes of the file
 * @param file name for messages
 * @throws {DataError} when it is no safetensors file, or a damaged one
 */
export function parseSafetensors(bytes: Uint8Array, file = "safetensors"): SafeTensors {
  const fail = (what: string): never => {
    throw new DataError(`Cannot read ${file}: ${what}`, { file });
  };
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes, a safetensors file has at least 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > maxHeaderBytes || 8 + headerBytes > bytes.length) {
    fail(
      `its header claims ${headerBytes} bytes, the file has ${bytes.length}; ` +
        `it is cut off or no safetensors file`,
    );
  }
  const header = parseHeader(bytes.subarray(8, 8 + headerBytes), fail);
  const { __metadata__, ...entries } = header;
  const data = bytes.subarray(8 + headerBytes), tensors = new Map<string, StoredTensor>();
  const ranges: [start: number, end: number][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const { stored, range } = checkEntry(name, entry as HeaderEntry | null, data, fail);
    tensors.set(name, stored);
    ranges.push(range);
  }
  checkRanges(ranges, data.length, fail);
  return { tensors, metadata: checkMetadata(__metadata__, fail) };
}

type Fail = (what: string) => never;

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) {
      return header as Record<string, unknown>;
    }
  } catch {
    // Falls through to the one message for every kind of broken header.
  }
  return fail("its header is no JSON object");
}

/** A part of a header for a message; it may be of any kind, length and depth. */
function asText(value: unknown): string {
  try {
    return printableJson(`${JSON.stringify(value)}`.slice(0, 80));
  } catch {
    return "[[…]]"; // nested deeper than the stack
  }
}

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

function checkEntry(name: string, entry: HeaderEntry | null, data: Uint8Array, fail: Fail) {
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  if (typeof dtype !== "string" || !Object.hasOwn(elementWidths, dtype)) {
    return fail(
      `${plainName(name)} has the element type ${asText(dtype)}, one of ${known} is wanted`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    return fail(`${plainName(name)} has the shape ${asText(shape)}, a list of sizes is wanted`);
  }
  const [start, end]: unknown[] = Array.isArray(offsets) && offsets.length === 2 ? offsets : [];
  const wanted = sizeBytes({ dtype: dtype as StoredType, shape });
  if (!isCount(start) || !isCount(end) || end - start !== wanted || end > data.length) {
    return fail(
      `${plainName(name)} lies at ${asText(offsets)}, ${wanted} of ${data.length} bytes are wanted`,
    );
  }
  const stored: StoredTensor = {
    dtype: dtype as StoredType,
    shape,
    bytes: data.subarray(start, end),
  };
  return { stored, range: [start, end] as [number, number] };
}

function checkRanges(ranges: [number, number][], length: number, fail: Fail): void {
  let at = 0;
  for (const [start, end] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (start !== at) fail(`its data have a hole or an overlap at byte ${start}`);
    at = end;
  }
  if (at !== length) fail(`${length - at} bytes at its end belong to no tensor`);
}

function checkMetadata(metadata: unknown, fail: Fail): Record<string, string> {
  if (metadata === undefined) return {};
  const isText = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata) &&
    Object.values(metadata).every((v) => typeof v === "string");
  return isText ? metadata as Record<string, string> : fail("its metadata are no texts");
}

/**
 * The bytes of a file with tensors in the given order. Data begin at multiples of their elements,
 * as PyTorch's reader wants them: the header is padded, and wide elements lie first.
 *
 * @param tensors names and tensors; `bytes` as many as shape and element type say
 * @param metadata texts by name
 */
export function serializeSafetensors(
  tensors: Iterable<readonly [string, StoredTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const list = [...tensors], { offsets, end } = laidOut(list);
  // Without a prototype, so that a tensor may be called `__proto__`.
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  list.forEach(([name, tensor], k) => {
    const { dtype, shape } = tensor, start = offsets[k];
    header[name] = { dtype, shape, data_offsets: [start, start + sizeBytes(tensor)] };
  });
  // Padded by its bytes, not by its characters: names may be non-ASCII.
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, 8, 8 + headerBytes).set(json, 8);
  list.forEach(([, t], k) => bytes.set(t.bytes, 8 + headerBytes + offsets[k]));
  return bytes;
}

/** Where the data of each tensor begin: wide elements first, so that none lies askew. */
function laidOut(list: readonly (readonly [string, StoredTensor])[]) {
  const offsets = new Array<number>(list.length);
  let end = 0;
  for (const width of [8, 4, 2, 1]) {
    list.forEach(([, tensor], k) => {
      if (elementWidths[tensor.dtype] !== width) return;
      offsets[k] = end;
      end += sizeBytes(tensor);
    });
  }
  return { offsets, end };
}
