/** Downloads from a server on this machine: whole or not at all. */
import assert from "node:assert/strict";
import { DataError, UsageError } from "../../core/errors.ts";
import type { Progress } from "../../data/dataset.ts";
import { downloadFile } from "../../data/download.ts";
import { checksum, namesIn, serve, temporaryFolder } from "./support.ts";

const body = Uint8Array.from({ length: 300_000 }, (_, i) => i * i);
const md5 = checksum("md5", body);

/** Tries a download into an empty folder; what is raised must say how to help oneself. */
async function fails(url: string, message: RegExp, change: { md5?: string } = {}): Promise<void> {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/f.bin`;
  await assert.rejects(downloadFile({ action: "open it", url, path, md5, ...change }), (error) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
    assert.ok(error.message.includes(`fetch ${url} by another way and place it at ${path}`));
    assert.equal(error.file, path);
    return true;
  });
  assert.deepEqual(await namesIn(folder.path), []);
}

Deno.test("a download arrives whole, with progress up to its length", async () => {
  await using server = serve(() =>
    new Response(body, { headers: { "content-length": `${body.length}` } })
  );
  await using folder = await temporaryFolder();
  const path = `${folder.path}/f.bin`, seen: Progress[] = [];
  await downloadFile({
    action: "open it",
    url: server.url,
    path,
    md5,
    onProgress: (p) => seen.push(p),
  });
  assert.deepEqual(await Deno.readFile(path), body);
  assert.deepEqual(await namesIn(folder.path), ["f.bin"]);
  assert.deepEqual(seen.at(-1), { loadedBytes: body.length, totalBytes: body.length });
  assert.ok(seen.every(({ loadedBytes }, i) => i === 0 || loadedBytes > seen[i - 1].loadedBytes));
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
  const running = downloadFile({
    action: "open it",
    url: server.url,
    path: `${folder.path}/f.bin`,
    md5,
    onProgress: () => started.resolve(),
  });
  await started.promise;
  assert.deepEqual(await namesIn(folder.path), ["f.bin.part"]);
  gate.resolve();
  await running;
  assert.deepEqual(await namesIn(folder.path), ["f.bin"]);
});

Deno.test("a wrong checksum, a refusal, a break and a closed door leave nothing behind", async () => {
  await using server = serve((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/gone") return new Response("no", { status: 404 });
    return new Response(body);
  });
  const other = "0".repeat(32);
  await fails(`${server.url}/whole`, new RegExp(`has the MD5 ${md5}, ${other} is wanted`), {
    md5: other,
  });
  await fails(`${server.url}/gone`, /answers 404, 200 is wanted/);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/f`;
  const breaking = fails(url, /broke off/);
  using connection = await listener.accept();
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n";
  await connection.read(new Uint8Array(4096));
  await connection.write(new TextEncoder().encode(`${head}the first bytes`));
  await connection.closeWrite();
  await breaking;
  listener.close();
  await fails(url, /cannot be reached \(.*refused/);
});

Deno.test("an abort stops it and leaves nothing behind", async () => {
  const controller = new AbortController();
  // Sends a part and never ends.
  const stream = () => new ReadableStream({ start: (out) => out.enqueue(body.subarray(0, 1000)) });
  await using server = serve(() => new Response(stream()));
  await using folder = await temporaryFolder();
  const running = downloadFile({
    action: "open it",
    url: server.url,
    path: `${folder.path}/f.bin`,
    md5,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await assert.rejects(running, { name: "AbortError" });
  assert.deepEqual(await namesIn(folder.path), []);
});

Deno.test({
  name: "a missing network permission names the flag",
  permissions: { net: false, write: true, read: true },
  async fn() {
    const url = "http://localhost:8/f.bin";
    await assert.rejects(downloadFile({ action: "open it", url, path: "f.bin", md5 }), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.hint, "--allow-net=localhost:8");
      return true;
    });
  },
});
