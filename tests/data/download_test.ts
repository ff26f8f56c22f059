/** Downloads from a server on this machine: checked, whole under their name, resumed. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError, UsageError } from "../../core/errors.ts";
import type { Progress } from "../../data/dataset.ts";
import { type Download, downloadFile } from "../../data/download.ts";
import { type Behaviour, serveFile } from "./file_server.ts";
import { checksum, namesIn, serve, temporaryFolder } from "./support.ts";

const body = Uint8Array.from({ length: 300_000 }, (_, i) => i * i);
const md5 = checksum("md5", body), sha256 = checksum("sha256", body);
const date = "Wed, 01 May 2024 10:00:00 GMT";

/** A download of `body` into a folder. */
const fetchTo = (folder: string, url: string, change: Partial<Download> = {}) =>
  downloadFile({ action: "open it", url, path: `${folder}/f.bin`, checksum: { md5 }, ...change });

/** A download is refused with a DataError that says how to help oneself. */
const refused = (url: string, folder: string, message: RegExp, change: Partial<Download> = {}) =>
  assert.rejects(fetchTo(folder, url, change), (error) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
    const path = `${folder}/f.bin`;
    assert.ok(error.message.includes(`fetch ${url} by another way and place it at ${path}`));
    assert.equal(error.file, path);
    return true;
  });

const partIn = (folder: string) => Deno.readFile(`${folder}/f.bin.part`);

/** Leaves the first bytes of a file, and the version they are from. */
async function leavePart(folder: string, bytes: Uint8Array, validator?: string): Promise<void> {
  await Deno.writeFile(`${folder}/f.bin.part`, bytes);
  if (validator !== undefined) await Deno.writeTextFile(`${folder}/f.bin.part.etag`, validator);
}

async function assertWhole(folder: string): Promise<void> {
  // Of 300,000 bytes that differ, a list would take minutes.
  assert.equal(checksum("md5", await Deno.readFile(`${folder}/f.bin`)), md5);
  assert.deepEqual(await namesIn(folder), ["f.bin"]);
}

async function assertPart(folder: string, length: number): Promise<void> {
  const part = await partIn(folder);
  assert.equal(part.length, length);
  assert.equal(checksum("md5", part), checksum("md5", body.subarray(0, length)));
}

Deno.test("a download arrives whole, with progress up to its length", async () => {
  await using server = serveFile(() => ({ body, etag: '"1"' }));
  await using folder = await temporaryFolder();
  const seen: Progress[] = [];
  await fetchTo(folder.path, server.url, { onProgress: (p) => seen.push(p) });
  await assertWhole(folder.path);
  assert.deepEqual(seen.at(-1), { loadedBytes: body.length, totalBytes: body.length });
  assert.ok(seen.every(({ loadedBytes }, i) => i === 0 || loadedBytes > seen[i - 1].loadedBytes));
  assert.equal(server.requests[0].get("range"), null);
});

Deno.test("a checksum is MD5, or SHA-256 by its first digits; others are refused at once", async () => {
  await using server = serveFile(() => ({ body }));
  for (const sum of [{ md5: md5.toUpperCase() }, { sha256 }, { sha256: sha256.slice(0, 8) }]) {
    await using folder = await temporaryFolder();
    await fetchTo(folder.path, server.url, { checksum: sum });
    await assertWhole(folder.path);
  }
  const requests = server.requests.length;
  const none = [{ md5: md5.slice(1) }, { sha256: sha256.slice(0, 7) }, { sha256: `${sha256}0` }];
  for (const sum of [...none, { sha256: "f37072f?" }, { md5: "" }]) {
    await using folder = await temporaryFolder();
    await assert.rejects(fetchTo(folder.path, server.url, { checksum: sum }), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(
        error.message,
        /is no (MD5, 32|SHA-256, 8 to 64) hexadecimal digits are wanted$/,
      );
      return true;
    });
    assert.deepEqual(await namesIn(folder.path), []);
  }
  assert.equal(server.requests.length, requests);
});

Deno.test("until it is checked it bears another name", async () => {
  const gate = Promise.withResolvers<void>();
  const stream = ReadableStream.from((async function* () {
    yield body.subarray(0, 1000);
    await gate.promise;
    yield body.subarray(1000);
  })());
  await using server = serve(() => new Response(stream));
  await using folder = await temporaryFolder();
  const started = Promise.withResolvers<void>();
  const running = fetchTo(folder.path, server.url, { onProgress: () => started.resolve() });
  await started.promise;
  assert.deepEqual(await namesIn(folder.path), ["f.bin.part"]);
  gate.resolve();
  await running;
  await assertWhole(folder.path);
});

Deno.test("a wrong checksum, a refusal and a closed door leave nothing behind", async () => {
  await using server = serve((request) => {
    const { pathname } = new URL(request.url);
    return pathname === "/gone" ? new Response("no", { status: 404 }) : new Response(body);
  });
  await using folder = await temporaryFolder();
  const { path } = folder, other = "0".repeat(32), start = "0".repeat(8);
  await refused(`${server.url}/whole`, path, new RegExp(`its MD5 is ${md5}, ${other} is wanted`), {
    checksum: { md5: other },
  });
  const wanted = `its SHA-256 is ${sha256}, one that begins with ${start} is wanted`;
  await refused(`${server.url}/whole`, path, new RegExp(wanted), { checksum: { sha256: start } });
  await refused(`${server.url}/gone`, path, /answers 404, 200 is wanted/);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = `http://127.0.0.1:${listener.addr.port}/f`;
  listener.close();
  await refused(closed, path, /cannot be reached \(.*refused/);
  assert.deepEqual(await namesIn(path), []);
});

Deno.test("what broke off is kept, and the rest alone is fetched", async () => {
  for (const version of [{ etag: '"1"' }, { lastModified: date }, { etag: 'W/"1"' }, {}]) {
    await using server = serveFile((n) => ({ body, ...version, cutAfter: [50_000, 20_000][n] }));
    await using folder = await temporaryFolder();
    await refused(server.url, folder.path, /broke off after 50000 bytes.*try again to go on from/);
    await assertPart(folder.path, 50_000);
    await refused(server.url, folder.path, /broke off after 70000 bytes/);
    const seen: Progress[] = [];
    await fetchTo(folder.path, server.url, { onProgress: (p) => seen.push(p) });
    await assertWhole(folder.path);
    const asked = server.requests.map((headers) => headers.get("range"));
    assert.deepEqual(asked, [null, "bytes=50000-", "bytes=70000-"]);
    const validator = "lastModified" in version ? date : version.etag === '"1"' ? '"1"' : null;
    assert.equal(server.requests[2].get("if-range"), validator);
    assert.ok(seen[0].loadedBytes > 70_000, "what was there counts");
    assert.equal(seen[0].totalBytes, body.length);
  }
});

Deno.test("a server without ranges, or with another file by now, sends all of it", async () => {
  const wrong = new Uint8Array(70_000).fill(1);
  const servers: [string, Omit<Behaviour, "body">, number][] = [
    ["no ranges", { hasNoRanges: true }, 1],
    ["another version", { etag: '"2"' }, 1],
    ["another version, sent from the middle", { etag: '"2"', ignoresIfRange: true }, 2],
    ["another date", { lastModified: date }, 1],
  ];
  for (const [what, behaviour, requests] of servers) {
    await using server = serveFile(() => ({ body, ...behaviour }));
    await using folder = await temporaryFolder();
    await leavePart(folder.path, wrong, '"1"');
    await fetchTo(folder.path, server.url);
    await assertWhole(folder.path);
    assert.equal(server.requests[0].get("range"), "bytes=70000-", what);
    assert.equal(server.requests.length, requests, what);
  }
});

Deno.test("a part longer than the file is dropped, and so is one that does not fit", async () => {
  await using server = serveFile(() => ({ body }));
  await using folder = await temporaryFolder();
  await leavePart(folder.path, new Uint8Array(body.length + 1));
  await fetchTo(folder.path, server.url);
  await assertWhole(folder.path);
  assert.equal(server.requests.length, 2, "416, then all of it");
  await Deno.remove(`${folder.path}/f.bin`);
  await leavePart(folder.path, new Uint8Array(1000));
  await refused(server.url, folder.path, /gives another file, its MD5 is .* try again later/);
  assert.deepEqual(await namesIn(folder.path), []);
});

Deno.test("a whole part needs no server", async () => {
  await using folder = await temporaryFolder();
  await leavePart(folder.path, body, '"1"');
  await fetchTo(folder.path, "http://127.0.0.1:1/");
  await assertWhole(folder.path);
});

Deno.test("answers that make no sense end in an error, never in a file", async () => {
  const ranged = (range: string, from: number, to?: number) => () =>
    new Response(body.slice(from, to), { status: 206, headers: { "content-range": range } });
  const answers: [() => Response, RegExp][] = [
    [ranged("bytes 0-299999/300000", 0), /answers 206, 200 is wanted/],
    [ranged("pages 1-2/3", 1000), /answers 206/],
    [() => new Response(null, { status: 416 }), /answers 416/],
    [() => new Response(null, { status: 204 }), /answers 204/],
    [ranged("bytes 1000-1999/300000", 1000, 2000), /broke off after 2000 bytes \(300000 bytes are/],
    [ranged("bytes 1000-1999/1500", 1000, 2000), /another file/],
    [() => new Response(new Uint8Array(0)), /another file/],
  ];
  for (const [answer, message] of answers) {
    await using server = serve(answer);
    await using folder = await temporaryFolder();
    await leavePart(folder.path, body.subarray(0, 1000), "\u{1}no header\r\n");
    await refused(server.url, folder.path, message);
    assert.ok(!(await namesIn(folder.path)).includes("f.bin"));
  }
});

Deno.test("a server that falls silent is left, and what it sent is kept", async () => {
  await using server = serveFile((n) => ({ body, etag: '"1"', stallAfter: [40_000][n] }));
  await using folder = await temporaryFolder();
  const silent = /sent nothing for 0\.2 s; try again to go on from there/;
  await refused(server.url, folder.path, silent, { stallMs: 200 });
  await assertPart(folder.path, 40_000);
  await fetchTo(folder.path, server.url);
  await assertWhole(folder.path);
  // Accepts, and never says a word.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  await refused(url, folder.path, /sent nothing for 0\.1 s; try again, or/, { stallMs: 100 });
});

Deno.test("an abort stops it with the signal's reason, and keeps what came", async () => {
  await using server = serveFile((n) => ({ body, etag: '"1"', stallAfter: [10_000][n] }));
  await using folder = await temporaryFolder();
  const controller = new AbortController(), { signal } = controller;
  const running = fetchTo(folder.path, server.url, {
    signal,
    onProgress: () => controller.abort(),
  });
  await assert.rejects(running, { name: "AbortError" });
  assert.deepEqual(await namesIn(folder.path), ["f.bin.part", "f.bin.part.etag"]);
  const { length } = await partIn(folder.path);
  await assert.rejects(fetchTo(folder.path, server.url, { signal }), { name: "AbortError" });
  assert.equal(server.requests.length, 1);
  await fetchTo(folder.path, server.url);
  await assertWhole(folder.path);
  assert.equal(server.requests[1].get("range"), `bytes=${length}-`);
});

Deno.test("whatever servers do, a file under its name is the right one", async () => {
  const version = fc.constantFrom("1", "2");
  const behaviour = fc.record({
    version,
    hasNoRanges: fc.boolean(),
    ignoresIfRange: fc.boolean(),
    isTagged: fc.boolean(),
    cutAfter: fc.option(fc.integer({ min: 0, max: 40_000 }), { nil: undefined }),
  });
  const files = { "1": body.slice(0, 60_000), "2": body.slice(1, 50_001) };
  const property = fc.asyncProperty(fc.array(behaviour, { maxLength: 6 }), async (behaviours) => {
    await using server = serveFile((n) => {
      const { version, isTagged, ...rest } = behaviours[n] ?? { version: "1", isTagged: true };
      return {
        body: files[version as "1" | "2"],
        ...rest,
        etag: isTagged ? `"${version}"` : undefined,
      };
    });
    await using folder = await temporaryFolder();
    const sum = { checksum: { sha256: checksum("sha256", files["1"]) } };
    const path = `${folder.path}/f.bin`;
    // Two more than there are bad answers: bytes of both versions may be mixed up once.
    for (let k = 0; k < behaviours.length + 2; k++) {
      const isDone = await fetchTo(folder.path, server.url, sum).then(() => true, (error) => {
        assert.ok(error instanceof DataError, String(error));
        return false;
      });
      if (isDone) break;
      await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
    }
    assert.equal(checksum("sha256", await Deno.readFile(path)), sum.checksum.sha256);
    assert.deepEqual(await namesIn(folder.path), ["f.bin"]);
  });
  await fc.assert(property, { numRuns: 40 });
});

/** A process that downloads `f.bin`, and prints the error where it cannot. */
function downloading(folder: string, url: string): Deno.ChildProcess {
  const module = JSON.stringify(new URL("../../data/download.ts", import.meta.url).href);
  const script = `const { downloadFile } = await import(${module});
    await downloadFile(JSON.parse(Deno.args[0])).catch((e) => console.log(e.name, e.message));`;
  const wanted = { action: "open it", url, path: `${folder}/f.bin`, checksum: { md5 } };
  const args = ["eval", "--no-lock", script, JSON.stringify(wanted)];
  return new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" }).spawn();
}

Deno.test("of several processes that want the same file one fetches it", async () => {
  await using folder = await temporaryFolder();
  const gate = Promise.withResolvers<void>();
  await using server = serve(async () => {
    await gate.promise;
    return new Response(body);
  });
  const first = fetchTo(folder.path, server.url);
  const { stdout } = await downloading(folder.path, server.url).output();
  const said = `UsageError Cannot open it: another process is fetching ${folder.path}/f.bin, one`;
  assert.ok(new TextDecoder().decode(stdout).startsWith(said), new TextDecoder().decode(stdout));
  const [own] = await Promise.allSettled([fetchTo(folder.path, server.url)]);
  assert.equal(own.status, "rejected", "nor does the same process twice");
  gate.resolve();
  await first;
  await assertWhole(folder.path);
});

Deno.test("what a process had that was killed is gone on with", async () => {
  await using server = serveFile((n) => ({ body, etag: '"1"', stallAfter: [30_000][n] }));
  await using folder = await temporaryFolder();
  await using child = downloading(folder.path, server.url);
  const size = () => partIn(folder.path).then(({ length }) => length, () => 0);
  while (await size() < 30_000) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill("SIGKILL");
  await child.output();
  await fetchTo(folder.path, server.url);
  await assertWhole(folder.path);
  const [, second] = server.requests;
  assert.deepEqual([second.get("range"), second.get("if-range")], ["bytes=30000-", '"1"']);
});

Deno.test({
  name: "a missing network permission names the flag",
  permissions: { net: false, write: true, read: true },
  async fn() {
    await using folder = await temporaryFolder();
    await assert.rejects(fetchTo(folder.path, "http://localhost:8/f.bin"), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.hint, "--allow-net=localhost:8");
      return true;
    });
    await assert.rejects(fetchTo(folder.path, "https://example.com/f.bin"), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.hint, "--allow-net=example.com");
      return true;
    });
    assert.deepEqual(await namesIn(folder.path), []);
  },
});

for (const access of ["read", "write"] as const) {
  Deno.test({
    name: `a missing permission to ${access} names the folder`,
    permissions: { net: ["127.0.0.1"], read: access !== "read", write: access !== "write" },
    async fn() {
      await assert.rejects(fetchTo("some", "http://127.0.0.1:1/f.bin"), (error) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.equal(error.hint, `--allow-${access}=some`);
        return true;
      });
    },
  });
}
