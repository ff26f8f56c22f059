/** Any file of tensors by name, told by its content and read into one form. */
import { failing } from "./byte_reader.ts";
import { foreignKind } from "./foreign.ts";
import { parseSafetensors, type SafeTensors } from "./safetensors.ts";
import type { StoredTensor } from "./stored_tensor.ts";
import { isPickle, readTorchLegacy } from "./torch_legacy.ts";
import { TensorReader } from "./torch_tensors.ts";
import { readTorchZip } from "./torch_zip.ts";
import { unwrap } from "./unwrap.ts";

/** Format of a file of tensors. */
export type StateDictFormat = "safetensors" | "PyTorch zip" | "PyTorch legacy";

/** What a file of tensors holds, whatever its format. */
export interface StateDict extends SafeTensors {
  /** Format of the file. */
  readonly format: StateDictFormat;
  /**
   * What was taken off on the way to the tensors: entries that were gone into, outermost first, such
   * as `state_dict`, then prefixes of their names, such as `module.`.
   */
  readonly unwrapped: readonly string[];
  /** Entries beside the tensors that are none. */
  readonly ignored: readonly string[];
}

/** Options of {@link readStateDict}. */
export interface StateDictOptions {
  /**
   * Entry of a PyTorch file that holds the tensors, such as `model_ema` or `state.generator`
   * (default: the likeliest: `state_dict`, `model`, …, or the file itself).
   */
  readonly entry?: string;
}

/**
 * Reads a file of tensors from its bytes: safetensors, PyTorch's zip format, or its legacy format
 * of before 1.6. The tensors are views of `bytes`; those that do not lie in order are copied when
 * they are asked for, and all such copies together are no larger than the file.
 *
 * A pickle in it is read by a machine that builds containers and tensors only: whatever else it
 * names is refused. Tensors are found under `state_dict`, `model` and the like, and `module.`
 * (data-parallel training) and `_orig_mod.` (compiled modules) are taken off their names. Numbers
 * and texts that lay beside them become metadata.
 *
 * @param bytes all bytes of the file
 * @param file name for messages
 * @throws {DataError} when it is of another format, damaged, or holds anything but tensors and
 *   plain values; the message says what it is
 * @example What a checkpoint holds
 * ```ts
 * import { readStateDict, serializeSafetensors } from "../../mod.ts";
 * const data = new Uint8Array(Float32Array.of(1, 2).buffer);
 * const bytes = serializeSafetensors([["module.fc.bias", { dtype: "F32", shape: [2], bytes: data }]]);
 * const { format, tensors, unwrapped } = readStateDict(bytes, "net.safetensors");
 * console.log(format, [...tensors.keys()], unwrapped); // safetensors [ "fc.bias" ] [ "module." ]
 * ```
 */
export function readStateDict(
  bytes: Uint8Array,
  file = "checkpoint",
  { entry }: StateDictOptions = {},
): StateDict {
  const fail = failing(file);
  if (isSafetensors(bytes)) {
    return stripped({
      format: "safetensors",
      ...parseSafetensors(bytes, file),
      ...{ unwrapped: [], ignored: [] },
    });
  }
  const isZip = startsWith(bytes, [0x50, 0x4b, 3, 4]);
  if (!isZip && !isPickle(bytes)) {
    const kind = foreignKind(bytes), wanted = "safetensors or a checkpoint of PyTorch is wanted";
    fail(
      kind === undefined
        ? `it begins with no header of safetensors and no sign of PyTorch; ${wanted}`
        : `it is ${kind}; ${wanted}`,
    );
  }
  const value = isZip ? readTorchZip(bytes, fail) : readTorchLegacy(bytes, fail);
  const { tensors, path, metadata, ignored } = unwrap(value, entry, fail);
  const reader = new TensorReader(bytes.length, fail), read = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) read.set(name, reader.read(name, tensor));
  const format = isZip ? "PyTorch zip" : "PyTorch legacy";
  return stripped({ format, tensors: read, metadata, unwrapped: path, ignored });
}

/** A length of less than 2⁴⁰, then the bracket of its JSON: no pickle and no archive begins so. */
function isSafetensors(bytes: Uint8Array): boolean {
  return bytes[8] === 0x7b && bytes[7] === 0 && bytes[6] === 0 && bytes[5] === 0;
}

function startsWith(bytes: Uint8Array, head: readonly number[]): boolean {
  return head.every((byte, k) => bytes[k] === byte);
}

/** What wrappers of modules put before the names of all tensors. */
const prefixes = ["module.", "_orig_mod."];
/** A counter beside the averaged module in PyTorch's `AveragedModel`. */
const averaged = "n_averaged";

/** Without the prefixes that all tensors have; a name can have several. */
function stripped(dict: StateDict): StateDict {
  let bare = dict;
  for (let left = 4; left > 0; left--) bare = strippedOnce(bare);
  return bare;
}

function strippedOnce(dict: StateDict): StateDict {
  const names = [...dict.tensors.keys()].filter((name) => name !== averaged);
  const prefix = prefixes.find((each) =>
    names.length > 0 && names.every((name) => name.startsWith(each))
  );
  if (prefix === undefined) return dict;
  const tensors = new Map<string, StoredTensor>();
  for (const name of names) tensors.set(name.slice(prefix.length), dict.tensors.get(name)!);
  const ignored = dict.tensors.has(averaged) ? [...dict.ignored, averaged] : dict.ignored;
  return { ...dict, tensors, ignored, unwrapped: [...dict.unwrapped, prefix] };
}
