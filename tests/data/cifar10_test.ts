/** CIFAR-10: the binary layout, the archive, the real files. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync } from "node:zlib";
import { DataError, UsageError } from "../../core/errors.ts";
import { openCifar10, readCifar10 } from "../../data/cifar10.ts";
import { unpackCifar10 } from "../../data/cifar10_archive.ts";
import { downloadFile } from "../../data/download.ts";
import {
  checksum,
  namesIn,
  realCifar10,
  serve,
  syntheticArchive,
  syntheticCifar10,
  temporaryFolder,
  writeFiles,
} from "./support.ts";

/** The action is refused with a DataError naming `file`. */
const refused = (action: Promise<unknown>, file: RegExp, message: RegExp) =>
  assert.rejects(action, (error) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.file ?? "", file);
    assert.match(error.message, message);
    assert.match(error.message, file);
    return true;
  });

Deno.test("planes become pixels, files follow each other", async () => {
  await using folder = await temporaryFolder();
  const files = syntheticCifar10(3);
  await writeFiles(folder.path, files);
  const { train, test, classes } = await readCifar10(folder.path, 3);
  assert.deepEqual([train.size, test.size, train.packed.width, train.packed.channels], [
    15,
    3,
    32,
    3,
  ]);
  assert.equal(classes[7], "seven");
  assert.deepEqual([...train.labels], [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]);
  const channel = (split: typeof train, i: number, y: number, x: number, c: number) =>
    split.packed.images[((i * 32 + y) * 32 + x) * 3 + c];
  for (const [i, y, x, c] of [[0, 0, 0, 0], [4, 31, 2, 1], [14, 31, 31, 2], [9, 17, 30, 0]]) {
    const bytes = files[`data_batch_${Math.floor(i / 3) + 1}.bin`];
    assert.equal(channel(train, i, y, x, c), bytes[(i % 3) * 3073 + 1 + c * 1024 + y * 32 + x]);
  }
  assert.equal(channel(test, 2, 1, 3, 2), files["test_batch.bin"][2 * 3073 + 1 + 2048 + 35]);
});

Deno.test("wrong sizes, labels above 9 and missing files are refused by name", async () => {
  const tries: [string, Uint8Array | undefined, RegExp][] = [
    ["data_batch_3.bin", new Uint8Array(3072), /has 3072 bytes, 3073 are wanted$/],
    ["data_batch_2.bin", new Uint8Array(3073).fill(10), /the label 10 in image 0, 0 to 9/],
    ["test_batch.bin", new Uint8Array(0), /has 0 bytes/],
    ["batches.meta.txt", new TextEncoder().encode("cat\ndog\n"), /names 2 classes, 10/],
    ["data_batch_5.bin", undefined, /does not exist$/],
  ];
  for (const [name, data, message] of tries) {
    await using folder = await temporaryFolder();
    const files = syntheticCifar10(1);
    if (data) files[name] = new Uint8Array(data);
    else delete files[name];
    await writeFiles(folder.path, files);
    await refused(readCifar10(folder.path, 1), new RegExp(name), message);
  }
});

Deno.test("class names may be missing, the images may not", async () => {
  await using folder = await temporaryFolder();
  const { "batches.meta.txt": _left, ...files } = syntheticCifar10(1);
  await writeFiles(folder.path, files);
  assert.equal((await readCifar10(folder.path, 1)).classes[6], "frog");
  await Deno.remove(`${folder.path}/data_batch_2.bin`);
  const open = openCifar10({ dataDir: folder.path });
  await refused(open, /data_batch_2\.bin/, /does not exist; add `download`, or unpack https/);
});

Deno.test("the sub-folder of the official archive is found", async () => {
  await using folder = await temporaryFolder();
  await writeFiles(`${folder.path}/cifar-10-batches-bin`, syntheticCifar10(1));
  // Found and read: the size is what is wrong with it.
  const open = openCifar10({ dataDir: `${folder.path}/` });
  await refused(open, /cifar-10-batches-bin\/data_batch_1\.bin/, /30730000 are wanted$/);
});

Deno.test("without a folder the options are named; a missing folder is named", async () => {
  await assert.rejects(openCifar10(), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^Cannot open cifar10: no folder is given, `dataDir`, a folder/);
    return true;
  });
  await refused(openCifar10({ dataDir: "no/such" }), /no\/such\/data_batch_1/, /does not exist/);
});

Deno.test("an archive is fetched, checked, unpacked and removed", async () => {
  const archive = syntheticArchive(2), md5 = checksum("md5", archive);
  await using server = serve(() => new Response(archive));
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.tar.gz`, target = `${folder.path}/out`;
  await downloadFile({ action: "open cifar10", url: server.url, path, checksum: { md5 } });
  await unpackCifar10(path, target, md5);
  assert.deepEqual(await namesIn(folder.path), ["out"]);
  assert.deepEqual(await namesIn(target), Object.keys(syntheticCifar10(2)).sort());
  const { train } = await readCifar10(target, 2);
  assert.equal(train.size, 10);
});

Deno.test("an archive of several gzip members is unpacked to the same files", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.tar.gz`, whole = gunzipSync(syntheticArchive(2));
  const halves = [whole.subarray(0, 5000), whole.subarray(5000)].map((half) => gzipSync(half));
  const archive = new Uint8Array(Buffer.concat(halves));
  await Deno.writeFile(path, archive);
  await unpackCifar10(path, `${folder.path}/out`, checksum("md5", archive));
  for (const [name, bytes] of Object.entries(syntheticCifar10(2))) {
    assert.deepEqual(new Uint8Array(await Deno.readFile(`${folder.path}/out/${name}`)), bytes);
  }
});

Deno.test("an incomplete, damaged or wrong archive is refused and kept", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.tar.gz`, whole = syntheticArchive(1);
  const cut = whole.slice(0, whole.length - 40), text = new TextEncoder().encode("not gzip");
  for (const [bytes, message] of [[cut, /damaged|ends inside/], [text, /damaged/]] as const) {
    await Deno.writeFile(path, bytes);
    const unpack = unpackCifar10(path, `${folder.path}/out`, checksum("md5", bytes));
    await refused(unpack, /a\.tar\.gz/, message);
  }
  await refused(unpackCifar10(path, `${folder.path}/out`), /a\.tar\.gz/, /its MD5 is/);
  const left = (await namesIn(`${folder.path}/out`)).filter((name) => name.endsWith(".part"));
  assert.deepEqual(left, []);
});

Deno.test("another address still must give the official archive", async () => {
  await using server = serve(() => new Response(syntheticArchive(1)));
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/new/folder`;
  const open = openCifar10({ dataDir, download: true, downloadUrl: `${server.url}/c.tar.gz` });
  await refused(open, /cifar-10-binary\.tar\.gz/, /c32a1d4ab5d03f1284b67883e8d87530 is wanted/);
  assert.deepEqual(await namesIn(dataDir), []);
});

Deno.test("an archive placed by hand is named, and checked before it is unpacked", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeFile(`${folder.path}/cifar-10-binary.tar.gz`, syntheticArchive(1));
  const dataDir = folder.path;
  await refused(
    openCifar10({ dataDir }),
    /data_batch_1/,
    /add `download` once to unpack .*which is there$/,
  );
  const open = openCifar10({ dataDir, download: true, downloadUrl: "http://127.0.0.1:1/" });
  await refused(open, /cifar-10-binary/, /its MD5 is .* remove it and fetch it again$/);
});

Deno.test({
  name: "missing permissions name their flags",
  permissions: { read: true, write: false, net: ["127.0.0.1"] },
  async fn() {
    await assert.rejects(openCifar10({ dataDir: "some", download: true }), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.hint, "--allow-write=some");
      return true;
    });
  },
});

Deno.test("the real data set has the known first image and means", async () => {
  const folder = await realCifar10();
  if (folder === undefined) return;
  const { train, test, classes } = await openCifar10({ dataDir: folder });
  assert.deepEqual([train.size, test.size, classes[6]], [50_000, 10_000, "frog"]);
  assert.equal(train.labels[0], 6);
  assert.deepEqual([...train.packed.images.subarray(0, 3)], [59, 62, 63]);
  const sums = [0, 0, 0];
  for (let i = 0; i < train.packed.images.length; i++) sums[i % 3] += train.packed.images[i];
  const means = sums.map((sum) => (sum / (50_000 * 1024) / 255).toFixed(5));
  assert.deepEqual(means, ["0.49140", "0.48216", "0.44653"]);
  for (const { labels } of [train, test]) {
    for (let c = 0; c < 10; c++) {
      assert.equal(labels.filter((label) => label === c).length, labels.length / 10);
    }
  }
});
