/** What a pickle can hold here: containers, numbers, texts and tensors. Nothing of it can act. */
import type { StoredType } from "./stored_tensor.ts";

/** Any value that the unpickler builds. Values may hold each other, also in circles. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyTuple
  | PyList
  | PyDict
  | PyOpaque
  | PyGlobal
  | Storage
  | TorchTensor;

/** A tuple. */
export class PyTuple {
  /** Holds these items. */
  constructor(readonly items: readonly Value[]) {}
}

/** A list. */
export class PyList {
  /** In order. */
  readonly items: Value[] = [];
}

const none: ReadonlyMap<string, Value> = new Map();

/** A dict of any kind. Entries whose key is no text are counted, not kept: no tensor has such a name. */
export class PyDict {
  // Made with the first entry: a hostile file may have a million empty dicts.
  #entries: Map<string, Value> | undefined;
  /** Entries under other keys, such as the numbers of an optimiser's state. */
  unnamed = 0;

  /** In order. */
  get entries(): ReadonlyMap<string, Value> {
    return this.#entries ?? none;
  }

  /** Adds or replaces an entry. */
  set(key: Value, value: Value): void {
    if (typeof key !== "string") this.unnamed++;
    else (this.#entries ??= new Map()).set(key, value);
  }
}

/** Something that is known to be harmless, not needed, and dropped: a set, a device, a NumPy number. */
export class PyOpaque {
  /** Stands for a value of this kind. */
  constructor(readonly kind: string) {}
}

/** A class or function by name, from the allow-list: the only things that a pickle may call. */
export class PyGlobal {
  /**
   * A name with what stands for it here.
   *
   * @param name `module.name` as in Python
   * @param call makes the value; undefined where it may be named, not called
   * @param dtype element type, for storage classes and dtypes; `null` for bytes of any type
   */
  constructor(
    readonly name: string,
    readonly call?: (args: readonly Value[]) => Value,
    readonly dtype?: StoredType | null,
  ) {}
}

/** Elements in the file that tensors are views of. */
export class Storage {
  /** Filled in when the container is read. */
  bytes: Uint8Array | undefined;

  /**
   * A storage before its bytes are found.
   *
   * @param dtype element type; `null` for an untyped one, whose `count` are bytes
   * @param origin where it is a view of another storage: that, and the first element in it
   */
  constructor(
    readonly key: string,
    readonly dtype: StoredType | null,
    readonly count: number,
    readonly origin?: { readonly storage: Storage; readonly start: number },
  ) {}
}

/** A view of a storage, in elements. */
export class TorchTensor {
  /** Checked when it is turned into a stored tensor. */
  constructor(
    readonly storage: Storage,
    readonly dtype: StoredType,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A value in two or three words, for messages. */
export function kindOf(value: Value): string {
  if (value === null) return "None";
  if (value instanceof PyTuple) return "a tuple";
  if (value instanceof PyList) return "a list";
  if (value instanceof PyDict) return "a dict";
  if (value instanceof TorchTensor) return "a tensor";
  if (value instanceof Storage) return "a storage";
  if (value instanceof PyGlobal) return value.name;
  if (value instanceof PyOpaque) return value.kind;
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "string") return "a text";
  return typeof value === "boolean" ? "a bool" : "a number";
}
