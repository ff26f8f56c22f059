/** The safetensors format: what is written is read again, and what Python writes is read. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { parseSafetensors, serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import {
  type StoredTensor,
  type StoredType,
  toFloat32,
} from "../../models/checkpoint/stored_tensor.ts";
import { DataError } from "../../core/errors.ts";
import { assertClose } from "../assert.ts";
import { fileOf } from "./safetensors_file.ts";

// deno-fmt-ignore
const widths: Readonly<Record<StoredType, number>> = {
  BOOL: 1, U8: 1, I8: 1, U16: 2, I16: 2, F16: 2, BF16: 2,
  U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8,
};

/** A tensor of any type and up to three axes, some of size 0. */
const storedTensor: fc.Arbitrary<StoredTensor> = fc.tuple(
  fc.constantFrom(...Object.keys(widths) as StoredType[]),
  fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
).chain(([dtype, shape]) => {
  const length = widths[dtype] * shape.reduce((a, b) => a * b, 1);
  return fc.uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => ({ dtype, shape, bytes }));
});

/** Names as models have them, and anything else that JSON can hold. */
const nameOf = fc.oneof(
  fc.constantFrom(
    "layer1.0.conv1.weight",
    "größe",
    "重み",
    "🙂.bias",
    '"\\\n',
    "constructor",
    "7",
    "",
  ),
  fc.string({ unit: "binary", maxLength: 12 }).filter((name) => name.isWellFormed()),
).filter((name) => name !== "__metadata__");

Deno.test("safetensors: what is written is read again", () => {
  const tensors = fc.uniqueArray(fc.tuple(nameOf, storedTensor), { selector: ([name]) => name });
  const metadata = fc.dictionary(
    nameOf,
    fc.string({ unit: "binary" }).filter((t) => t.isWellFormed()),
  );
  fc.assert(fc.property(tensors, metadata, (list, texts) => {
    const saved = serializeSafetensors(list, texts);
    const headerBytes = Number(new DataView(saved.buffer).getBigUint64(0, true));
    assert.equal(headerBytes % 8, 0, "the data begin at a multiple of eight bytes");
    const found = parseSafetensors(saved);
    assert.deepEqual({ ...found.metadata }, { ...texts });
    assert.deepEqual(new Set(found.tensors.keys()), new Set(list.map(([name]) => name)));
    for (const [name, { dtype, shape, bytes }] of list) {
      const stored = found.tensors.get(name)!;
      assert.deepEqual([stored.dtype, stored.shape], [dtype, shape]);
      assert.deepEqual([...stored.bytes], [...bytes]);
    }
  }));
});

Deno.test("safetensors: tensors that lie at odd bytes are read", () => {
  const elements = Float32Array.of(1.5, -2, 3e10), bytes = new Uint8Array(elements.buffer);
  for (let padding = 0; padding < 9; padding++) {
    const header = '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}';
    const saved = fileOf(header + " ".repeat(padding), bytes);
    // A view that itself starts at an odd byte of a larger buffer.
    const moved = new Uint8Array(saved.length + 3);
    moved.set(saved, 3);
    for (const view of [saved, moved.subarray(3)]) {
      assert.deepEqual(toFloat32("a", parseSafetensors(view).tensors.get("a")!), elements);
    }
  }
});

Deno.test("safetensors: a file in the layout that Python writes", () => {
  // Names sorted, no space in the JSON, metadata first, data in the order of the names.
  const header = '{"__metadata__":{"format":"pt"},' +
    '"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' +
    '"bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[8,16]},' +
    '"weight":{"dtype":"F32","shape":[2,1],"data_offsets":[16,24]}}';
  const data = new Uint8Array(24), view = new DataView(data.buffer);
  [0.25, -1].forEach((value, k) => view.setFloat32(4 * k, value, true));
  view.setBigInt64(8, 300n, true);
  [8, 1e-3].forEach((value, k) => view.setFloat32(16 + 4 * k, value, true));
  const { tensors, metadata } = parseSafetensors(fileOf(header.padEnd(240), data));
  assert.deepEqual(metadata, { format: "pt" });
  assert.deepEqual([...tensors.keys()], ["bias", "bn.num_batches_tracked", "weight"]);
  assert.deepEqual(toFloat32("bias", tensors.get("bias")!), Float32Array.of(0.25, -1));
  assert.deepEqual(tensors.get("weight")!.shape, [2, 1]);
  assert.deepEqual(toFloat32("weight", tensors.get("weight")!), Float32Array.of(8, 1e-3));
  assert.equal(tensors.get("bn.num_batches_tracked")!.dtype, "I64");
});

/** A tensor of 16-bit words. */
const half = (dtype: StoredType, words: readonly number[]): StoredTensor => ({
  dtype,
  shape: [words.length],
  bytes: new Uint8Array(Uint16Array.from(words).buffer),
});

Deno.test("safetensors: F16 by its definition", () => {
  const words = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x7e00];
  const expected = [1, -2, 65504, 2 ** -14, 2 ** -24, 0, Infinity, -Infinity, NaN];
  const found = toFloat32("x", half("F16", words));
  assertClose(found, expected);
  assert(Object.is(found[5], -0));
});

Deno.test("safetensors: BF16 is the upper half of F32", () => {
  const words = [0x3f80, 0xc000, 0x4049, 0x7f80, 0xff80, 0x8000, 0x0001];
  const expected = [1, -2, 3.140625, Infinity, -Infinity, -0, 2 ** -133];
  assert.deepEqual([...toFloat32("x", half("BF16", words))], expected);
});

Deno.test("safetensors: F64 is rounded to F32", () => {
  const bytes = new Uint8Array(Float64Array.of(Math.PI, 1e300, -1e-300, 16777217).buffer);
  const found = toFloat32("x", { dtype: "F64", shape: [4], bytes });
  assert.deepEqual([...found], [Math.fround(Math.PI), Infinity, -0, 16777216]);
});

Deno.test("safetensors: whole numbers are no weights", () => {
  for (const dtype of ["I64", "I32", "U8", "BOOL"] as const) {
    const stored = { dtype, shape: [], bytes: new Uint8Array(widths[dtype]) };
    assert.throws(() => toFloat32("steps", stored), (error: unknown) => {
      assert(error instanceof DataError);
      assert.match(error.message, new RegExp(`^Cannot read steps: it holds ${dtype}, F32`));
      return true;
    });
  }
});
