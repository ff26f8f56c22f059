/**
 * Checkpoints of PyTorch before 1.6: five pickles (magic number, version, system, object, keys of
 * storages), then each storage in the order of the keys: a count of elements, int64, and the
 * elements.
 *
 * @source PyTorch `torch/serialization.py`, `_legacy_save`
 */
import { ByteReader, type Fail, quoted } from "./byte_reader.ts";
import { kindOf, PyDict, PyList, type Value } from "./pickle_values.ts";
import { elementWidths } from "./stored_tensor.ts";
import { TorchBuilder } from "./torch_globals.ts";
import type { Builder } from "./pickle_machine.ts";
import { plainBuilder, unpickle } from "./unpickler.ts";

const magic = 0x1950a86a20f9469cfc6cn;
const version = 1001;

/** True for bytes that begin as a pickle does: with its protocol, or with the magic number in digits. */
export function isPickle(bytes: Uint8Array): boolean {
  const digits = `L${magic}`;
  return (bytes[0] === 0x80 && bytes[1] <= 5 && bytes.length > 2) ||
    (bytes.length > digits.length && [...digits].every((c, k) => bytes[k] === c.charCodeAt(0)));
}

/** The object in a file; its storages have their bytes. */
export function readTorchLegacy(bytes: Uint8Array, fail: Fail): Value {
  const reader = new ByteReader(bytes, "the file", fail);
  readPreamble(reader, fail);
  const builder = new TorchBuilder(), value = unpickle(reader, builder);
  const keys = unpickle(reader, plainBuilder);
  if (!(keys instanceof PyList)) return fail("its keys of storages are no list");
  const left = new Map(builder.storages);
  for (const key of keys.items) {
    const storage = typeof key === "string" ? left.get(key) : undefined;
    if (storage === undefined) {
      const shown = typeof key === "string" ? quoted(key) : "without a name";
      return fail(`it has a storage ${shown} that no tensor names, or names it twice`);
    }
    left.delete(storage.key);
    const count = reader.u64();
    if (count !== storage.count) {
      reader.fail(
        `storage ${quoted(storage.key)} has ${count} elements, ${storage.count} are wanted`,
      );
    }
    storage.bytes = reader.take(
      count * (storage.dtype === null ? 1 : elementWidths[storage.dtype]),
    );
  }
  for (const key of left.keys()) fail(`it lacks the storage ${quoted(key)}`);
  return value;
}

const other =
  "it is a Python pickle that torch.save did not write, a checkpoint of PyTorch is wanted";
const magicOnly: Builder = {
  find: (_module, _name, fail) => fail(other),
  persistent: (_id, fail) => fail(other),
};

function readPreamble(reader: ByteReader, fail: Fail): void {
  if (unpickle(reader, magicOnly) !== magic) fail(other);
  const found = unpickle(reader, plainBuilder);
  if (found !== version) {
    const shown = typeof found === "number" ? found : kindOf(found);
    fail(`it is of version ${shown}, ${version} is wanted`);
  }
  const system = unpickle(reader, plainBuilder);
  if (system instanceof PyDict && system.entries.get("little_endian") === false) {
    fail("its numbers are big-endian, little-endian ones are wanted");
  }
}
