/** Laws of the loader: threads change nothing but the time, die without harm, and end. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../core/errors.ts";
import { type AugmentationLevel, augmentationLevels } from "../../data/augmentation.ts";
import { openFolder } from "../../data/folder.ts";
import { Loader } from "../../data/loader.ts";
import {
  type StartThread,
  threadsOf,
  threadSource,
  type ThreadTask,
} from "../../data/loader_thread.ts";
import { batches } from "../../data/source.ts";
import { Waiting } from "../../data/waiting.ts";
import { imageGlue } from "../../wasm/pkg/image_glue.ts";
import { classFiles, picture, small, writeTree } from "./folder_support.ts";
import { checksum, serve, temporaryFolder } from "./support.ts";

/** A folder of every format there is among the fixtures, and some damaged ones. */
async function mixedFolder(path: string): Promise<void> {
  const from = new URL("../fixtures/images/", import.meta.url);
  const names = (await Array.fromAsync(Deno.readDir(from), ({ name }) => name)).sort();
  const files: Record<string, Uint8Array> = {};
  for (const [k, name] of names.filter((name) => /\.(png|jpg|webp)$/.test(name)).entries()) {
    files[`${k % 3}/${name}`] = await Deno.readFile(new URL(name, from));
  }
  files["0/cut.png"] = picture(3, 50, 50).subarray(0, 400);
  await writeTree(path, files);
}

/** Checksums of the batches of two epochs. */
async function hashes(
  loader: Loader,
  path: string,
  cacheBytes: number,
  level: AugmentationLevel,
): Promise<string[]> {
  const options = { loader, cacheBytes, skipDamaged: true };
  const { train } = await openFolder(path, options), found: string[] = [];
  for (let epoch = 0; epoch < 2; epoch++) {
    const source = train.source({ ...small, height: 20, width: 24 }, {
      ...{ augmentation: augmentationLevels[level], seed: 5 },
    });
    const order = {
      batchSize: 7,
      last: "pad",
      shuffle: true,
      seed: 2,
      epoch,
      prefetch: 2,
    } as const;
    for await (const { fields } of batches(source, order)) {
      for (const elements of Object.values(fields)) {
        found.push(checksum("sha256", new Uint8Array(elements.buffer)));
      }
    }
  }
  return found;
}

Deno.test("loader: 0, 1 and 4 threads make the same batches, with and without a cache", async () => {
  await using folder = await temporaryFolder();
  await mixedFolder(folder.path);
  for (const level of ["none", "strong"] as const) {
    const seen: string[][] = [];
    for (const [workers, cacheBytes] of [[0, 0], [1, 0], [4, 0], [0, 2 ** 30], [4, 20_000]]) {
      using loader = new Loader({ workers });
      seen.push(await hashes(loader, folder.path, cacheBytes, level));
      assert.equal(loader.running, workers);
      assert.deepEqual(loader.notes, []);
    }
    assert(new Set(seen[0]).size > 10);
    for (const other of seen) assert.deepEqual(other, seen[0]);
  }
});

/** Threads that do something else first when they are given a picture. */
const spoilt = (script: string) =>
  threadsOf(threadSource.replace("let bytes;", `let bytes; ${script};`));

/** Prepares pictures of a folder in threads of two; the names of the damaged ones, and the sum. */
async function goThrough(path: string, loader: Loader) {
  const { train, damaged } = await openFolder(path, {
    ...{ loader, skipDamaged: true, cacheBytes: 0, validationShare: 0 },
  });
  const source = train.source(small), found: string[] = [];
  for await (const { fields } of batches(source, { batchSize: 5, last: "pad", prefetch: 2 })) {
    found.push(checksum("md5", new Uint8Array(fields.pixels.buffer)));
  }
  return { damaged: damaged(), found };
}

Deno.test("loader: a thread that dies is replaced, and its pictures are done again", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 12));
  const expected = await goThrough(folder.path, new Loader());
  const ways = [
    "if (id === 1) process.exit(1)",
    "if (id === 1) call = { name: 'none', args: [] }", // calls what is not there, as a trap does
    "if (id === 2 && /7.png/.test(path)) process.exit(1)",
  ];
  for (const way of ways) {
    using loader = new Loader({ workers: 2 }, spoilt(way));
    assert.deepEqual(await goThrough(folder.path, loader), expected, way);
    assert(loader.notes.every((note) => /^a thread stopped/.test(note)), `${loader.notes}`);
  }
  using loader = new Loader({ workers: 1 }, spoilt(ways[0]));
  assert.deepEqual(await goThrough(folder.path, loader), expected);
  assert.deepEqual(loader.notes, ["a thread stopped (it ended)"]);
  assert.equal(loader.running, 1);
});

Deno.test("loader: a picture that ends two threads is damaged, the others are not", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 8));
  const here = await goThrough(folder.path, new Loader());
  const ways: [string, RegExp][] = [
    ["if (/b.3.png/.test(path)) process.exit(1)", /^the decoder stopped on it \(it ended\)/],
    [
      "if (/b.3.png/.test(path)) call = { name: 'none', args: [] }",
      /^the decoder stopped on it \(.*not a function\), an undamaged image/,
    ],
  ];
  for (const [way, reason] of ways) {
    using loader = new Loader({ workers: 2 }, spoilt(way));
    const { damaged, found } = await goThrough(folder.path, loader);
    assert.deepEqual(damaged.map(({ name }) => name), ["b/3.png"]);
    assert.match(damaged[0].reason, reason);
    assert.deepEqual(found.map((hash, k) => hash === here.found[k]), [true, true, false, true]);
    assert.equal(loader.notes.length, 2);
  }
});

Deno.test("loader: where no thread starts, the calling thread does it and says so", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 8));
  const expected = await goThrough(folder.path, new Loader());
  const refuse = () => {
    throw new Error("no threads here");
  };
  for (const start of [refuse, threadsOf("process.exit(1)")]) {
    using loader = new Loader({ workers: 2 }, start);
    assert.deepEqual(await goThrough(folder.path, loader), expected);
    assert.equal(loader.running, 0);
    assert.equal(loader.notes.length >= 3, true);
    assert.match(loader.notes[0], /^(no thread could start: no threads here|a thread stopped)/);
  }
});

Deno.test("loader: a closed one gives up what is waited for", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 8));
  const loader = new Loader({ workers: 1 });
  const { train } = await openFolder(folder.path, { loader });
  const source = train.source(small), batch = source.batch(Uint32Array.of(0, 1), 0);
  loader[Symbol.dispose]();
  await assert.rejects(batch, /Cannot load pictures: the loader is closed/);
  await assert.rejects(source.batch(Uint32Array.of(0), 0), UsageError);
  assert.equal(loader.running, 0);
  loader[Symbol.dispose]();
  for (const workers of [-1, 1.5, NaN, 65]) {
    assert.throws(() => new Loader({ workers }), UsageError);
  }
});

Deno.test("loader: a file that is gone, or that may not be read, is told by any thread alike", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 3));
  for (const workers of [0, 1]) {
    using loader = new Loader({ workers });
    await writeTree(folder.path, { "a/1.png": picture(1) });
    const { train } = await openFolder(folder.path, { loader, validationShare: 0 });
    await Deno.remove(`${folder.path}/a/1.png`);
    const batch = train.source(small).batch(Uint32Array.of(0, 1), 0);
    await assert.rejects(batch, /Cannot use a picture: .*\n {2}a\/1\.png: it does not exist$/);
  }
});

Deno.test("loader: threads go on by themselves while the main thread is busy", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 10));
  const posted: ThreadTask[] = [], start = threadsOf(threadSource);
  const watched: StartThread = (id, events) => {
    const thread = start(id, events);
    const post = (task: ThreadTask) => {
      posted.push(task);
      thread.post(task);
    };
    return { ...thread, post };
  };
  using loader = new Loader({ workers: 1 }, watched);
  const { train } = await openFolder(folder.path, { loader, validationShare: 0 });
  const source = train.source(small), all = Uint32Array.from({ length: 20 }, (_, k) => k);
  const batch = source.batch(all, 0), { takers } = posted[0];
  const clock = new Int32Array(new SharedArrayBuffer(4)), end = performance.now() + 30_000;
  // Nothing else runs here: no event reaches this thread, and none is needed.
  while (takers.includes(0) && performance.now() < end) Atomics.wait(clock, 0, 0, 10);
  assert(!takers.includes(0), `${takers}`);
  assert.equal((await batch).labels.length, 20);
});

Deno.test("loader: the glue that threads run is the module's", async () => {
  const glue = await Deno.readTextFile(new URL("../../wasm/pkg/image.js", import.meta.url));
  assert(imageGlue === glue, "image_glue.ts is not of this image.js: deno task wasm writes both");
});

/** Runs the process of loader_process.ts, from disk or from a server. */
async function runProcess(script: string, path: string, workers: number, more: string[] = []) {
  const args = ["run", "--no-lock", "--no-config", "--no-prompt", `--allow-read=${path}`, ...more];
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args, script, path, `${workers}`],
    signal: AbortSignal.timeout(60_000), // a process that hangs would be a thread's fault
  });
  const { code, stdout, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("loader: threads need no more than to read the pictures, and no end of theirs", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 6));
  const script = fileURLToPath(new URL("loader_process.ts", import.meta.url));
  const here = await runProcess(script, folder.path, 0);
  assert.deepEqual(await runProcess(script, folder.path, 2), { ...here, running: 2 });
});

Deno.test("loader: threads start where the library came over http", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 6));
  const root = new URL("../../", import.meta.url);
  await using server = serve(async (request) => {
    const file = new URL(`.${new URL(request.url).pathname}`, root);
    const body = await Deno.readFile(file).catch(() => undefined);
    const type = file.pathname.endsWith(".ts") ? "application/typescript" : "text/javascript";
    const headers = { "content-type": file.pathname.endsWith(".wasm") ? "application/wasm" : type };
    return body ? new Response(body, { headers }) : new Response(null, { status: 404 });
  });
  const host = new URL(server.url).host, script = `${server.url}/tests/data/loader_process.ts`;
  const { running, notes } = await runProcess(script, folder.path, 2, [`--allow-import=${host}`]);
  assert.deepEqual({ running, notes }, { running: 2, notes: [] });
});

Deno.test("waiting: the time until an item comes counts, what is done with it does not", async () => {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  async function* slow() {
    for (let k = 0; k < 3; k++) {
      await pause(40);
      yield k;
    }
  }
  const waiting = new Waiting(), seen: number[] = [];
  for await (const item of waiting.of(slow())) {
    const before = waiting.waitedMs;
    await pause(60);
    assert.equal(waiting.waitedMs, before);
    seen.push(item);
  }
  assert.deepEqual(seen, [0, 1, 2]);
  assert(waiting.waitedMs >= 3 * 40 - 5, `${waiting.waitedMs}`);
  let isLeft = false;
  async function* watched() {
    try {
      yield 1;
      yield 2;
    } finally {
      isLeft = true;
    }
  }
  for await (const _ of waiting.of(watched())) break;
  assert(isLeft, "leaving the loop leaves the items");
});
