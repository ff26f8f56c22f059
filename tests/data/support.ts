/** What the tests of the data floor share: folders, checksums, small archives, a local server. */
import { Random } from "../../core/rng.ts";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = new URL("../../", import.meta.url);

/** Hexadecimal checksum of bytes. */
export function checksum(algorithm: "md5" | "sha256", bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/** A new folder that is gone at the end of the scope. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "fovea-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Names in a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((found) => found.isDirectory, () => false);
}

/** A folder of the public test data, or `undefined` with a printed reason. */
export async function testData(name: string): Promise<string | undefined> {
  const base = Deno.env.get("FOVEA_TEST_DATA") ??
    fileURLToPath(new URL("../shared/data", root));
  if (await isFolder(`${base}/${name}`)) return `${base}/${name}`;
  console.log(`skipped: no test data ${name} (set FOVEA_TEST_DATA)`);
  return undefined;
}

/**
 * The folder of CIFAR-10's binary files, unpacked once into the system's temporary folder (about
 * a minute), or `undefined` with a printed reason.
 */
export async function realCifar10(): Promise<string | undefined> {
  const target = `${tmpdir()}/fovea-test-cifar10`;
  if (await isFolder(target)) return target;
  const source = await testData("cifar10");
  if (source === undefined) return undefined;
  const fresh = await Deno.makeTempDir({ prefix: "fovea-test-unpack-" });
  const args = ["run", "--allow-read", `--allow-write=${fresh}`, `${source}/unpack.ts`, fresh];
  const { success } = await new Deno.Command(Deno.execPath(), { args, stdout: "null" }).output();
  if (!success) throw new Error("unpack.ts failed");
  await Deno.rename(fresh, target).catch(async (error) => {
    if (!await isFolder(target)) throw error; // another test run was first
    await Deno.remove(fresh, { recursive: true });
  });
  return target;
}

/** One member of a tar archive; `kind` is tar's type flag. */
export interface Member {
  readonly path: string;
  readonly data?: Uint8Array;
  readonly kind?: string;
  /** Size in the header instead of the real one. */
  readonly size?: number;
}

/** A ustar archive, byte for byte as POSIX describes it. */
export function tar(members: readonly Member[]): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const { path, data = new Uint8Array(0), kind = "0", size = data.length } of members) {
    const header = new Uint8Array(512), text = new TextEncoder();
    const put = (at: number, value: string) => header.set(text.encode(value), at);
    put(0, path);
    put(100, "0000644\0");
    put(124, size.toString(8).padStart(11, "0") + "\0");
    put(148, " ".repeat(8));
    put(156, kind);
    put(257, "ustar\x0000");
    put(148, header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
    const padded = new Uint8Array(Math.ceil(data.length / 512) * 512);
    padded.set(data);
    blocks.push(header, padded);
  }
  return new Uint8Array(Buffer.concat([...blocks, new Uint8Array(1024)]));
}

/** A made-up CIFAR-10 with `records` images a file: pixels and labels follow from their place. */
export function syntheticCifar10(records: number): Record<string, Uint8Array<ArrayBuffer>> {
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  const names = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`).concat("test_batch.bin");
  for (const [f, name] of names.entries()) {
    const bytes = new Uint8Array(records * 3073);
    for (let i = 0; i < records; i++) {
      bytes[i * 3073] = (f + i) % 10;
      for (let p = 0; p < 3072; p++) bytes[i * 3073 + 1 + p] = f * 7 + i * 3 + p + (p >> 10) * 50;
    }
    files[name] = bytes;
  }
  const classes = "zero one two three four five six seven eight nine".split(" ");
  files["batches.meta.txt"] = new TextEncoder().encode(classes.join("\n") + "\n\n");
  return files;
}

/** The archive of a made-up CIFAR-10, laid out as the official one. */
export function syntheticArchive(records: number): Uint8Array<ArrayBuffer> {
  const members: Member[] = [{ path: "cifar-10-batches-bin/", kind: "5" }];
  for (const [name, data] of Object.entries(syntheticCifar10(records))) {
    members.push({ path: `cifar-10-batches-bin/${name}`, data });
  }
  members.push({ path: "cifar-10-batches-bin/readme.html", data: new Uint8Array(88) });
  return new Uint8Array(gzipSync(tar(members)));
}

/** Writes files into a folder. */
export async function writeFiles(folder: string, files: Record<string, Uint8Array>): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, data] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, data);
}

/** A server on this machine that answers every request by `handler`. */
export function serve(
  handler: (request: Request) => Response | Promise<Response>,
): AsyncDisposable & { readonly url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Whether each picture is mirrored (1) in an epoch: the lowest bits of one stream of words. */
export function epochFlips(n: number, seed: number, epoch: number): Uint8Array<ArrayBuffer> {
  const random = new Random(seed, "flip", epoch);
  return Uint8Array.from({ length: n }, () => random.word() & 1);
}
