/**
 * Checkpoints of PyTorch 1.6 and later: a zip archive with a pickle, `NAME/data.pkl`, and a file for
 * each storage, `NAME/data/KEY`.
 *
 * @source PyTorch `torch/serialization.py`, `_save`
 */
import { ByteReader, type Fail, latin1, quoted } from "./byte_reader.ts";
import type { Value } from "./pickle_values.ts";
import { elementWidths } from "./stored_tensor.ts";
import { TorchBuilder } from "./torch_globals.ts";
import { unpickle } from "./unpickler.ts";
import { readZip } from "./zip.ts";

/** The object in an archive; its storages have their bytes. */
export function readTorchZip(bytes: Uint8Array, fail: Fail): Value {
  const zip = readZip(bytes, fail);
  const pickles = zip.names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    const found = zip.names.slice(0, 3).map(quoted).join(", ");
    fail(
      `it is a zip archive of ${zip.names.length} files (${found} …), ` +
        `one with NAME/data.pkl, as PyTorch writes it, is wanted`,
    );
  }
  const [pickle] = pickles, root = pickle.slice(0, -"data.pkl".length);
  if (zip.names.includes(`${root}constants.pkl`)) {
    fail("it is a TorchScript archive, a program; save the state_dict of the module");
  }
  const order = zip.bytes(`${root}byteorder`);
  if (order !== undefined && latin1(order) !== "little") {
    fail(`its numbers are ${quoted(latin1(order.subarray(0, 20)))}-endian, "little" is wanted`);
  }
  const builder = new TorchBuilder();
  const value = unpickle(new ByteReader(zip.bytes(pickle)!, "data.pkl", fail), builder);
  for (const [key, storage] of builder.storages) {
    const wanted = storage.count * (storage.dtype === null ? 1 : elementWidths[storage.dtype]);
    const empty = wanted === 0 ? new Uint8Array() : undefined;
    const bytes = zip.bytes(`${root}data/${key}`) ?? empty;
    if (bytes?.length !== wanted) {
      fail(`storage ${quoted(key)} has ${bytes?.length ?? "no"} bytes, ${wanted} are wanted`);
    }
    storage.bytes = bytes;
  }
  return value;
}
