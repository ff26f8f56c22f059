/** Pickles of every protocol and checkpoints around them, as Python's own pickler writes them. */
import assert from "node:assert/strict";
import { ByteReader, failing } from "../../models/checkpoint/byte_reader.ts";
import { PyDict, PyList, PyTuple, type Value } from "../../models/checkpoint/pickle_values.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import { toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { plainBuilder, unpickle } from "../../models/checkpoint/unpickler.ts";

/** See tests/fixtures/torch/pickles.py. */
interface Fixture {
  readonly plain: Readonly<Record<string, unknown>>;
  readonly pickles: readonly string[];
  readonly huge: { readonly value: string; readonly pickles: readonly string[] };
  readonly zip: readonly string[];
  readonly legacy: readonly string[];
}

const fixture = JSON.parse(
  await Deno.readTextFile(new URL("../fixtures/torch/pickles.json", import.meta.url)),
) as Fixture;

/** A value as JSON would have it. */
function plainOf(value: Value): unknown {
  if (value instanceof PyList || value instanceof PyTuple) return value.items.map(plainOf);
  if (value instanceof PyDict) {
    return Object.fromEntries([...value.entries].map(([key, each]) => [key, plainOf(each)]));
  }
  return value;
}

const read = (base64: string): Value =>
  unpickle(new ByteReader(Uint8Array.fromBase64(base64), "a pickle", failing("x")), plainBuilder);

fixture.pickles.forEach((pickle, protocol) => {
  Deno.test(`Python: plain values of protocol ${protocol}`, () => {
    assert.deepEqual(plainOf(read(pickle)), fixture.plain);
    assert.equal(read(fixture.huge.pickles[protocol]), BigInt(fixture.huge.value));
  });
});

const cases = [["PyTorch zip", fixture.zip], ["PyTorch legacy", fixture.legacy]] as const;
for (const [format, images] of cases) {
  images.forEach((base64, k) => {
    Deno.test(`Python: a checkpoint of protocol ${k + 2} as ${format}`, () => {
      const dict = readStateDict(Uint8Array.fromBase64(base64), "net.pth");
      assert.equal(dict.format, format);
      assert.deepEqual(dict.unwrapped, ["state_dict", "module."]);
      assert.deepEqual(dict.metadata, { epoch: "12", arch: "größe", best: "91.78" });
      const found = [...dict.tensors].map(([name, t]) => [
        ...[name, t.dtype, t.shape],
        t.dtype === "F32" ? [...toFloat32(name, t)] : [...t.bytes],
      ]);
      assert.deepEqual(found, [
        ["fc.weight", "F32", [2, 3], [1, 2, 3, 4, 5, 6]],
        ["fc.turned", "F32", [3, 2], [1, 4, 2, 5, 3, 6]],
        ["fc.bias", "F32", [2], [5, 6]],
        ["bn.num_batches_tracked", "I64", [], [7, 0, 0, 0, 0, 0, 0, 0]],
      ]);
    });
  });
}
