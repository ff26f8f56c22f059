/** A tiny pickler, protocol 2, and the two containers around it: for files that no PyTorch writes. */
import { joined, latin1Bytes } from "./bytes.ts";

/** What can be pickled; plain objects become dicts. */
export type Picklable =
  | null
  | boolean
  | number
  | string
  | readonly Picklable[]
  | { readonly [key: string]: Picklable }
  | Special;

/** Anything but JSON: written by itself. */
export class Special {
  constructor(readonly write: (p: Pickler) => void) {}
}

/** Instructions as bytes; strings are Latin-1. */
export class Pickler {
  readonly parts: Uint8Array[] = [];

  /** Adds bytes as they are. */
  raw(...parts: readonly (string | number | Uint8Array)[]): this {
    for (const part of parts) {
      if (typeof part === "number") this.parts.push(Uint8Array.of(part));
      else this.parts.push(typeof part === "string" ? latin1Bytes(part) : part);
    }
    return this;
  }

  /** Adds a value. */
  put(value: Picklable): this {
    if (value instanceof Special) value.write(this);
    else if (value === null) this.raw("N");
    else if (typeof value === "boolean") this.raw(value ? 0x88 : 0x89);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") this.#text(value);
    else if (isList(value)) this.raw("](").all(value).raw("e");
    else this.raw("}(").all(Object.entries(value).flat()).raw("u");
    return this;
  }

  /** Adds values. */
  all(values: readonly Picklable[]): this {
    for (const value of values) this.put(value);
    return this;
  }

  /** The pickle with its protocol and end. */
  bytes(): Uint8Array {
    return joined([Uint8Array.of(0x80, 2), ...this.parts, latin1Bytes(".")]);
  }

  #number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < 256) this.raw("K", value);
    else if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) this.raw("J", i32(value));
    else if (Number.isInteger(value)) this.raw(0x8a, 8, u64(BigInt(value)));
    else {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, value);
      this.raw("G", bytes);
    }
  }

  #text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.raw("X", i32(bytes.length), bytes);
  }
}

const isList = (value: Picklable): value is readonly Picklable[] => Array.isArray(value);

/** Four bytes, lowest first. */
export const i32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
/** Eight bytes, lowest first. */
export const u64 = (value: bigint): Uint8Array =>
  new Uint8Array(BigInt64Array.of(BigInt.asIntN(64, value)).buffer);

/** A value as one pickle. */
export const pickled = (value: Picklable): Uint8Array => new Pickler().put(value).bytes();

/** Bytes in place of a value. */
export const raw = (...parts: readonly (string | number | Uint8Array)[]): Special =>
  new Special((p) => p.raw(...parts));

/** A tuple. */
export const tuple = (...items: readonly Picklable[]): Special =>
  new Special((p) => p.raw("(").all(items).raw("t"));

/** A class or function, as `module name`. */
export const global = (name: string): Special => raw(`c${name.replace(" ", "\n")}\n`);

/** A call. */
export const call = (name: string, ...args: readonly Picklable[]): Special =>
  new Special((p) => p.put(global(name)).put(tuple(...args)).raw("R"));

/** An OrderedDict as Python 3 has it. */
export const ordered = (entries: Readonly<Record<string, Picklable>>): Special =>
  new Special((p) =>
    p.put(call("collections OrderedDict")).raw("(").all(Object.entries(entries).flat()).raw("u")
  );

/** Elements of a file. */
export interface StorageSpec {
  readonly key: string;
  /** Such as `FloatStorage`. */
  readonly type: string;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** A storage of f32. */
export function floats(key: string, ...values: readonly number[]): StorageSpec {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return { key, type: "FloatStorage", count: values.length, bytes };
}

/** A reference to a storage. */
export const reference = ({ key, type, count }: StorageSpec, place = "cpu"): Special =>
  new Special((p) => p.put(tuple("storage", global(`torch ${type}`), key, place, count)).raw("Q"));

/** A tensor: a view of a storage, in elements. */
export const tensorOf = (
  storage: StorageSpec,
  offset: Picklable,
  shape: readonly Picklable[],
  strides: readonly Picklable[],
): Special =>
  call(
    "torch._utils _rebuild_tensor_v2",
    ...[reference(storage), offset, tuple(...shape), tuple(...strides), false],
    call("collections OrderedDict"),
  );

/** A tensor over all of a storage. */
export const whole = (storage: StorageSpec): Special => tensorOf(storage, 0, [storage.count], [1]);
