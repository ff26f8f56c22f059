/** A safetensors file is hostile input: whatever is in it, reading gives tensors or a DataError. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { parseSafetensors, serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { type StoredTensor, toFloat32 } from "../../models/checkpoint/stored_tensor.ts";
import { fileOf } from "./safetensors_file.ts";

const f32 = (...values: number[]): StoredTensor => ({
  dtype: "F32",
  shape: [values.length],
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

const good = serializeSafetensors(
  [["conv1.weight", f32(1, 2, 3)], ["größe", f32(4)], ["empty", f32()]],
  { format: "fovea/1", classes: '["a","b"]' },
);

/** Reads a file whole; false where it was refused, as it must be: by a DataError. */
function reads(bytes: Uint8Array): boolean {
  try {
    for (const [name, stored] of parseSafetensors(bytes, "weights.safetensors").tensors) {
      if (/^B?F/.test(stored.dtype)) toFloat32(name, stored);
    }
    return true;
  } catch (error) {
    assert(error instanceof DataError, `${error}`);
    assert.equal(error.file, "weights.safetensors");
    assert.match(error.message, /^Cannot read weights\.safetensors: .*[^.]$/s);
    return false;
  }
}

/** Refused, and for the reason expected. */
function refuses(bytes: Uint8Array, reason: RegExp): void {
  assert.throws(() => parseSafetensors(bytes), (error: unknown) => {
    assert(error instanceof DataError, `${error}`);
    assert.match(error.message, reason);
    return true;
  });
}

Deno.test("safetensors damage: every truncation is refused", () => {
  assert(reads(good));
  for (let length = 0; length < good.length; length++) {
    assert.equal(reads(good.subarray(0, length)), false, `${length} of ${good.length} bytes`);
  }
  assert.equal(reads(Uint8Array.of(...good, 0)), false, "one byte too many");
});

Deno.test("safetensors damage: flipped bytes give tensors or a DataError", () => {
  const flip = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }));
  let refused = 0;
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
      const bytes = good.slice();
      for (const [at, byte] of flips) bytes[at] = byte;
      if (!reads(bytes)) refused++;
    }),
    { numRuns: 3000 },
  );
  assert(refused > 1000, `${refused} of 3000 were refused`);
});

Deno.test("safetensors damage: every bit of the header's length matters", () => {
  for (let bit = 0; bit < 64; bit++) {
    const bytes = good.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(reads(bytes), false, `bit ${bit}`);
  }
  refuses(fileOf("{}").fill(0xff, 0, 8), /its header claims 18446744073709552000 bytes/);
});

/** Any JSON, odd objects included, in place of one part of an entry. */
const anyJson = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    { toString: 1, valueOf: 1 },
    { toString: null },
    [{ toString: 1, valueOf: 1 }],
    { length: 2, 0: 0, 1: 4 },
    "9".repeat(400),
    -1,
    1.5,
    1e308,
    Number.MAX_SAFE_INTEGER,
    [0, Number.MAX_SAFE_INTEGER],
    [-4, 0],
    [4, 0],
    ["0", "4"],
    [0, 4, 8],
    null,
  ),
);

Deno.test("safetensors damage: an entry of any JSON gives tensors or a DataError", () => {
  const entry = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  const spoilt = fc.oneof(
    fc.record({ dtype: anyJson, shape: anyJson, data_offsets: anyJson }, { requiredKeys: [] }),
    anyJson.map((dtype) => ({ ...entry, dtype })),
    anyJson.map((shape) => ({ ...entry, shape })),
    anyJson.map((data_offsets) => ({ ...entry, data_offsets })),
    anyJson,
  );
  fc.assert(
    fc.property(spoilt, anyJson, (value, metadata) => {
      reads(fileOf(JSON.stringify({ a: value }), new Uint8Array(4)));
      reads(fileOf(JSON.stringify({ a: entry, __metadata__: metadata }), new Uint8Array(4)));
      reads(fileOf(JSON.stringify(value)));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("safetensors damage: nested deeper than the stack", () => {
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  for (const part of ["dtype", "shape", "data_offsets"]) {
    const parts = { dtype: '"F32"', shape: "[1]", data_offsets: "[0,4]", [part]: deep };
    const entry = Object.entries(parts).map(([key, text]) => `"${key}":${text}`).join();
    assert.equal(reads(fileOf(`{"a":{${entry}}}`, new Uint8Array(4))), false, part);
  }
  assert.equal(reads(fileOf(deep)), false);
});

const entryAt = (shape: string, offsets: string, dtype = '"F32"'): string =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;

Deno.test("safetensors damage: each lie of a header has its message", () => {
  const data = new Uint8Array(8);
  const lies: [header: string, reason: RegExp][] = [
    ["", /its header is no JSON object/],
    ["[]", /its header is no JSON object/],
    ["null", /its header is no JSON object/],
    ['"text"', /its header is no JSON object/],
    ["{", /its header is no JSON object/],
    [`{"a":${entryAt("[1]", "[0,4]", '"F8"')}}`, /a has the (unknown )?element type/],
    [`{"a":${entryAt("[1]", "[0,4]", '"toString"')}}`, /a has the (unknown )?element type/],
    [`{"a":${entryAt("[-1]", "[0,4]")}}`, /a has the shape/],
    [`{"a":${entryAt("[0.5]", "[0,2]")}}`, /a has the shape/],
    [`{"a":${entryAt("1", "[0,4]")}}`, /a has the shape/],
    [`{"a":${entryAt("[3]", "[0,12]")}}`, /a lies at .*, 12 of 8 bytes are wanted/],
    [`{"a":${entryAt("[2]", "[0,4]")}}`, /a lies at/],
    [`{"a":${entryAt("[0,9007199254740991]", "[0,8]")}}`, /a lies at/],
    [`{"a":${entryAt("[4294967296,4294967296]", "[0,0]")}}`, /a lies at/],
    [`{"a":${entryAt("[1]", "[4,8]")}}`, /a hole or an overlap at byte 4/],
    [`{"a":${entryAt("[2]", "[0,8]")},"b":${entryAt("[1]", "[4,8]")}}`, /overlap at byte 4/],
    [`{"a":${entryAt("[1]", "[0,4]")},"b":${entryAt("[1]", "[0,4]")}}`, /overlap at byte 0/],
    [`{"a":${entryAt("[1]", "[0,4]")}}`, /4 bytes at its end belong to no tensor/],
    ["{}", /8 bytes at its end belong to no tensor/],
  ];
  for (const [header, reason] of lies) refuses(fileOf(header, data), reason);
});

Deno.test("safetensors damage: metadata are texts by name, or none", () => {
  for (
    const metadata of ["null", "5", '"text"', '["text"]', "[]", '{"a":1}', '{"a":null}', '{"a":{}}']
  ) {
    refuses(fileOf(`{"__metadata__":${metadata}}`), /its metadata are no texts/);
  }
  assert.deepEqual(parseSafetensors(fileOf('{"__metadata__":{}}')).metadata, {});
});

Deno.test("safetensors damage: a header that is no UTF-8", () => {
  const header = new TextEncoder().encode('{"a":"b"}');
  header[2] = 0xff;
  refuses(fileOf(header), /its header is no JSON object/);
});
