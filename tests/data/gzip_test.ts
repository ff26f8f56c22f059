/** Unpacking gzip: members, padding, damage, and letting the source go. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "npm:fast-check@4";
import { gunzip } from "../../data/gzip.ts";

/** Bytes in pieces of the given size; `ended` is called when the reader is done with them. */
async function* pieces(bytes: Uint8Array, size: number, ended = () => {}) {
  try {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  } finally {
    ended();
  }
}

async function unpacked(bytes: Uint8Array, size = 1000): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await Array.fromAsync(gunzip(pieces(bytes, size)))));
}

const packed = (members: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(Buffer.concat(members.map((member) => gzipSync(member))));

Deno.test("gzip: members come out one after another, whatever pieces they arrive in", async () => {
  const members = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 });
  const property = fc.asyncProperty(
    members,
    fc.integer({ min: 1, max: 99 }),
    async (list, size) => {
      const whole = new Uint8Array(Buffer.concat(list));
      assert.deepEqual(await unpacked(packed(list), size), whole);
      const padded = Buffer.concat([packed(list), new Uint8Array(512)]);
      assert.deepEqual(await unpacked(padded, size), whole);
    },
  );
  await fc.assert(property);
});

Deno.test("gzip: a cut, a wrong checksum, and what is no member are errors", async () => {
  const bytes = packed([new Uint8Array(50).fill(7), new Uint8Array(9)]);
  const first = gzipSync(new Uint8Array(50).fill(7)).length;
  for (let length = 0; length < bytes.length; length++) {
    if (length !== first) await assert.rejects(unpacked(bytes.subarray(0, length)), Error);
  }
  for (const at of [0, 1, first - 8, first, first + 1, bytes.length - 8]) {
    const damaged = bytes.slice();
    damaged[at] ^= 1;
    await assert.rejects(unpacked(damaged), Error, `byte ${at}`);
  }
  const text = new TextEncoder().encode("and so on");
  await assert.rejects(unpacked(Buffer.concat([bytes, text])), Error);
});

Deno.test("gzip: the source is let go at the end, at a break, and its errors come through", async () => {
  const bytes = packed([new Uint8Array(1e6).map((_, i) => i * i >> 3)]);
  let isEnded = false;
  const source = () => pieces(bytes, 1000, () => isEnded = true);
  for await (const piece of gunzip(source())) assert(piece.length > 0);
  assert(isEnded);
  isEnded = false;
  for await (const piece of gunzip(source())) if (piece.length > 0) break;
  while (!isEnded) await new Promise((resolve) => setTimeout(resolve, 1));
  const broken = async function* () {
    yield bytes.subarray(0, 1000);
    await Promise.reject(new Error("the disk is gone"));
  };
  await assert.rejects(Array.fromAsync(gunzip(broken())), /the disk is gone/);
});
