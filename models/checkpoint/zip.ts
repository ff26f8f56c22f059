/**
 * Zip archives as PyTorch writes them: entries that are stored as they are, found by the directory
 * at the end. Every offset and length is checked, and entries may not overlap.
 *
 * Checksums are not compared: the other formats have none, and PyTorch can leave them out.
 *
 * @source PKWARE "APPNOTE.TXT" 6.3.10, §4.3 and §4.5.3
 */
import { ByteReader, type Fail, quoted } from "./byte_reader.ts";

/** An archive whose directory was read. */
export interface Zip {
  /** Names of all files in it, in the order of the directory. */
  readonly names: readonly string[];
  /** The bytes of one file, as a view; undefined where there is none of this name. */
  bytes(name: string): Uint8Array | undefined;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly size: number;
  /** Where the entry's own header begins. */
  readonly header: number;
}

const signatures = {
  entry: 0x04034b50,
  directory: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
/** Stands in 32-bit fields whose value is in a 64-bit one. */
const elsewhere = 0xffffffff;
const methods: Readonly<Record<number, string>> = {
  ...{ 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz" },
};

/**
 * Reads the directory of an archive.
 *
 * @param bytes all bytes of the file
 * @param fail raises the error
 */
export function readZip(bytes: Uint8Array, fail: Fail): Zip {
  const entries = new Map<string, Entry>(), directory = findDirectory(bytes, fail);
  const reader = new ByteReader(bytes.subarray(0, directory.end), "the archive", fail);
  reader.at = directory.start;
  for (let k = 0; k < directory.count; k++) {
    const entry = readEntry(reader);
    if (entries.has(entry.name)) reader.fail(`its archive has ${quoted(entry.name)} twice`);
    entries.set(entry.name, entry);
  }
  const data = placesOf([...entries.values()], bytes.subarray(0, directory.start), fail);
  return {
    names: [...entries.keys()],
    bytes: (name) => {
      const entry = entries.get(name), place = data.get(name);
      if (entry === undefined || place === undefined) return undefined;
      if (entry.method !== 0) {
        const method = methods[entry.method] ?? `method ${entry.method}`;
        fail(`${quoted(name)} in it is compressed (${method}), PyTorch stores it as it is`);
      }
      return bytes.subarray(place, place + entry.size);
    },
  };
}

/** Where the directory lies, by the record at the end of the file. */
function findDirectory(bytes: Uint8Array, fail: Fail) {
  const reader = new ByteReader(bytes, "the archive", fail), recordBytes = 22;
  let at = bytes.length - recordBytes;
  const last = Math.max(0, at - 0xffff);
  for (; at >= last; at--) {
    reader.at = at;
    if (reader.u32() !== signatures.end) continue;
    reader.at = at + 20;
    if (reader.u16() === bytes.length - at - recordBytes) break;
  }
  if (at < last) fail("its archive has no directory at the end; it is cut off");
  reader.at = at + 4;
  const disks = [reader.u16(), reader.u16(), reader.u16()];
  let count = reader.u16(), size = reader.u32(), start = reader.u32(), end = at;
  if (count === 0xffff || size === elsewhere || start === elsewhere) {
    ({ count, size, start, end } = findDirectory64(reader, at));
  } else if (disks[0] !== 0 || disks[1] !== 0 || disks[2] !== count) {
    fail("its archive is one part of several, a whole one is wanted");
  }
  const smallest = 46;
  if (start + size > end || count * smallest > size) {
    fail(
      `its archive has a directory of ${count} files and ${size} bytes at byte ${start} of ${end}`,
    );
  }
  return { count, start, end: start + size };
}

/** The record of archives with more than 4 GB or 65,534 files. */
function findDirectory64(reader: ByteReader, end32: number) {
  const locatorBytes = 20;
  if (end32 < locatorBytes) reader.fail("its archive lacks its 64-bit record");
  reader.at = end32 - locatorBytes;
  if (reader.u32() !== signatures.locator64) reader.fail("its archive lacks its 64-bit record");
  reader.u32();
  const end = reader.u64();
  if (end > end32 - locatorBytes) reader.fail(`its archive has a 64-bit record at byte ${end}`);
  reader.at = end;
  if (reader.u32() !== signatures.end64) reader.fail("its archive has a broken 64-bit record");
  reader.take(28);
  return { count: reader.u64(), size: reader.u64(), start: reader.u64(), end };
}

/** One entry of the directory. */
function readEntry(reader: ByteReader): Entry {
  if (reader.u32() !== signatures.directory) reader.fail("its archive has a broken directory");
  reader.take(4);
  const flags = reader.u16(), method = reader.u16();
  reader.take(8);
  let packed = reader.u32(), size = reader.u32();
  const nameBytes = reader.u16(), extraBytes = reader.u16(), commentBytes = reader.u16();
  reader.take(8);
  let header = reader.u32();
  const name = reader.text(nameBytes), extra = reader.take(extraBytes);
  reader.take(commentBytes);
  if ((flags & 1) !== 0) reader.fail(`${quoted(name)} in its archive is encrypted`);
  if (size === elsewhere || packed === elsewhere || header === elsewhere) {
    const wide = extra64(extra, reader);
    if (size === elsewhere) size = wide.u64();
    if (packed === elsewhere) packed = wide.u64();
    if (header === elsewhere) header = wide.u64();
  }
  if (method === 0 && packed !== size) {
    reader.fail(`${quoted(name)} in its archive has ${packed} bytes, then ${size}`);
  }
  return { name, method, size: packed, header };
}

/** The 64-bit fields of an entry. */
function extra64(extra: Uint8Array, directory: ByteReader): ByteReader {
  const reader = new ByteReader(extra, "a directory entry", directory.stop);
  while (reader.at < extra.length) {
    const kind = reader.u16(), fields = reader.take(reader.u16());
    if (kind === 1) return new ByteReader(fields, "a directory entry", directory.stop);
  }
  return directory.fail("its archive has an entry without its 64-bit fields");
}

/** Where the data of each entry begin: behind its own header, inside the file, alone there. */
function placesOf(entries: readonly Entry[], files: Uint8Array, fail: Fail): Map<string, number> {
  const reader = new ByteReader(files, "the archive", fail), places = new Map<string, number>();
  let end = 0;
  for (const { name, header, size } of entries.toSorted((a, b) => a.header - b.header)) {
    if (header < end) fail(`${quoted(name)} in its archive overlaps the file before it`);
    if (header > files.length) fail(`${quoted(name)} in its archive begins at byte ${header}`);
    reader.at = header;
    if (reader.u32() !== signatures.entry) reader.fail(`${quoted(name)} has a broken header`);
    reader.take(22);
    const nameBytes = reader.u16(), extraBytes = reader.u16();
    reader.take(nameBytes + extraBytes);
    places.set(name, reader.at);
    reader.take(size);
    end = reader.at;
  }
  return places;
}
