/** What a file is that is no checkpoint: a message that says so saves an hour. */
import { latin1 } from "./byte_reader.ts";

/** What is at the beginning of a file, or at an offset, and what it is then. */
type Sign = readonly [start: string, kind: string, offset?: number];

const signs: readonly Sign[] = [
  ["version https://git-lfs.github.com/", "a Git LFS pointer, not the file itself (git lfs pull)"],
  ["\x1f\x8b", "compressed by gzip, to be unpacked first"],
  ["BZh", "compressed by bzip2, to be unpacked first"],
  ["\xfd7zXZ\0", "compressed by xz, to be unpacked first"],
  ["\x28\xb5\x2f\xfd", "compressed by zstd, to be unpacked first"],
  ["7z\xbc\xaf\x27\x1c", "a 7-Zip archive, to be unpacked first"],
  ["Rar!", "a RAR archive, to be unpacked first"],
  ["ustar", "a tar archive; PyTorch's of before 2017 must be saved again by a later PyTorch", 257],
  ["\x89HDF\r\n\x1a\n", "an HDF5 file, of Keras perhaps"],
  ["TFL3", "a TensorFlow Lite model", 4],
  ["GGUF", "a GGUF model"],
  ["\x93NUMPY", "a NumPy array"],
  ["\x89PNG\r\n\x1a\n", "a PNG picture"],
  ["\xff\xd8\xff", "a JPEG picture"],
  ["GIF8", "a GIF picture"],
  ["RIFF", "a RIFF file, such as a WebP picture"],
  ["BM", "a BMP picture"],
  ["%PDF", "a PDF document"],
  ["\0asm", "a WebAssembly module"],
  ["PK\x05\x06", "an empty zip archive"],
];

/** What the file is, in words that follow "it is"; undefined where it is of no kind known here. */
export function foreignKind(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "empty";
  const head = latin1(bytes.subarray(0, 1024));
  const sign = signs.find(([start, , offset = 0]) => head.startsWith(start, offset));
  if (sign !== undefined) return sign[1];
  const text = head.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (/^<(!doctype html|html|head|body)/i.test(text)) {
    return "an HTML page, which a server sent instead of the file perhaps";
  }
  if (/^<(\?xml|Error)/.test(text)) return "an XML text, a server's message perhaps";
  if (/^[{[]/.test(text)) return "a JSON text";
  return protobufKind(bytes);
}

/**
 * ONNX and TensorFlow write protocol buffers without a sign of their own. Both begin with a version
 * in field 1; behind it ONNX has the producer's name or the graph, TensorFlow a list of graphs.
 */
function protobufKind(bytes: Uint8Array): string | undefined {
  const [tag, version, next] = bytes;
  if (tag !== 0x08 || bytes.length < 16) return undefined;
  if (version === 1 && next === 0x12) return "a SavedModel of TensorFlow, probably";
  // Fields 2 to 8, texts or messages: their tags are 0x12, 0x1a, … 0x42.
  const isField = next >= 0x12 && next <= 0x42 && (next & 7) === 2;
  return version >= 2 && version <= 20 && isField ? "an ONNX model, probably" : undefined;
}
