/** Folders as they are found on disks: each kind of trouble is handled as the documentation says. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DataError, UsageError } from "../../core/errors.ts";
import { openFolder } from "../../data/folder.ts";
import { encodePng } from "../../wasm/image.ts";
import { classFiles, picture, small, writeTree } from "./folder_support.ts";
import { temporaryFolder } from "./support.ts";

const fixture = (name: string): Promise<Uint8Array> =>
  Deno.readFile(new URL(`../fixtures/images/${name}`, import.meta.url));

/** A GIF of two frames of one pixel each. */
function animatedGif(): Uint8Array {
  const head = [71, 73, 70, 56, 57, 97, 1, 0, 1, 0, 128, 0, 0, 255, 255, 255, 0, 0, 0];
  const frame = [33, 249, 4, 0, 9, 0, 0, 0, 44, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 68, 1, 0];
  return Uint8Array.from([...head, ...frame, ...frame, 59]);
}

const text = (written: string): Uint8Array => new TextEncoder().encode(written);

/** Whether file modes bind this user; the superuser may read all. */
const isBound = await isForbidden();

Deno.test("trouble: what can be used is used, what cannot is listed", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await writeTree(path, {
    ...classFiles(["cat", "dog"], 6),
    "one/only.png": picture(9000),
    "cat/cmyk.jpg": await fixture("cmyk.jpg"),
    "cat/sixteen.png": await fixture("rgb16.png"),
    "cat/moving.gif": animatedGif(),
    "cat/tiny.png": encodePng({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) }),
    "cat/wide.png": encodePng({ width: 20_000, height: 10, data: new Uint8Array(200_000) }),
    "dog/Hündin im Schnee 🐕.png": picture(9001),
    "dog/a jpeg called.png": await fixture("rgb444.jpg"),
    "dog/no extension": await fixture("lossy.webp"),
    "dog/notes.txt": text("BM is how a BMP begins, and this note"),
    "dog/Thumbs.db": new Uint8Array(0),
    "dog/.hidden.png": text("no picture"),
    ".git/x.png": text("no picture"),
    "__MACOSX/cat/._0.png": text("no picture"),
    "loose.png": picture(9002),
    "dog/text.jpg": text("hello, this is a text"),
    "dog/nothing.jpeg": new Uint8Array(0),
    "dog/phone.heic": text("\0\0\0\x18ftypheic\0\0\0\0"),
    "dog/cut": (await fixture("rgb8.png")).subarray(0, 20),
  });
  await Deno.mkdir(`${path}/empty`);
  const options = { validationShare: 0 };
  const wrong = [
    /\n {2}dog\/cut: /,
    /\n {2}dog\/nothing\.jpeg: the file is empty/,
    /\n {2}dog\/phone\.heic: it is a HEIC file/,
    /\n {2}dog\/text\.jpg: it starts with the text "hello/,
  ];
  await assert.rejects(openFolder(path, options), (error: Error) => {
    assert(error instanceof DataError);
    assert.match(error.message, /: 4 files are damaged or cannot be read, none is wanted/);
    for (const each of wrong) assert.match(error.message, each);
    return true;
  });
  const { classes, train, summary } = await openFolder(path, { ...options, skipDamaged: true });
  assert.deepEqual(classes, ["cat", "dog", "one"]);
  assert.deepEqual(summary.classes.map((one) => one.train), [11, 9, 1]);
  assert.deepEqual(summary.emptyClasses, ["empty"]);
  assert.deepEqual(summary.damaged.map(({ name }) => name), [
    ...["dog/cut", "dog/nothing.jpeg", "dog/phone.heic", "dog/text.jpg"],
  ]);
  assert.deepEqual(summary.ignored, [
    { name: "dog/Thumbs.db", reason: "no picture" },
    { name: "dog/notes.txt", reason: "no picture" },
    { name: "loose.png", reason: "in no class's folder" },
  ]);
  assert.deepEqual(summary.width, { min: 1, median: 6, max: 20_000 });
  assert.deepEqual(summary.notes, [
    "empty: a folder without a picture, left out of the classes",
    "the largest class has 11.0 times the pictures of the smallest",
  ]);
  for (const fit of ["crop", "stretch", "pad"] as const) {
    assert.deepEqual(await train.verify({ ...small, fit }), []);
  }
});

Deno.test("trouble: a class of one picture stays in training, at whatever share", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, { ...classFiles(["a"], 1), ...classFiles(["b"], 1, 20) });
  const { train, validation, summary } = await openFolder(folder.path, { validationShare: 0.99 });
  assert.deepEqual([...train.labels], [0, 1]);
  assert.equal(validation, undefined);
  assert.deepEqual(summary.notes, ["no picture for validation"]);
});

Deno.test("trouble: links are followed, not in circles, and lead to something", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await writeTree(path, {
    ...classFiles(["set/cat", "set/dog", "else/more"], 3),
    "else/one.png": picture(700),
  });
  const link = (to: string, name: string) => Deno.symlink(to, `${path}/set/${name}`);
  await link("../../else/one.png", "cat/linked.png");
  await link("../../else/more", "cat/more");
  await link("..", "cat/up");
  await link("../..", "dog/further up");
  await link("/", "dog/root");
  await link("self", "dog/self");
  await link("../../else/gone.png", "dog/gone.png");
  await link("nowhere", "dog/gone");
  await link("../else/more", "bird");
  await assert.rejects(
    openFolder(`${path}/set`),
    /1 file is .*\n {2}dog\/gone\.png: a link to nothing$/,
  );
  const { train, summary, classes } = await openFolder(`${path}/set`, {
    ...{ skipDamaged: true, validationShare: 0 },
  });
  assert.deepEqual(classes, ["bird", "cat", "dog"]);
  assert.deepEqual(train.files.filter(({ label }) => label < 2).map(({ name }) => name), [
    ...["bird/0.png", "bird/1.png", "bird/2.png"],
    ...["cat/0.png", "cat/1.png", "cat/2.png", "cat/linked.png"],
    ...["cat/more/0.png", "cat/more/1.png", "cat/more/2.png"],
  ]);
  assert.deepEqual(summary.ignored, [
    { name: "cat/up", reason: "a link in a circle" },
    { name: "dog/further up", reason: "a link in a circle" },
    { name: "dog/gone", reason: "a link to nothing" },
    { name: "dog/root", reason: "a link in a circle" },
    { name: "dog/self", reason: "a link in a circle" },
  ]);
  assert.equal(summary.copies.length, 3);
});

Deno.test("trouble: folders that link to each other are walked in bounded time", async () => {
  await using folder = await temporaryFolder();
  const names = Array.from({ length: 9 }, (_, k) => `c${k}`);
  await writeTree(folder.path, classFiles(names, 1));
  for (const a of names) {
    for (const b of names) await Deno.symlink(`../${b}`, `${folder.path}/${a}/to-${b}`);
  }
  const { classes, train } = await openFolder(folder.path, { validationShare: 0 });
  assert.deepEqual(classes, names);
  assert(train.size < 9 * 9 * 9, `${train.size} pictures`);
});

Deno.test({
  name: "trouble: what the system forbids to read is listed",
  ignore: !isBound,
  fn: async () => {
    await using folder = await temporaryFolder();
    const { path } = folder;
    await writeTree(path, { ...classFiles(["a", "b"], 3), "a/notes.txt": text("x") });
    await Deno.mkdir(`${path}/b/locked`);
    for (const name of ["a/1.png", "a/notes.txt", "b/locked"]) {
      await Deno.chmod(`${path}/${name}`, 0);
    }
    const reason = "the system forbids to read it";
    const { summary } = await openFolder(path, { skipDamaged: true });
    assert.deepEqual(summary.damaged, [{ name: "a/1.png", reason }, { name: "b/locked", reason }]);
    assert.deepEqual(summary.ignored, [{ name: "a/notes.txt", reason }]);
    await assert.rejects(openFolder(path), /2 files are damaged or cannot be read/);
    await Deno.chmod(`${path}/b/locked`, 0o700);
  },
});

Deno.test("trouble: a picture that is too large, an option that is none", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, {
    ...classFiles(["a", "b"], 2),
    "a/large.png": picture(77, 40, 30),
  });
  const most = { maxPixels: 1199 };
  await assert.rejects(
    openFolder(folder.path, most),
    /a\/large\.png: it has 40×30 pixels, at most 1199/,
  );
  await assert.rejects(openFolder(folder.path, { maxPixels: 0 }), UsageError);
  await assert.rejects(openFolder(folder.path, { cacheBytes: -1 }), UsageError);
});

Deno.test("trouble: a link out of the folder that may be read is listed, not prompted for", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await writeTree(path, { ...classFiles(["in/a", "in/b"], 3), "out/x.png": picture(1) });
  await Deno.symlink("../../out/x.png", `${path}/in/a/link.png`);
  const script = fileURLToPath(new URL("loader_process.ts", import.meta.url));
  const args = [
    "run",
    "--no-lock",
    "--no-prompt",
    `--allow-read=${path}/in`,
    script,
    `${path}/in`,
    "0",
  ];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.equal(success, false);
  const said = new TextDecoder().decode(stderr);
  assert.match(
    said,
    /1 file is damaged or cannot be read.*\n\s+a\/link\.png: no permission to read it/,
  );
});

/** Whether a file without any permission cannot be read: root and Windows read it. */
async function isForbidden(): Promise<boolean> {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/closed`;
  await Deno.writeTextFile(file, "x", { mode: 0o000 });
  return await Deno.readTextFile(file).then(() => false, () => true);
}
