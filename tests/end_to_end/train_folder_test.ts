/** `train --data`: from a folder of pictures to weights, a report and a prediction. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { decodeImage } from "../../wasm/image.ts";
import { pngOf } from "./images.ts";
import { command, lastObject } from "./processes.ts";

const { train, classes } = await openFashionMini();
const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const at = (...names: string[]): string => join(folder, ...names);

/** Kinds of fashion-mini as folders. */
const kinds = ["Trouser", "Sneaker", "Bag"];

async function layOut(root: string, each: number, partOf: (k: number) => string[]): Promise<void> {
  for (const kind of kinds) {
    const label = classes.indexOf(kind);
    const own = Array.from(train.labels.keys()).filter((k) => train.labels[k] === label);
    for (const [n, k] of own.slice(0, each).entries()) {
      await Deno.mkdir(at(root, ...partOf(n), kind), { recursive: true });
      await Deno.writeFile(at(root, ...partOf(n), kind, `${k}.png`), pngOf(train, k));
    }
  }
}

await layOut("parts", 16, (n) => [n % 4 === 0 ? "test" : "train"]);
await layOut("whole", 10, () => []);
/** A small net, so that it takes a second. */
const net = ["--model", "tutorial-cnn", "--device", "wasm"];
const runTrain = (data: string, ...words: string[]) =>
  command("train", ["--data", data, ...net, "--runs", at("runs"), ...words], { writable: folder });

Deno.test("train --data: says what it found, decides, measures, and leaves a run that predicts", async () => {
  const { code, out, err } = await runTrain(at("parts"), "--minutes", "0.1", "--json");
  assert.equal(code, 0, err);
  for (
    const told of [
      /data {4}\S+parts: 3 classes, \d+ to learn from, \d+ to choose by, 12 to test with/,
      /sizes {3}all 28×28 pixels/,
      /classes Bag 16, Sneaker 16, Trouser 16/,
      /split {3}20\.0 % held out to choose by, by content/,
      /decided the head learns from \d varied views?/,
      /score {3}head: validation/,
      /class +precision +recall/,
      /done {4}test accuracy/,
      /report {2}\S+report\.html: open it/,
      /try {5}deno run .*predict\.ts --weights \S+best\.safetensors PICTURE/,
    ]
  ) assert.match(err, told);
  const { part, accuracy, run } = lastObject(out) as {
    part: string;
    accuracy: number;
    run: string;
  };
  assert.equal(part, "test");
  assert(accuracy > 0.7, `${accuracy} of trousers, sneakers and bags`);
  const files = (await Array.fromAsync(Deno.readDir(run), ({ name }) => name)).sort();
  assert.deepEqual(files, [
    ...["best.safetensors", "config.json", "first_batch.png", "metrics.jsonl"],
    ...["report.html", "report_data.json"],
  ]);
  const sheet = decodeImage(await Deno.readFile(join(run, "first_batch.png")));
  assert(sheet.width > 300 && sheet.height > 300);
  const page = await Deno.readTextFile(join(run, "report.html"));
  for (const word of ["Confusion", "Grad-CAM", "Sneaker"]) assert(page.includes(word), word);
  // What was learnt is found again by whoever is shown a picture of it.
  const bag = (await Array.fromAsync(Deno.readDir(at("parts", "test", "Bag"))))[0].name;
  const shown = await command("predict", [
    ...["--weights", join(run, "best.safetensors"), "--json"],
    at("parts", "test", "Bag", bag),
  ]);
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /"Bag"|"Sneaker"|"Trouser"/);
  const listed = await command("runs", ["--runs", at("runs"), "--json"]);
  assert.match(listed.out, /tutorial-cnn/);
});

Deno.test("train --data: damaged files stop it by name, or are left out by name", async () => {
  await Deno.writeFile(at("whole", "Bag", "cut.png"), pngOf(train, 0).subarray(0, 120));
  await Deno.writeFile(at("whole", "Bag", "empty.png"), new Uint8Array());
  await Deno.writeTextFile(at("whole", "Bag", "text.jpg"), "no picture");
  await Deno.writeTextFile(at("whole", "Bag", "notes.txt"), "left alone");
  const stopped = await runTrain(at("whole"));
  assert.equal(stopped.code, 1);
  for (const name of ["empty.png", "text.jpg"]) assert(stopped.err.includes(name), stopped.err);
  const { code, err } = await runTrain(at("whole"), "--skip-damaged", "--freeze", "body");
  assert.equal(code, 0, err);
  for (const name of ["cut.png", "empty.png", "text.jpg"]) {
    assert.match(err, new RegExp(`skipped Bag/${name}: `));
  }
  assert.match(err, /done {4}validation accuracy/);
});

Deno.test("train --data: options of recipes and of other data sets are refused by name", async () => {
  for (const words of [["--epochs", "3"], ["--dataset", "mnist"], ["--resume", "runs/x"]]) {
    const { code, err } = await runTrain(at("parts"), ...words);
    assert.equal(code, 2, err);
    assert(err.includes(words[0]), err);
  }
  const { code, err } = await runTrain(at("nowhere"));
  assert.equal(code, 1, err);
  assert.match(err, /nowhere does not exist/);
});

Deno.test("train --resume: a fine-tuning is told from a run of another version", async () => {
  const { out } = await runTrain(at("parts"), "--freeze", "body", "--json");
  const resumed = await command("train", ["--resume", `${lastObject(out).run}`]);
  assert.equal(resumed.code, 2, resumed.err);
  assert.match(resumed.err, /it is a fine-tuning, which is begun anew[^]*--data/);
});

Deno.test("train --weights: a data set of the table begins with what a net has learnt", async () => {
  const words = ["--weights", "tutorial-cnn", "--epochs", "1", "--device", "wasm", "--json"];
  const start = async (...more: string[]) => {
    const all = [...words, "--runs", at("runs"), ...more];
    return await command("train", all, { writable: folder });
  };
  const { code, out, err } = await start();
  assert.equal(code, 0, err);
  // CIFAR-10 has ten classes too, which are others.
  assert.match(err, /begins {2}with built-in weights, a new head/);
  const best = join(`${lastObject(out).run}`, "best.safetensors");
  const again = await start("--weights", best, "--lr", "1e-9");
  assert.match(again.err, /begins {2}with weights of \S+, its head/);
  const [first, second] = [out, again.out].map((text) => Number(lastObject(text).test_accuracy));
  assert(Math.abs(first - second) < 0.02, `${first} and ${second} after steps of nothing`);
  const refused = await start("--model", "resnet20");
  assert.equal(refused.code, 2, refused.err);
});
