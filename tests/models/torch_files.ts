/** Checkpoints of PyTorch in both containers, of any object and storages. */
import { joined, latin1Bytes } from "./bytes.ts";
import { type Picklable, pickled, raw, type StorageSpec, u64 } from "./pickle_writer.ts";

/** A file in an archive, and what to say of it that is not so. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Compression, 0 for none. */
  readonly method?: number;
  readonly flags?: number;
  /** Size after unpacking. */
  readonly size?: number;
  /** Size in the archive. */
  readonly packed?: number;
  /** Where its header is said to be. */
  readonly header?: number;
  /** Further fields of its directory entry. */
  readonly extra?: Uint8Array;
  /** Bytes behind its data, as a data descriptor is. */
  readonly tail?: Uint8Array;
}

const numbers = (...parts: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Uint8Array =>
  joined(parts.map(([bytes, value]) => u64(BigInt(value)).subarray(0, bytes)));

/** An archive of files, padded as PyTorch pads them, so that data begin at multiples of 64. */
export function zipOf(
  files: readonly ZipFile[],
  end: { count?: number; start?: number; size?: number; zip64?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  let at = 0;
  const add = (part: Uint8Array): void => {
    parts.push(part);
    at += part.length;
  };
  for (const file of files) {
    const { name, bytes, method = 0, flags = 0x808, extra = new Uint8Array() } = file;
    const utf8 = new TextEncoder().encode(name), header = at;
    const padding = (64 - (at + 30 + utf8.length) % 64) % 64;
    // With a data descriptor the sizes stand behind the data; here they are 0.
    add(numbers([4, 0x04034b50], [2, 20], [2, flags], [2, method], [8, 0], [8, 0]));
    add(numbers([2, utf8.length], [2, padding]));
    add(utf8);
    add(new Uint8Array(padding));
    add(bytes);
    add(file.tail ?? numbers([4, 0x08074b50], [4, 0], [4, bytes.length], [4, bytes.length]));
    directory.push(
      numbers([4, 0x02014b50], [2, 20], [2, 20], [2, flags], [2, method], [8, 0]),
      numbers([4, file.packed ?? bytes.length], [4, file.size ?? bytes.length]),
      numbers([2, utf8.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0]),
      numbers([4, file.header ?? header]),
      ...[utf8, extra],
    );
  }
  const { count = files.length, start = at, zip64 = false } = end;
  const { size = directory.reduce((sum, part) => sum + part.length, 0) } = end;
  directory.forEach(add);
  const wide = at;
  if (zip64) {
    add(numbers([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0]));
    add(numbers([8, count], [8, count], [8, size], [8, start]));
    add(numbers([4, 0x07064b50], [4, 0], [8, wide], [4, 1]));
  }
  const narrow = zip64 ? 0xffff : count, limit = zip64 ? 0xffffffff : undefined;
  add(numbers([4, 0x06054b50], [2, 0], [2, 0], [2, narrow], [2, narrow]));
  add(numbers([4, limit ?? size], [4, limit ?? start], [2, 0]));
  return joined(parts);
}

/** The files of an archive as PyTorch writes it. */
export function torchFiles(
  pickle: Uint8Array,
  storages: readonly StorageSpec[],
  byteorder = "little",
): ZipFile[] {
  return [
    { name: "net/data.pkl", bytes: pickle },
    { name: "net/byteorder", bytes: latin1Bytes(byteorder) },
    ...storages.map(({ key, bytes }) => ({ name: `net/data/${key}`, bytes })),
    { name: "net/version", bytes: latin1Bytes("3\n") },
  ];
}

/** A checkpoint of PyTorch 1.6 and later. */
export const torchZip = (object: Picklable, storages: readonly StorageSpec[] = []) =>
  zipOf(torchFiles(pickled(object), storages));

/** The parts of a file of PyTorch before 1.6. */
export interface Legacy {
  readonly magic: Uint8Array;
  readonly version: Uint8Array;
  readonly system: Uint8Array;
  readonly object: Uint8Array;
  readonly keys: Uint8Array;
  readonly storages: readonly Uint8Array[];
}

/** The parts for an object and its storages. */
export function legacyParts(object: Picklable, storages: readonly StorageSpec[]): Legacy {
  return {
    magic: pickled(raw("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")),
    version: pickled(1001),
    system: pickled({ protocol_version: 1001, little_endian: true }),
    object: pickled(object),
    keys: pickled(storages.map(({ key }) => key)),
    storages: storages.map(({ count, bytes }) => joined([u64(BigInt(count)), bytes])),
  };
}

/** The file of these parts. */
export const legacyOf = (parts: Legacy): Uint8Array<ArrayBuffer> =>
  joined([parts.magic, parts.version, parts.system, parts.object, parts.keys, ...parts.storages]);

/** A checkpoint of PyTorch before 1.6. */
export const torchLegacy = (object: Picklable, storages: readonly StorageSpec[] = []) =>
  legacyOf(legacyParts(object, storages));
