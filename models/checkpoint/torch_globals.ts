/**
 * The only names that a pickle of PyTorch may use, and what stands for them here. Whatever is not
 * in this list is refused by name: nothing is ever looked up elsewhere.
 *
 * @source PyTorch `torch/_weights_only_unpickler.py` and `torch/_utils.py`, for what the names mean
 */
import { plainName, quoted } from "./byte_reader.ts";
import {
  kindOf,
  PyDict,
  PyGlobal,
  PyList,
  PyOpaque,
  PyTuple,
  Storage,
  TorchTensor,
  type Value,
} from "./pickle_values.ts";
import type { StoredType } from "./stored_tensor.ts";
import { BadArguments, type Builder } from "./pickle_machine.ts";

/** Element types by PyTorch's name of their storage. */
const storageTypes: Readonly<Record<string, StoredType>> = {
  ...{ Float: "F32", Double: "F64", Half: "F16", BFloat16: "BF16", Bool: "BOOL" },
  ...{ Long: "I64", Int: "I32", Short: "I16", Char: "I8", Byte: "U8" },
};

/** Element types by PyTorch's names; those that no file here can hold are undefined. */
const dtypes: Readonly<Record<string, StoredType | undefined>> = {
  ...{ float32: "F32", float: "F32", float64: "F64", double: "F64" },
  ...{ float16: "F16", half: "F16", bfloat16: "BF16", bool: "BOOL", uint8: "U8", int8: "I8" },
  ...{ int16: "I16", short: "I16", int32: "I32", int: "I32", int64: "I64", long: "I64" },
  ...{ uint16: "U16", uint32: "U32", uint64: "U64", complex64: undefined, complex128: undefined },
};

/** What is named, never needed, and stands for nothing. */
const opaque: Readonly<Record<string, readonly string[]>> = {
  "": [
    ...["argparse.Namespace", "torch.device", "torch.serialization._get_layout"],
    ...["numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"],
    ...["numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"],
    ...["builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.complex"],
    "_codecs.encode", // bytes, as protocol 2 has them
  ],
  named: ["numpy.ndarray", "torch.Tensor", "builtins.dict", "builtins.list", "builtins.int"],
};

/** Tensors that have no elements as this reader knows them, by the function that rebuilds them. */
const foreignTensors: Readonly<Record<string, string>> = {
  _rebuild_sparse_tensor: "a sparse tensor",
  _rebuild_sparse_csr_tensor: "a sparse tensor",
  _rebuild_qtensor: "a quantised tensor",
  _rebuild_meta_tensor_no_storage: "a tensor without elements",
  _rebuild_wrapper_subclass: "a tensor of a class of its own",
  _rebuild_device_tensor_from_numpy: "a tensor in NumPy's form",
  _rebuild_nested_tensor: "a nested tensor",
};

/** Most axes that PyTorch's tensors have. */
const maxRank = 64;
/** Most entries of dicts that are made from lists: a list may be used again and again. */
const maxCopies = 1_000_000;

/** Knows tensors, their storages and the containers around them; a new one for each file. */
export class TorchBuilder implements Builder {
  /** Storages that tensors refer to, by key. */
  readonly storages = new Map<string, Storage>();
  /** Storages that are views of others: of another name, but not in the file. */
  readonly #views = new Map<string, Storage>();
  #copies = 0;
  readonly #callables: ReadonlyMap<string, PyGlobal> = new Map(
    ([
      ["collections.OrderedDict", (args) => this.#dict(args)],
      ["collections.Counter", () => new PyDict()],
      ["collections.defaultdict", () => new PyDict()],
      ["torch.Size", ([size]) => size instanceof PyTuple ? size : unfit("torch.Size", size)],
      ["torch._utils._rebuild_tensor", rebuildTensor],
      ["torch._utils._rebuild_tensor_v2", rebuildTensor],
      ["torch._utils._rebuild_tensor_v3", rebuildTensor],
      ["torch._utils._rebuild_parameter", sameTensor],
      ["torch._utils._rebuild_parameter_with_state", sameTensor],
      ["torch.nn.parameter.Parameter", sameTensor],
      ["torch.nn.parameter.Buffer", sameTensor],
      ["torch._tensor._rebuild_from_type_v2", rebuildFromType],
    ] satisfies [string, NonNullable<PyGlobal["call"]>][]).map((
      [name, call],
    ) => [name, new PyGlobal(name, call)]),
  );

  /** The allowed class or function of this name. */
  find(module: string, name: string, fail: (what: string) => never): PyGlobal {
    const full = `${module.replace(/^__builtin__$/, "builtins")}.${name}`;
    const storage = /^torch(?:\.cuda)?\.(\w+)Storage$/.exec(full)?.[1] ?? "";
    if (Object.hasOwn(storageTypes, storage)) {
      return new PyGlobal(full, undefined, storageTypes[storage]);
    }
    if (/^torch(\.storage)?\.(Untyped|Typed|_Untyped|_Typed)Storage$/.test(full)) {
      return new PyGlobal(full, undefined, null);
    }
    if (module === "torch" && Object.hasOwn(dtypes, name)) {
      return new PyGlobal(full, undefined, dtypes[name]);
    }
    if (opaque[""].includes(full)) return new PyGlobal(full, () => new PyOpaque(full));
    if (opaque.named.includes(full)) return new PyGlobal(full);
    return this.#callables.get(full) ?? fail(refusal(full, name));
  }

  /** The storage that a persistent id names. */
  persistent(id: Value, fail: (what: string) => never): Storage {
    if (!(id instanceof PyTuple)) {
      return fail(`its pickle refers to ${kindOf(id)}, a storage is wanted`);
    }
    const [tag, type, key, , count, view] = id.items;
    if (tag === "module") {
      return fail(pickledModule(type instanceof PyGlobal ? type.name : "a class"));
    }
    const isType = type instanceof PyGlobal && type.dtype !== undefined;
    if (tag !== "storage" || !isType || typeof key !== "string" || !isCount(count)) {
      return fail(
        `its pickle refers to (${id.items.slice(0, 6).map(kindOf).join(", ")}), ` +
          `("storage", type, key, place, count) is wanted`,
      );
    }
    const known = this.storages.get(key);
    if (known !== undefined && (known.dtype !== type.dtype || known.count !== count)) {
      return fail(
        `storage ${quoted(key)} has ${known.count} elements of ${known.dtype ?? "any type"}, ` +
          `then ${count} of ${type.dtype ?? "any type"}`,
      );
    }
    const storage = known ?? new Storage(key, type.dtype!, count);
    this.storages.set(key, storage);
    return view instanceof PyTuple ? this.#view(storage, view, fail) : storage;
  }

  /** A storage that is part of another: `(key, first element, count)`, in files of 2017 and before. */
  #view(origin: Storage, { items }: PyTuple, fail: (what: string) => never): Storage {
    const [key, start, count] = items;
    if (typeof key !== "string" || !isCount(start) || !isCount(count)) {
      return fail("its pickle has a view of a storage that is not (key, start, count)");
    }
    if (start + count > origin.count) {
      return fail(
        `view ${quoted(key)} covers elements ${start} to ${start + count} of a storage of ` +
          `${origin.count}`,
      );
    }
    const known = this.#views.get(key);
    if (
      known?.origin?.storage === origin && known.origin.start === start && known.count === count
    ) {
      return known;
    }
    const view = new Storage(key, origin.dtype, count, { storage: origin, start });
    this.#views.set(key, view);
    return view;
  }

  /** An OrderedDict, empty or of a list of pairs, as Python 2 has them. */
  #dict(args: readonly Value[]): PyDict {
    const dict = new PyDict(), [pairs] = args;
    if (args.length === 0) return dict;
    if (!(pairs instanceof PyList)) return unfit("a list of pairs", pairs);
    this.#copies += pairs.items.length;
    if (this.#copies > maxCopies) {
      throw new BadArguments(`more than ${maxCopies} entries in all`);
    }
    for (const pair of pairs.items) {
      const isPair = (pair instanceof PyList || pair instanceof PyTuple) && pair.items.length === 2;
      if (!isPair) return unfit("a list of pairs", pair);
      dict.set(pair.items[0], pair.items[1]);
    }
    return dict;
  }
}

/** Why a name is not allowed. */
function refusal(full: string, name: string): string {
  if (Object.hasOwn(foreignTensors, name) && full === `torch._utils.${name}`) {
    return `it holds ${foreignTensors[name]}, tensors of plain elements are wanted`;
  }
  if (/^torch(\.cuda)?\.\w+Storage$/.test(full)) {
    return `it holds a ${name.slice(0, 40)}, which no element type here stands for`;
  }
  // Classes are written with a capital letter; a function is there to be called.
  if (/^_?[A-Z]/.test(name)) return pickledModule(full);
  return `its pickle would call ${
    quoted(full)
  }, which no checkpoint of tensors needs; it may be hostile`;
}

function pickledModule(name: string): string {
  const isModule = /^(torch\.nn\.|torchvision\.|timm\.|__main__|(.*\.)?models?\b)/.test(name);
  const kind = isModule ? "module" : "object";
  return `it holds a pickled ${kind} ${plainName(name)}; save its state_dict`;
}

const isCount = (value: Value): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

function unfit(wanted: string, found: Value | undefined): never {
  const what = found === undefined ? "too few values" : kindOf(found);
  throw new BadArguments(`${what}, ${wanted} is wanted`);
}

/** `(storage, offset, size, stride, …, dtype)`: the last one where the storage has no type. */
function rebuildTensor(args: readonly Value[]): TorchTensor {
  const [storage, offset, size, stride, , , given] = args;
  if (!(storage instanceof Storage)) return unfit("a storage", storage);
  if (!isCount(offset)) return unfit("a first element", offset);
  const shape = countsOf("sizes", size), strides = countsOf("strides", stride);
  if (shape.length !== strides.length) {
    throw new BadArguments(`${shape.length} sizes and ${strides.length} strides`);
  }
  const dtype = (given instanceof PyGlobal ? given.dtype : undefined) ?? storage.dtype;
  if (dtype === null) {
    throw new BadArguments(`elements of ${given === undefined ? "no type" : kindOf(given)}`);
  }
  return new TorchTensor(storage, dtype, offset, shape, strides);
}

function countsOf(what: string, value: Value | undefined): readonly number[] {
  if (!(value instanceof PyTuple) && !(value instanceof PyList)) return unfit(what, value);
  const { items } = value;
  if (items.length > maxRank) {
    throw new BadArguments(`${items.length} ${what}, at most ${maxRank} are wanted`);
  }
  const wrong = items.find((item) => !isCount(item));
  if (wrong !== undefined) {
    throw new BadArguments(
      `the ${what} [${items.map((v) => typeof v === "number" ? v : kindOf(v))}]`,
    );
  }
  return items as readonly number[];
}

/** `(tensor, …)`: a parameter is its tensor. */
function sameTensor([tensor]: readonly Value[]): TorchTensor {
  return tensor instanceof TorchTensor ? tensor : unfit("a tensor", tensor);
}

/** `(function, class, arguments, state)`: a tensor with attributes, which are dropped. */
function rebuildFromType([rebuild, , args]: readonly Value[]): TorchTensor {
  const isPlain = rebuild instanceof PyGlobal &&
    /^torch\._utils\._rebuild_tensor/.test(rebuild.name);
  if (!isPlain) return unfit("_rebuild_tensor_v2", rebuild);
  return args instanceof PyTuple ? rebuildTensor(args.items) : unfit("a tuple", args);
}
