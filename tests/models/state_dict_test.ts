/** One reader for every format: what a file is, is told by its content, and by its name when it is not ours. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import {
  elementWidths,
  sizeBytes,
  type StoredTensor,
  type StoredType,
  toFloat32,
  toHalf,
  viewFloat32,
} from "../../models/checkpoint/stored_tensor.ts";
import { joined, latin1Bytes } from "./bytes.ts";
import { pickled } from "./pickle_writer.ts";

const types = Object.keys(elementWidths) as StoredType[];

Deno.test("state dict: a safetensors file of every type is what was written", () => {
  const tensor = fc.tuple(
    fc.constantFrom(...types),
    fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
  ).chain(([dtype, shape]) => {
    const length = sizeBytes({ dtype, shape });
    return fc.uint8Array({ minLength: length, maxLength: length })
      .map((bytes): StoredTensor => ({ dtype, shape, bytes }));
  });
  const name = fc.constantFrom("a", "b.c", "__proto__", "größe", "1", "constructor");
  const tensors = fc.uniqueArray(fc.tuple(name, tensor), { selector: ([each]) => each });
  fc.assert(fc.property(tensors, (list) => {
    const saved = serializeSafetensors(list, { note: "x" }), dict = readStateDict(saved);
    assert.deepEqual(
      [dict.format, dict.unwrapped, dict.ignored, dict.metadata.note],
      ["safetensors", [], [], "x"],
    );
    assert.equal(dict.tensors.size, list.length);
    for (const [key, { dtype, shape, bytes }] of list) {
      const found = dict.tensors.get(key)!;
      assert.deepEqual([found.dtype, found.shape, [...found.bytes]], [dtype, shape, [...bytes]]);
      // PyTorch reads a tensor as a view of the file: it must lie at a multiple of its elements.
      assert.equal(found.bytes.byteOffset % elementWidths[dtype], 0, `${key} lies askew`);
    }
  }));
});

Deno.test("state dict: prefixes are taken off in safetensors too", () => {
  const bytes = new Uint8Array(4), stored: StoredTensor = { dtype: "F32", shape: [], bytes };
  const saved = serializeSafetensors([["module.a", stored], ["module.b", stored]]);
  const { tensors, unwrapped } = readStateDict(saved);
  assert.deepEqual([[...tensors.keys()], unwrapped], [["a", "b"], ["module."]]);
});

/** A half by its definition: sign, five bits of exponent, ten of fraction. */
function halfValue(word: number): number {
  const sign = word >> 15 ? -1 : 1, exponent = word >> 10 & 31, fraction = word & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A bfloat16 by its definition: sign, eight bits of exponent, seven of fraction. */
function brainValue(word: number): number {
  const sign = word >> 15 ? -1 : 1, exponent = word >> 7 & 255, fraction = word & 127;
  if (exponent === 255) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0
    ? sign * fraction * 2 ** -133
    : sign * (1 + fraction / 128) * 2 ** (exponent - 127);
}

const allWords = Uint16Array.from({ length: 65_536 }, (_, k) => k);
const wordTensor = (dtype: StoredType): StoredTensor => ({
  ...{ dtype, shape: [65_536], bytes: new Uint8Array(allWords.buffer) },
});

Deno.test("state dict: all 65,536 halves and bfloat16s are exact, subnormals, NaN and infinities too", () => {
  for (const [dtype, valueOf] of [["F16", halfValue], ["BF16", brainValue]] as const) {
    const found = toFloat32("x", wordTensor(dtype));
    for (const word of allWords) {
      if (!Object.is(found[word], valueOf(word))) {
        assert.fail(`${dtype} ${word}: ${found[word]}, ${valueOf(word)} is wanted`);
      }
    }
  }
});

Deno.test("state dict: to half precision is to the nearest, ties to even", () => {
  const halves = [...allWords.subarray(0, 0x7c00)].map(halfValue);
  const stored = (values: readonly number[]): StoredTensor => ({
    ...{ dtype: "F64", shape: [values.length] },
    bytes: new Uint8Array(Float64Array.from(values).buffer),
  });
  const wordsOf = (values: readonly number[]) => [
    ...new Uint16Array(toHalf("x", stored(values)).bytes.slice().buffer),
  ];
  assert.deepEqual(wordsOf(halves), [...allWords.subarray(0, 0x7c00)]);
  const ties = halves.slice(1).map((value, k) => (value + halves[k]) / 2);
  assert.deepEqual(wordsOf(ties), ties.map((_, k) => k % 2 === 0 ? k : k + 1));
  // A step of f64 beside the tie decides, which a detour over f32 would not see.
  assert.deepEqual(wordsOf(ties.map((v) => v * (1 + 2 ** -52))), ties.map((_, k) => k + 1));
  assert.deepEqual(wordsOf([-0, Infinity, -Infinity]), [0x8000, 0x7c00, 0xfc00]);
  assert(Number.isNaN(halfValue(wordsOf([NaN])[0])));
});

Deno.test("state dict: f32 are seen in the file where they lie in step, else copied", () => {
  const buffer = new ArrayBuffer(16);
  for (const [offset, isView] of [[0, true], [4, true], [1, false], [2, false]] as const) {
    const bytes = new Uint8Array(buffer, offset, 8).fill(offset);
    const stored: StoredTensor = { dtype: "F32", shape: [2], bytes };
    assert.equal(viewFloat32("x", stored).buffer === buffer, isView);
    assert.deepEqual(viewFloat32("x", stored), toFloat32("x", stored));
  }
});

const htmlPage = "\n<!DOCTYPE html><html><body>404</body></html>";
const foreign: readonly [head: string, says: RegExp][] = [
  ["", /it is empty/],
  ["x", /begins with no header of safetensors and no sign of PyTorch/],
  ["version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", /Git LFS pointer/],
  [htmlPage, /HTML page/],
  ["\xef\xbb\xbf<html>", /HTML page/],
  ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /XML/],
  ['{"weights": {"a": 1}}', /a JSON text/],
  ['{"a":   {"a": 1}}', /a JSON text/],
  ["\x1f\x8b\x08\0\0\0\0\0\0\0", /compressed by gzip/],
  ["\x28\xb5\x2f\xfd\0\0\0\0\0\0", /compressed by zstd/],
  ["\x89HDF\r\n\x1a\n\0\0\0", /HDF5/],
  ["\x1c\0\0\0TFL3\0\0\0\0", /TensorFlow Lite/],
  ["\x08\x01\x12\xf7\x4e\x0a\x3d\x12\x04\x32\x2e\x31\x0a\x0a\x0a\x0a", /SavedModel of TensorFlow/],
  ["\x08\x07\x12\x07pytorch\x1a\x051.9.0:\x90", /ONNX/],
  ["GGUF\x03\0\0\0\0\0\0\0", /GGUF/],
  ["\x93NUMPY\x01\0v\0{'descr': '<f4'", /NumPy/],
  ["\x89PNG\r\n\x1a\n\0\0\0\rIHDR", /PNG picture/],
  ["\xff\xd8\xff\xe0\0\x10JFIF", /JPEG picture/],
  ["sys_info".padEnd(257, "\0") + "ustar\x0000", /tar archive/],
];

Deno.test("state dict: other files are called what they are", () => {
  for (const [head, says] of foreign) {
    assert.throws(() => readStateDict(latin1Bytes(head), "net.pth"), (error) => {
      assert(error instanceof DataError && error.file === "net.pth", `${error}`);
      assert.match(error.message, says);
      assert.match(error.message, /^Cannot read net\.pth: it .*PyTorch is wanted$/);
      return true;
    }, head);
  }
});

Deno.test("state dict: a pickle that torch.save did not write, and a safetensors file cut off", () => {
  for (
    const saved of [pickled({ a: 1 }), joined([Uint8Array.of(0x80, 4, 0x95), new Uint8Array(99)])]
  ) {
    assert.throws(() => readStateDict(saved, "a.pkl"), {
      name: "DataError",
      message: /^Cannot read a\.pkl: it/,
    });
  }
  const saved = serializeSafetensors([["a", wordTensor("F16")]]);
  assert.throws(() => readStateDict(saved.subarray(0, 20), "a"), /header claims 64 bytes/);
  // Whose header is as long as a pickle's first two bytes say: 0x0280.
  const wide = serializeSafetensors([["a", wordTensor("F16")]], { note: "x".repeat(544) });
  assert.deepEqual([...wide.subarray(0, 2)], [0x80, 0x02]);
  assert.equal(readStateDict(wide).format, "safetensors");
});
