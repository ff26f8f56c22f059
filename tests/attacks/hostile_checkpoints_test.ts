/** Checkpoints are hostile input: whatever is in them, reading gives tensors or one clear error. */
import assert from "node:assert/strict";
import { CheckpointError, DataError } from "../../core/errors.ts";
import { Random } from "../../core/rng.ts";
import { serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import { isFloat, sizeBytes, toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { joined, latin1Bytes } from "../models/bytes.ts";
import {
  floats,
  ordered,
  pickled,
  raw,
  type StorageSpec,
  tensorOf,
  tuple,
  u64,
  whole,
} from "../models/pickle_writer.ts";
import {
  type Legacy,
  legacyOf,
  legacyParts,
  torchFiles,
  torchLegacy,
  torchZip,
  type ZipFile,
  zipOf,
} from "../models/torch_files.ts";
import { attacks } from "./hostile_pickles.ts";
import { mutatedBytes } from "./mutations.ts";

/**
 * Reads a file whole, its tensors too; the message where it was refused, as it must be. What it
 * allocates for tensors is no more than the file: with the file itself, twice its size.
 */
function refusal(file: Uint8Array): string | undefined {
  try {
    let copied = 0;
    for (const [name, tensor] of readStateDict(file, "evil.pth").tensors) {
      const { bytes } = tensor;
      assert.equal(bytes.length, sizeBytes(tensor), name);
      if (bytes.buffer !== file.buffer) copied += bytes.length;
      if (isFloat(tensor.dtype)) toFloat32(name, tensor);
    }
    assert(copied <= file.length, `${copied} bytes of a file of ${file.length}`);
    return undefined;
  } catch (error) {
    assert(error instanceof DataError || error instanceof CheckpointError, `${error}`);
    assert.match(error.message, /^Cannot read evil\.pth: .*[^.]$/s);
    assert(error.message.length < 1000, `${error.message.length} characters`);
    // deno-lint-ignore no-control-regex -- what a terminal would obey
    assert.doesNotMatch(error.message, /[\x00-\x1f\x7f-\x9f]/);
    return error.message;
  }
}

function refuses(file: Uint8Array, says: RegExp, what?: string): void {
  const start = performance.now(), message = refusal(file);
  assert(message !== undefined, `${what} was read`);
  assert.match(message, says, what);
  const ms = performance.now() - start;
  assert(ms < 3000, `${what} took ${ms} ms`);
}

for (const { name, object, storages = [floats("four", 1, 2, 3, 4)], says } of attacks) {
  Deno.test(`hostile checkpoint: ${name}`, () => {
    refuses(torchZip(object, storages), says, "zip");
    refuses(torchLegacy(object, storages), says, "legacy");
  });
}

const six = floats("0", 1, 2, 3, 4, 5, 6), two = floats("1", 7, 8);
const good = ordered({
  "module.weight": tensorOf(six, 0, [2, 3], [3, 1]),
  "module.turned": tensorOf(six, 0, [3, 2], [1, 3]),
  "module.bias": whole(two),
});
const object = { epoch: 3, state_dict: good, optimizer: { lr: 0.1, steps: [1, 2, null, true] } };
const files = torchFiles(pickled(object), [six, two]);

/** The good files with one of them changed. */
const withFile = (name: string, change: Partial<ZipFile>): Uint8Array =>
  zipOf(files.map((file) => file.name === name ? { ...file, ...change } : file));

Deno.test("hostile archive: each lie has its message", () => {
  assert.equal(refusal(zipOf(files)), undefined);
  const first = "net/data/0",
    cases: readonly [file: Uint8Array, says: RegExp][] = [
      [zipOf([]).fill(0x50, 0, 0), /it is an empty zip archive/],
      [zipOf([{ name: "config.json", bytes: new Uint8Array(9) }]), /one with NAME\/data\.pkl/],
      [zipOf([...files, { name: "other/data.pkl", bytes: pickled({}) }]), /with NAME\/data\.pkl/],
      [zipOf([...files, { name: "net/constants.pkl", bytes: pickled(1) }]), /TorchScript/],
      [zipOf([...files, files[2]]), /"net\/data\/0" twice/],
      [
        zipOf(files.filter(({ name }) => name !== first)),
        /storage "0" has no bytes, 24 are wanted/,
      ],
      [withFile(first, { bytes: new Uint8Array(23) }), /storage "0" has 23 bytes, 24 are wanted/],
      [withFile(first, { bytes: new Uint8Array(25) }), /storage "0" has 25 bytes, 24 are wanted/],
      [withFile("net/byteorder", { bytes: latin1Bytes("big") }), /"big"-endian/],
      [withFile(first, { method: 8, size: 99 }), /"net\/data\/0" in it is compressed \(deflate\)/],
      [withFile("net/data.pkl", { method: 12 }), /compressed \(bzip2\)/],
      [withFile(first, { method: 77 }), /compressed \(method 77\)/],
      [withFile(first, { flags: 1 }), /is encrypted/],
      [withFile(first, { size: 25 }), /has 24 bytes, then 25/],
      [withFile(first, { size: 2 ** 31, packed: 2 ** 31 }), /it is cut off: 2147483648 bytes/],
      [withFile(first, { size: 64, packed: 64 }), /overlaps the file before it/],
      [withFile("net/data/1", { header: 0 }), /overlaps the file before it/],
      [withFile("net/data/1", { header: 1 }), /overlaps|broken header/],
      [withFile("net/data/1", { header: 2 ** 31 }), /begins at byte 2147483648/],
      [withFile(first, { size: 0xffffffff, packed: 0xffffffff }), /without its 64-bit fields/],
      [withFile(first, { extra: Uint8Array.of(1, 0, 200, 0) }), /^.*$/],
      [zipOf(files, { count: 65_534 }), /a directory of 65534 files/],
      [zipOf(files, { count: 4 }), /^.*$/],
      [zipOf(files, { start: 2 ** 31 }), /directory of 5 files and .* at byte 2147483648/],
      [zipOf(files, { size: 2 ** 31 }), /and 2147483648 bytes/],
      [zipOf(files, { start: 0 }), /broken directory/],
      [zipOf(files, { zip64: true, count: 2 ** 40 }), /a directory of 1099511627776 files/],
      [zipOf(files, { zip64: true, start: 2 ** 52 }), /at byte 4503599627370496/],
      [joined([zipOf(files), new Uint8Array(70_000)]), /no directory at the end; it is cut off/],
    ];
  // Two of them harm nothing that is read; they are there for what they must not do.
  const harmless = new Set(["/^.*$/"]);
  for (const [file, says] of cases) {
    if (harmless.has(`${says}`)) refusal(file);
    else refuses(file, says, `${says}`);
  }
});

Deno.test("hostile legacy file: each lie has its message", () => {
  const parts = legacyParts(object, [six, two]);
  const lie = (change: Partial<Legacy>): Uint8Array => legacyOf({ ...parts, ...change });
  const counted = (count: bigint, { bytes }: StorageSpec) => joined([u64(count), bytes]);
  assert.equal(refusal(lie({})), undefined);
  const cases: readonly [change: Partial<Legacy>, says: RegExp][] = [
    [{ magic: pickled(7) }, /a Python pickle that torch\.save did not write/],
    [{ magic: pickled(raw("cnumpy\nndarray\n)R")) }, /torch\.save did not write/],
    [{ version: pickled(1002) }, /of version 1002, 1001 is wanted/],
    [{ version: pickled("x") }, /of version a text/],
    [{ version: pickled(raw("cos\nsystem\n")) }, /names "os\.system", plain values/],
    [{ system: pickled({ little_endian: false }) }, /big-endian/],
    [{ keys: pickled({}) }, /its keys of storages are no list/],
    [{ keys: pickled(["0"]) }, /it lacks the storage "1"/],
    [{ keys: pickled(["0", "0"]) }, /a storage "0" that no tensor names, or names it twice/],
    [{ keys: pickled(["0", "2"]) }, /a storage "2" that no tensor names/],
    [{ keys: pickled(["0", 1]) }, /a storage without a name/],
    [{ keys: pickled(["0", raw("K\x01Q")]) }, /refers to a storage, plain values/],
    [{ storages: [counted(5n, six)] }, /storage "0" has 5 elements, 6 are wanted/],
    [{ storages: [counted(-1n, six)] }, /18446744073709552000 elements/],
    [{ storages: [counted(6n, two)] }, /it is cut off: 24 bytes are wanted/],
    [{ storages: [] }, /it is cut off: 8 bytes are wanted, 0 are left/],
  ];
  for (const [change, says] of cases) refuses(lie(change), says, `${says}`);
});

const floatTensor = (...values: number[]) => ({
  ...{ dtype: "F32" as const, shape: [values.length] },
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
const goods: Readonly<Record<string, Uint8Array>> = {
  "PyTorch zip": zipOf(files),
  "PyTorch legacy": torchLegacy(object, [six, two]),
  // As no script saves it, but every instruction that is read is in it.
  "every instruction": torchZip({
    numbers: raw("(I01\nI-5\nL7L\nF0.5\n", 0x8b, 1, 0, 0, 0, 9, "N\x85NN\x86NNN\x87t"),
    texts: raw("(Va\\u00e9\nS'a\\x41'\nT\x01\0\0\0aU\x01aC\x01aB\x01\0\0\0b", 0x8c, 1, "at"),
    long: raw("(", 0x8d, u64(1n), "a", 0x8e, u64(1n), "a", 0x96, u64(1n), "at"),
    sets: raw("(", 0x8f, "(K\x01", 0x90, "(K\x01", 0x91, "t"),
    lists: raw("(]q\x01K\x01ap2\n0h\x01j\x01\0\0\0g1\n(K\x01l(K\x01K\x02d2", 0x94, "00(N1t"),
    frames: raw(0x95, u64(1n), "N"),
    tuples: tuple(1, tuple(), "a"),
    state: raw("ccollections\nOrderedDict\n)R}b"),
    net: good,
  }, [six, two]),
  safetensors: serializeSafetensors(
    [["weight", floatTensor(1, 2, 3)], ["bias", floatTensor(4)]],
    { format: "pt" },
  ),
};

for (const [name, file] of Object.entries(goods)) {
  Deno.test(`hostile checkpoint: ${name} is read where nothing is wrong`, () => {
    assert.equal(refusal(file.slice()), undefined);
  });

  Deno.test(`hostile checkpoint: ${name} cut off at every byte`, () => {
    for (let length = 0; length < file.length; length++) {
      refuses(file.slice(0, length), /./, `${length} of ${file.length} bytes`);
    }
  });

  Deno.test(`hostile checkpoint: 2,000 mutations of ${name}`, () => {
    const others = Object.values(goods), counts = { read: 0, refused: 0 };
    const start = performance.now();
    for (let k = 0; k < 2000; k++) {
      const random = new Random(7, `${name} ${k}`);
      const damaged = mutatedBytes(random, file, others[random.below(others.length)]);
      counts[refusal(damaged.slice()) === undefined ? "read" : "refused"]++;
    }
    assert(counts.refused > 500 && counts.read > 50, JSON.stringify(counts));
    const ms = performance.now() - start;
    assert(ms < 20_000, `${ms} ms`);
  });
}

Deno.test("hostile checkpoint: the pickle alone cut off at every instruction", () => {
  const pickle = pickled(object);
  for (let length = 0; length < pickle.length; length++) {
    const cut = torchFiles(pickle.slice(0, length), [six, two]);
    refuses(zipOf(cut), /data\.pkl/, `${length} of ${pickle.length} bytes`);
  }
});

Deno.test("hostile checkpoint: 2,000 mutations of the pickle in a whole container", () => {
  const parts = legacyParts(object, [six, two]), counts = { read: 0, refused: 0 };
  const zipped = torchFiles(parts.object, [six, two]), every = goods["every instruction"];
  for (let k = 0; k < 2000; k++) {
    const pickle = mutatedBytes(new Random(11, `pickle ${k}`), parts.object, every);
    const files = [
      zipOf(zipped.map((file) => file.name === "net/data.pkl" ? { ...file, bytes: pickle } : file)),
      legacyOf({ ...parts, object: pickle }),
    ];
    for (const file of files) counts[refusal(file) === undefined ? "read" : "refused"]++;
  }
  assert(counts.refused > 1000 && counts.read > 200, JSON.stringify(counts));
});
