/** `predict` on folders and many files: as people, programs and spreadsheets read it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseCsv } from "../../data/csv_list.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { decodeImage } from "../../data/image.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { pngOf } from "./images.ts";
import { quote } from "../../cli/shell.ts";
import { command, commandWords, root, type StartOptions } from "./processes.ts";

const { test } = await openFashionMini();
const ours = ["--weights", "tutorial-cnn"];

/** Pictures in folders, a broken one, and a file that is none. */
async function picturesIn(folder: string): Promise<void> {
  await Deno.mkdir(join(folder, "more"));
  const names = ["10.png", "9.png", "more/a, b.png", "named.jpg", "no ending"];
  for (const [k, name] of names.entries()) {
    await Deno.writeFile(join(folder, name), pngOf(test, k));
  }
  await Deno.writeFile(join(folder, "broken.png"), pngOf(test, 9).subarray(0, 300));
  await Deno.writeTextFile(join(folder, "notes.txt"), "These are pictures.");
}

/** All but the broken one, in natural order. */
const found = ["9.png", "10.png", "more/a, b.png", "named.jpg", "no ending"];

const predict = (words: readonly string[], options: StartOptions & { writable?: string } = {}) =>
  command("predict", [...ours, ...words], options);

Deno.test("predict: a folder's pictures in natural order, the broken one told at the end", async () => {
  await using folder = await temporaryFolder();
  await picturesIn(folder.path);
  const { code, out, err } = await predict(["--top", "1", folder.path]);
  assert.equal(code, 1, err);
  const heads = out.trimEnd().split("\n").filter((line) => !line.startsWith(" "));
  assert.deepEqual(heads, found.map((name) => `${folder.path}/${name}`));
  const told = err.trimEnd().split("\n").slice(-3);
  assert(told[0].startsWith(`error: Cannot read ${folder.path}/broken.png: the data end`), err);
  assert.deepEqual(told.slice(1), ["1 file is no picture", "1 of 6 pictures could not be read"]);
});

Deno.test("predict: batches say what single files say, as JSON and as CSV", async () => {
  await using folder = await temporaryFolder();
  await picturesIn(folder.path);
  const files = found.map((name) => `${folder.path}/${name}`);
  const json = await predict(["--json", "--top", "3", folder.path]);
  const rows = json.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  const good = rows.filter(({ predictions }) => predictions);
  assert.deepEqual(good.map(({ image }) => image), files);
  assert.equal(rows.find(({ error }) => error)?.image, `${folder.path}/broken.png`);
  const single = await predict(["--json", "--top", "3", files[1]]);
  const [a, b] = [good[1], JSON.parse(single.out)].map(({ predictions }) => predictions);
  for (const [k, { label, probability }] of b.entries()) {
    assert.equal(a[k].label, label);
    assert(Math.abs(a[k].probability - probability) < 1e-5);
  }
  const csv = await predict(["--csv", "--top", "3", folder.path]);
  assert.equal(csv.code, 1);
  const [head, ...cells] = parseCsv(csv.out, "out.csv").map(({ cells }) => cells);
  assert.deepEqual(head, ["path", "rank", "class", "probability"]);
  assert.deepEqual(
    cells,
    good.flatMap(({ image, predictions }) =>
      predictions.map((
        { label, probability }: { label: string; probability: number },
        k: number,
      ) => [
        ...[image, `${k + 1}`, label, probability.toFixed(6)],
      ])
    ),
  );
  assert.match((await predict(["--csv", "--json", files[0]])).err, /--csv and --json are both/);
});

Deno.test("predict: many pictures, in threads, with progress, none lost", async () => {
  await using folder = await temporaryFolder();
  for (let k = 0; k < 70; k++) await Deno.writeFile(join(folder.path, `${k}.png`), pngOf(test, k));
  const { code, out, err } = await predict(["--csv", "--top", "1", folder.path]);
  assert.equal(code, 0, err);
  const names = out.trimEnd().split("\r\n").slice(1).map((row) => row.split(",")[0]);
  assert.deepEqual(names, Array.from({ length: 70 }, (_, k) => `${folder.path}/${k}.png`));
  assert.match(err, /^predict \d+ %/m);
});

Deno.test("predict --explain: a file for one picture, a folder for several, none overwritten", async () => {
  await using folder = await temporaryFolder();
  const cat = join(root, "examples/pictures/cat.jpg"), writable = folder.path;
  const one = join(folder.path, "one.png"), all = join(folder.path, "all");
  const single = await predict(["--json", "--explain", one, cat], { writable });
  assert.equal(single.code, 0, single.err);
  assert.equal(JSON.parse(single.out).explanation, one);
  const { width, height } = decodeImage(await Deno.readFile(one));
  assert.deepEqual([width, height], [224, 224], "32 pixels are too few to look at");
  await Deno.mkdir(join(folder.path, "b"));
  await Deno.copyFile(cat, join(folder.path, "b/Cat.jpg"));
  const several = await predict(["--explain", all, cat, join(folder.path, "b")], { writable });
  assert.equal(several.code, 0, several.err);
  assert.deepEqual(await namesIn(all), ["Cat-2.png", "cat.png"]);
  assert(several.out.includes(`where it looked: ${all}/cat.png`), several.out);
  const before = await Deno.readFile(join(folder.path, "b/Cat.jpg"));
  const refused: [string[], RegExp][] = [
    [[one, cat, cat], /2 pictures in .*one\.png: it is one file/],
    [[join(folder.path, "b"), join(folder.path, "b")], /the picture would be overwritten/],
    [[one, one], /the picture would be overwritten/],
  ];
  for (const [words, says] of refused) {
    const { code, err } = await predict(["--explain", ...words], { writable });
    assert.equal(code, 2, err);
    assert.match(err, says);
  }
  assert.deepEqual(await Deno.readFile(join(folder.path, "b/Cat.jpg")), before);
  const forbidden = await predict(["--explain", one, cat]);
  assert.equal(forbidden.code, 2);
  assert.match(forbidden.err, /^hint: run .*--allow-write=\S+ /m);
});

/** What a person's terminal is sent; empty where there is no util-linux's `script`. */
async function onTerminal(words: readonly string[], noColor: string): Promise<string> {
  if (Deno.build.os !== "linux") return "";
  const line = [Deno.execPath(), ...commandWords("predict", [...ours, ...words])].map(quote);
  try {
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", `stty cols 80 rows 30; ${line.join(" ")}`, "/dev/null"],
      cwd: root,
      env: { NO_COLOR: noColor },
      signal: AbortSignal.timeout(30_000),
    }).output();
    return new TextDecoder().decode(stdout);
  } catch {
    return "";
  }
}

Deno.test("predict: a terminal with colours shows the picture, nothing else does", async () => {
  const cat = "examples/pictures/cat.jpg", drawn = await onTerminal([cat], "");
  if (drawn === "") return console.log("skipped: there is no `script` for a pseudo-terminal");
  const lines = drawn.split("\n").filter((line) => line.includes("▀"));
  assert.equal(lines.length, 16, drawn);
  assert(lines.every((line) => line.split("▀").length === 33), "32 pixels a line");
  for (
    const words of [["--no-picture", cat], ["--json", cat], ["--csv", cat], [cat, cat, cat, cat]]
  ) {
    assert(!(await onTerminal(words, "")).includes("▀"), `${words}`);
  }
  assert(!(await onTerminal([cat], "1")).includes("▀"), "NO_COLOR");
});
