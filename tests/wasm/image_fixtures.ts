/** The image fixtures and Pillow's results for them, and the shared test images where present. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Filter } from "../../wasm/image.ts";

/** Where the RGBA bytes of an oracle lie: Pillow's in `expected.bin`, libwebp's in another. */
export interface Case {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly offset: number;
}

/** A file and how near its decoding must come; the header's facts beside it. */
export interface DecodeCase extends Case {
  readonly tolerance: number;
  readonly channels: number;
  readonly bits: number;
  readonly orientation: number;
}

const folder = new URL("../fixtures/images/", import.meta.url);

/** The bytes of a fixture. */
export const fixture = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(name, folder)));

const json = (name: string) => JSON.parse(new TextDecoder().decode(fixture(name)));

interface Cases {
  decode: DecodeCase[];
  resize: (Case & { filter: Filter })[];
}

const byPillow: Cases = json("cases.json"), byLibwebp: DecodeCase[] = json("webp_cases.json");

/** All cases that `make.py` and `make_webp.py` wrote. */
export const fixtures: Cases = { ...byPillow, decode: [...byPillow.decode, ...byLibwebp] };

const expected = fixture("expected.bin"), expectedWebp = fixture("webp_expected.bin");

/** The oracle's RGBA bytes for a case. */
export const expectedOf = ({ file, offset, width, height }: Case): Uint8Array =>
  (file.endsWith(".webp") ? expectedWebp : expected).subarray(offset, offset + width * height * 4);

/** Largest difference of two byte arrays; infinite when their lengths differ. */
export function worst(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
}

/** The files of a plain tar archive by their paths; links and extension headers are left out. */
export function untar(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>(), decoder = new TextDecoder();
  const text = (from: number, length: number) =>
    decoder.decode(tar.subarray(from, from + length)).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const size = parseInt(text(at + 124, 12), 8), type = text(at + 156, 1);
    const prefix = text(at + 257, 5) === "ustar" ? text(at + 345, 155) : "";
    const name = (prefix === "" ? "" : prefix + "/") + text(at, 100);
    const body = at + 512;
    if (type === "" || type === "0") files.set(name, tar.subarray(body, body + size));
    at = body + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** A file of the shared test data, or nothing, with the reason printed, where it is absent. */
export function sharedFile(path: string): Uint8Array<ArrayBuffer> | undefined {
  const root = Deno.env.get("FOVEA_TEST_DATA") ??
    fileURLToPath(new URL("../../../shared/data", import.meta.url));
  try {
    return new Uint8Array(readFileSync(`${root}/${path}`));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    console.log(`skipped: no ${path}, set FOVEA_TEST_DATA to the folder of test data`);
    return undefined;
  }
}

/** An archive of the shared test data, or nothing, with the reason printed, where it is absent. */
export function sharedArchive(name: string): Map<string, Uint8Array> | undefined {
  const bytes = sharedFile(`image-decode/${name}`);
  return bytes === undefined ? undefined : untar(bytes);
}
