/** Published weights: found where they lie, fetched once, and never taken for others. */
import assert from "node:assert/strict";
import { DataError, UsageError } from "../../core/errors.ts";
import { type PublishedWeights, publishedWeights } from "../../data/published_weights.ts";
import type { ModelEntry } from "../../models/model.ts";
import { models } from "../../models/models.ts";
import { serveFile } from "./file_server.ts";
import { checksum, namesIn, temporaryFolder, testData } from "./support.ts";

const body = Uint8Array.from({ length: 200_000 }, (_, i) => i * i * 7);
const file = `resnet18-${checksum("sha256", body).slice(0, 8)}.pth`;
const address = `https://download.pytorch.org/models/${file}`;
/** Nobody listens there. */
const nowhere = "http://127.0.0.1:1/f";

const wanted = (folder: string, change: Partial<PublishedWeights> = {}): PublishedWeights => ({
  ...{ name: "resnet18", address, folder, download: true, downloadUrl: nowhere, ...change },
});

/** Refused with a DataError that names the file, the address, and what else is said. */
const refused = (options: PublishedWeights, ...parts: readonly string[]) =>
  assert.rejects(publishedWeights(options), (error) => {
    assert.ok(error instanceof DataError, String(error));
    const path = `${options.folder}/${file}`;
    assert.equal(error.file, path);
    assert.ok(error.message.startsWith("Cannot open the weights of resnet18: "), error.message);
    for (const part of [path, ...parts]) assert.ok(error.message.includes(part), error.message);
    return true;
  });

Deno.test("weights are fetched once, and then found without a network", async () => {
  await using server = serveFile(() => ({ body, etag: '"1"' }));
  await using folder = await temporaryFolder();
  const home = `${folder.path}/new/weights`, seen: number[] = [];
  const onProgress = ({ loadedBytes }: { loadedBytes: number }) => seen.push(loadedBytes);
  const path = await publishedWeights(
    wanted(`${home}/`, { downloadUrl: server.url, onProgress }),
  );
  assert.equal(path, `${home}/${file}`);
  assert.equal(checksum("md5", await Deno.readFile(path)), checksum("md5", body));
  assert.deepEqual(await namesIn(home), [file]);
  assert.equal(seen.at(-1), body.length);
  assert.equal(await publishedWeights(wanted(home)), path);
  assert.equal(await publishedWeights(wanted(home, { download: false })), path);
  assert.equal(server.requests.length, 1);
});

Deno.test("without a file, what to place where is told", async () => {
  await using folder = await temporaryFolder();
  const missing = `does not exist; add \`download\`, or fetch ${address} and place it there`;
  await refused(wanted(folder.path, { download: false }), missing);
  await refused(wanted(`${folder.path}/no/such`, { download: false }), missing);
  await refused(wanted(folder.path), "cannot be reached", `fetch ${nowhere} by another way`);
  assert.deepEqual(await namesIn(folder.path), []);
});

Deno.test("a file cut short, or another under its name, is refused and kept", async () => {
  await using server = serveFile(() => ({ body }));
  await using folder = await temporaryFolder();
  const path = `${folder.path}/${file}`;
  for (const bytes of [body.subarray(0, 150_000), new Uint8Array(0), new Uint8Array(200_000)]) {
    await Deno.writeFile(path, bytes);
    const fault = `its SHA-256 is ${checksum("sha256", bytes)}, one that begins with`;
    for (const download of [false, true]) {
      const options = wanted(folder.path, { download, downloadUrl: server.url });
      await refused(options, fault, `remove it and fetch ${address} again`);
    }
    assert.equal((await Deno.stat(path)).size, bytes.length);
  }
  assert.equal(server.requests.length, 0);
});

Deno.test("a download that broke off is gone on with, and one of another file is refused", async () => {
  await using server = serveFile((n) => ({ body, etag: '"1"', cutAfter: [90_000][n] }));
  await using folder = await temporaryFolder();
  const options = wanted(folder.path, { downloadUrl: server.url });
  await refused(options, "broke off after 90000 bytes", "try again to go on from there");
  assert.equal(await publishedWeights(options), `${folder.path}/${file}`);
  assert.equal(server.requests[1].get("range"), "bytes=90000-");
  await Deno.remove(`${folder.path}/${file}`);
  await using other = serveFile(() => ({ body: body.slice(1) }));
  await refused(wanted(folder.path, { downloadUrl: other.url }), "gives another file, its SHA-256");
  assert.deepEqual(await namesIn(folder.path), []);
});

Deno.test("the signal stops it with its own reason", async () => {
  await using server = serveFile(() => ({ body, stallAfter: 10_000 }));
  await using folder = await temporaryFolder();
  const controller = new AbortController(), reason = new Error("enough");
  const onProgress = () => controller.abort(reason);
  const { signal } = controller;
  const options = wanted(folder.path, { downloadUrl: server.url, signal, onProgress });
  await assert.rejects(publishedWeights(options), (error) => error === reason);
  assert.deepEqual(await namesIn(folder.path), [`${file}.part`]);
});

Deno.test("an address without digits is refused", async () => {
  const bad = [
    "https://a/resnet18.pth",
    "https://a/resnet18-f37072f.pth",
    "https://a/-f37072fd",
    "",
  ];
  for (const address of bad) {
    await assert.rejects(publishedWeights(wanted("no/such", { address })), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, /tells no checksum, a name such as .* is wanted$/);
      return true;
    });
  }
});

Deno.test("the table names torchvision's files, each after its model", async () => {
  const entries: [string, ModelEntry][] = Object.entries(models);
  const published = entries.filter(([, entry]) => entry.published !== undefined);
  assert.deepEqual(published.map(([name]) => name), [
    ...["resnet18", "resnet34", "resnet50", "wide_resnet50_2", "mobilenet_v2"],
    ...["squeezenet1_0", "squeezenet1_1"],
  ]);
  for (const [name, { published: address = "", classes }] of published) {
    assert.equal(classes, 1000);
    assert.ok(address.startsWith(`https://download.pytorch.org/models/${name}-`));
    const options = { name, address, folder: "no/such", download: false };
    await assert.rejects(publishedWeights(options), /no\/such\/.*\.pth does not exist; add/);
  }
});

Deno.test("a real file has the digits of its name", async () => {
  const folder = await testData("imagenet/efficientnet-lite0");
  if (folder === undefined) return;
  const address = "https://example.com/efficientnet-lite0-57934424.pth";
  const options = { name: "tf_efficientnet_lite0", address, folder, download: false };
  assert.equal(await publishedWeights(options), `${folder}/efficientnet-lite0-57934424.pth`);
});

/** A missing permission is told with its flag. */
const denied = (hint: string) =>
  assert.rejects(publishedWeights(wanted("some", { downloadUrl: address })), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.equal(error.hint, hint);
    assert.match(error.message, /^Cannot open the weights of resnet18: no permission to /);
    return true;
  });

for (const access of ["read", "write"] as const) {
  Deno.test({
    name: `a missing permission to ${access} names the folder of the weights`,
    permissions: { net: ["127.0.0.1"], read: access !== "read", write: access !== "write" },
    fn: () => denied(`--allow-${access}=some`),
  });
}

Deno.test({
  name: "a missing network permission names the official host",
  permissions: { net: ["127.0.0.1"], read: true, write: true },
  async fn() {
    await using folder = await temporaryFolder();
    const options = wanted(folder.path, { downloadUrl: undefined });
    await assert.rejects(publishedWeights(options), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.hint, "--allow-net=download.pytorch.org");
      return true;
    });
    assert.deepEqual(await namesIn(folder.path), []);
  },
});
