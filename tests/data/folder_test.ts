/** Folders and lists as data sets: classes, parts, copies, labels, batches. */
import assert from "node:assert/strict";
import { DataError, UsageError } from "../../core/errors.ts";
import { openFolder } from "../../data/folder.ts";
import type { FolderPictures } from "../../data/folder_pictures.ts";
import { preparePicture } from "../../data/preparation.ts";
import { classFiles, picture, small, writeTree } from "./folder_support.ts";
import { temporaryFolder } from "./support.ts";

const namesOf = (pictures?: FolderPictures): string[] => pictures?.files.map((f) => f.name) ?? [];
const fails = (work: Promise<unknown>, pattern: RegExp, of = DataError) =>
  assert.rejects(work, (error: Error) => {
    assert(error instanceof of, `${error}`);
    assert.match(error.message, pattern);
    return true;
  });

Deno.test("folder: a sub-folder is a class, in natural order; a fifth is for validation", async () => {
  await using folder = await temporaryFolder();
  const files = classFiles(["c10", "c9", "B/deep", "B"], 20);
  await writeTree(folder.path, files);
  const set = await openFolder(folder.path + "/");
  assert.deepEqual(set.classes, ["B", "c9", "c10"]);
  assert.equal(folder.path.endsWith(set.name), true);
  assert.equal(set.test, undefined);
  const { summary, train, validation } = set;
  assert.deepEqual(summary.split, { validation: "by content", share: 0.2 });
  assert.deepEqual([...namesOf(train), ...namesOf(validation)].sort(), Object.keys(files).sort());
  for (const part of [train, validation!]) {
    part.files.forEach(({ name }, k) => {
      assert.equal(set.classes[part.labels[k]], name.split("/")[0]);
    });
  }
  assert.deepEqual(summary.counts, { train: train.size, validation: validation!.size, test: 0 });
  assert.deepEqual(summary.width, { min: 6, median: 6, max: 6 });
  assert.deepEqual(summary.formats, { png: 80 });
  assert.deepEqual([summary.copies, summary.ignored, summary.damaged], [[], [], []]);
  await writeTree(folder.path, classFiles(["c10", "c9", "A"], 10, 500));
  const more = await openFolder(folder.path);
  assert.equal((await openFolder(folder.path)).fingerprint, more.fingerprint);
  assert.notEqual(more.fingerprint, set.fingerprint);
  const isOld = (name: string) => name in files;
  assert.deepEqual(more.classes, ["A", "B", "c9", "c10"]);
  assert.deepEqual(namesOf(more.train).filter(isOld), namesOf(train));
  assert.deepEqual(namesOf(more.validation).filter(isOld), namesOf(validation));
});

Deno.test("folder: parts by any of their names, classes by name", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, {
    ...classFiles(["Train/a", "Train/b", "Train/c"], 3),
    ...classFiles(["valid/b", "valid/c"], 2, 50),
    ...classFiles(["test/c"], 2, 90),
    "Train/loose.txt": new Uint8Array(3),
    "other/notes.txt": new Uint8Array(3),
  });
  const { classes, train, validation, test, summary } = await openFolder(folder.path);
  assert.deepEqual(classes, ["a", "b", "c"]);
  assert.deepEqual([...train.labels], [0, 0, 0, 1, 1, 1, 2, 2, 2]);
  assert.deepEqual([...validation!.labels], [1, 1, 2, 2]);
  assert.deepEqual([...test!.labels], [2, 2]);
  assert.deepEqual(summary.split, { validation: "given" });
  assert.deepEqual(summary.notes, [
    "a: no picture for validation, so this class is not measured there",
    "a, b: no picture for test, so this class is not measured there",
  ]);
});

Deno.test("folder: where there is train and test, validation comes from train", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, {
    ...classFiles(["train/a", "train/b"], 30),
    ...classFiles(["test/a", "test/b"], 4, 70),
  });
  const { train, validation, test } = await openFolder(folder.path);
  assert.equal(test!.size, 8);
  assert.equal(train.size + validation!.size, 60);
  assert(validation!.files.every(({ name }) => name.startsWith("train/")));
  const none = await openFolder(folder.path, { validationShare: 0 });
  assert.equal(none.validation, undefined);
  assert.equal(none.train.size, 60);
});

Deno.test("folder: a class that training lacks is an error with both sides", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, {
    ...classFiles(["train/cat", "train/dog"], 2),
    ...classFiles(["test/cat", "test/zebra"], 2, 50),
  });
  await fails(
    openFolder(folder.path),
    /train lacks zebra: test has cat, zebra; train has cat, dog; the classes of train are wanted$/,
  );
});

Deno.test("folder: names of parts that may be classes are asked about", async () => {
  await using folder = await temporaryFolder();
  // A class of trains, in folders by year, beside other vehicles.
  await writeTree(folder.path, classFiles(["train/2019", "train/2020", "car", "bus"], 2));
  await fails(openFolder(folder.path), /bus, car have pictures beside train/);
  const vehicles = await openFolder(folder.path, { layout: "classes" });
  assert.deepEqual(vehicles.classes, ["bus", "car", "train"]);
  const years = await openFolder(folder.path, { layout: "splits" });
  assert.deepEqual(years.classes, ["2019", "2020"]);
  assert.deepEqual(years.summary.ignored[0], { name: "bus/0.png", reason: "in none of the parts" });
  await Deno.rename(`${folder.path}/train/2019`, `${folder.path}/train2`);
  await Deno.rename(`${folder.path}/train`, `${folder.path}/test`);
  await Deno.rename(`${folder.path}/train2`, `${folder.path}/bus/2019`);
  await fails(openFolder(folder.path, { layout: "splits" }), /there is test and no train/);
});

Deno.test("folder: train without folders of its own is a class", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["train", "plane"], 3));
  assert.deepEqual((await openFolder(folder.path)).classes, ["plane", "train"]);
});

Deno.test("folder: two folders for one part, one class, no picture", async () => {
  await using folder = await temporaryFolder();
  await fails(openFolder(folder.path), /there is no picture in a class's folder/);
  await writeTree(folder.path, classFiles(["cat"], 2));
  await fails(openFolder(folder.path), /cat is the only class, 2 or more are wanted/);
  await writeTree(folder.path, classFiles(["train/a", "val/a", "valid/a"], 1));
  await Deno.remove(`${folder.path}/cat`, { recursive: true });
  await fails(openFolder(folder.path), /val and valid are both for validation/);
  await fails(openFolder(`${folder.path}/none`), /does not exist/);
  await fails(
    openFolder(folder.path, { validationShare: 1 }),
    /share for validation is 1/,
    UsageError,
  );
});

Deno.test("folder: copies stay together and are named, also across classes and parts", async () => {
  await using folder = await temporaryFolder();
  const files = classFiles(["a", "b"], 40);
  const copies: Record<string, Uint8Array> = {};
  for (let k = 0; k < 40; k++) copies[`a/copy ${k}.jpg`] = files[`a/${k}.png`];
  await writeTree(folder.path, { ...files, ...copies, "b/odd.png": files["a/3.png"] });
  const { train, validation, summary } = await openFolder(folder.path);
  const learnt = new Set(train.files.map(({ hash }) => hash));
  assert(validation!.files.every(({ hash }) => !learnt.has(hash)));
  assert.equal(summary.copies.length, 40);
  const odd = summary.copies.find(({ names }) => names.includes("b/odd.png"));
  assert.deepEqual(odd?.names, ["a/3.png", "a/copy 3.jpg", "b/odd.png"]);
  assert.deepEqual(odd?.classes, ["a", "b"]);
  assert.deepEqual(odd?.splits.length, 1);
  assert.deepEqual(summary.notes, [
    "a/3.png, a/copy 3.jpg, b/odd.png: one picture in classes a, b",
  ]);
});

Deno.test("folder: a picture that is learnt and measured by is named", async () => {
  await using folder = await temporaryFolder();
  const files = classFiles(["train/a", "train/b"], 3);
  await writeTree(folder.path, { ...files, "val/a/x.png": files["train/a/1.png"] });
  const { summary } = await openFolder(folder.path);
  assert.deepEqual(summary.copies[0].splits, ["train", "validation"]);
  assert(
    summary.notes.includes("train/a/1.png, val/a/x.png: one picture in parts train, validation"),
  );
});

Deno.test("list: a CSV names pictures, relative to itself", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, {
    ...classFiles(["images"], 6),
    "lists/a.csv": new TextEncoder().encode(
      "path,label,split\n../images/0.png,x,train\n../images/1.png,y,train\n" +
        `../images/2.png,x,val\n${folder.path}/images/3.png,y,test\n`,
    ),
  });
  const { classes, train, validation, test, name } = await openFolder(`${folder.path}/lists/a.csv`);
  assert.deepEqual([name, classes], ["a.csv", ["x", "y"]]);
  assert.deepEqual([...train.labels, ...validation!.labels, ...test!.labels], [0, 1, 0, 1]);
  const path = `${folder.path}/lists/b.csv`;
  await Deno.writeTextFile(path, "../images/0.png,x\n../images/1.png,y\ngone.png,y\nb.csv,x\n");
  await fails(
    openFolder(path),
    /2 files are damaged.*\n {2}gone\.png \(line 3\): it does not exist\n {2}b\.csv \(line 4\): it starts/,
  );
  const { summary } = await openFolder(path, { skipDamaged: true });
  assert.equal(summary.damaged.length, 2);
  await Deno.writeFile(path, Uint8Array.of(0xff, 0xfe, 0));
  await fails(openFolder(path), /it is no UTF-8 text/);
});

Deno.test("folder: batches are what the preparation makes of the files; mirrored as drawn", async () => {
  await using folder = await temporaryFolder();
  await writeTree(folder.path, classFiles(["a", "b"], 12));
  const prepared = { ...small, height: 4, width: 7 };
  for (const cacheBytes of [0, 3 * 4 * 4 * 7, 2 ** 20]) {
    const { train, summary } = await openFolder(folder.path, { cacheBytes, validationShare: 0 });
    assert.equal(summary.counts.train, 24);
    const mirrors = [{ kind: "horizontal-flip" }] as const;
    const plain = train.source(prepared),
      flipped = train.source(prepared, { augmentation: mirrors, seed: 3 });
    const subset = train.subset(Uint32Array.of(20, 1)).source(prepared);
    const seen = new Set<boolean>();
    for (let epoch = 0; epoch < 2; epoch++) {
      for (const index of [1, 20, 7]) {
        const one = await plain.batch(Uint32Array.of(index), epoch);
        const expected = preparePicture(await Deno.readFile(train.files[index].path), prepared);
        assert.deepEqual(one.pixels, expected);
        assert.deepEqual([...one.labels], [train.labels[index]]);
        const other = await flipped.batch(Uint32Array.of(index), epoch);
        const rows = Array.from({ length: 4 }, (_, y) => [...expected.subarray(y * 7, y * 7 + 7)]);
        const mirrored = rows.flatMap((row) => row.toReversed());
        const isMirrored = `${other.pixels}` === `${mirrored}`;
        if (!isMirrored) assert.deepEqual(other.pixels, expected);
        seen.add(isMirrored);
      }
    }
    assert.equal(seen.size, 2, "some are mirrored, some are not");
    const two = await subset.batch(Uint32Array.of(1, 0), 0);
    const both = await plain.batch(Uint32Array.of(1, 20), 0);
    assert.deepEqual(two, both);
    assert(train.state.cache.bytes <= cacheBytes);
  }
});

Deno.test("folder: damage behind the header is found by decoding, all at once or where it is met", async () => {
  await using folder = await temporaryFolder();
  const whole = picture(5, 40, 40);
  await writeTree(folder.path, {
    ...classFiles(["a", "b"], 4),
    "a/cut.png": whole.subarray(0, whole.length - 200),
    "b/cut too.png": picture(6, 30, 30).subarray(0, 300),
  });
  const strict = await openFolder(folder.path, { validationShare: 0 });
  const list =
    /2 files are damaged or cannot be read.*\n {2}a\/cut\.png: .*\n {2}b\/cut too\.png: /;
  await fails(strict.train.verify(small), list);
  await fails(strict.train.source(small).batch(Uint32Array.of(0, 4, 9), 0), list);
  const lenient = await openFolder(folder.path, { validationShare: 0, skipDamaged: true });
  const flaws = await lenient.train.verify(small);
  assert.deepEqual(flaws.map(({ name }) => name), ["a/cut.png", "b/cut too.png"]);
  assert.deepEqual(lenient.damaged(), flaws);
  const { labels, pixels } = await lenient.train.source(small).batch(Uint32Array.of(3, 4, 5), 0);
  assert.deepEqual([...labels], [0, -100, 1]);
  assert(pixels.subarray(64, 128).every((pixel) => pixel === 0xff000000));
  const stop = AbortSignal.abort(new Error("enough"));
  await assert.rejects(lenient.train.verify(small, { signal: stop }), /enough/);
  await assert.rejects(openFolder(folder.path, { signal: stop }), /enough/);
});
