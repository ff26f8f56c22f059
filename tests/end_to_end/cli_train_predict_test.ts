/** The commands as a user runs them: train, predict, evaluate, on real images. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { namesIn } from "../data/support.ts";
import { pngOf } from "./images.ts";
import { command, lastObject, root, shell } from "./processes.ts";

const files = [
  "best.safetensors",
  "config.json",
  "last.safetensors",
  "metrics.jsonl",
  "state.safetensors",
];

// One run that all tests here look at.
const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const runs = join(folder, "runs");
const trained = await command("train", ["--epochs", "1", "--json", "--runs", runs], {
  writable: folder,
});
const summary = trained.code === 0 ? lastObject(trained.out) : {};
const run = String(summary.run), best = join(run, "best.safetensors");

Deno.test("train: the last line of --json holds what was reached", () => {
  assert.equal(trained.code, 0, trained.err);
  assert.deepEqual(Object.keys(summary), ["test_accuracy", "seconds", "images_per_second", "run"]);
  const { test_accuracy, seconds, images_per_second } = summary;
  assert(typeof test_accuracy === "number" && test_accuracy > 0.65, `accuracy ${test_accuracy}`);
  assert(typeof seconds === "number" && seconds > 0);
  assert(typeof images_per_second === "number" && images_per_second > 100);
  assert.equal(trained.out.trimEnd().split("\n").length, 1, "standard output is for data alone");
});

Deno.test("train: people read progress and a command to try next that works", async () => {
  const { err } = trained;
  assert.match(err, /tutorial-cnn on fashion-mini/);
  assert.match(err, /10,000 training and 2,000 test images in 10 classes/);
  assert.match(
    err,
    /train epoch 1\/1 \d+ % {2}loss [\d.]+ {2}accuracy [\d.]+ % {2}[\d,.]+ img\/s {2}ETA /,
  );
  assert.match(err, /^held {4}10\.0 % of the training images/m);
  assert.match(err, /^epoch 1\/1 .* validation [\d.]+ % /m);
  assert.match(err, /done {4}test accuracy [\d.]+ %/);
  const [, line] = /^try {5}(.+)$/m.exec(err) ?? [];
  assert(line?.includes(`cli/predict.ts --weights ${best} `), err);
  const tried = await shell(line);
  assert.equal(tried.code, 0, tried.err);
});

Deno.test("train: the run folder holds configuration, metrics, weights and state", async () => {
  assert.deepEqual(await namesIn(run), files);
  assert.deepEqual(await namesIn(runs), [run.slice(runs.length + 1)]);
  const config = JSON.parse(await Deno.readTextFile(join(run, "config.json")));
  assert.equal(config.model, "tutorial-cnn");
  assert.equal(config.dataset, "fashion-mini");
  assert.equal(config.parameters, 62_006);
  assert.equal(config.recipe.epochs, 1);
  const rows = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trimEnd().split("\n");
  assert.equal(rows.length, 2);
  const [trained, tested] = rows.map((row) => JSON.parse(row));
  assert.deepEqual([trained.kind, trained.epoch, "validation" in trained], ["epoch", 1, true]);
  assert.deepEqual([tested.kind, tested.epoch, tested.top1], ["test", 1, summary.test_accuracy]);
});

Deno.test("evaluate: finds in the weights what training measured", async () => {
  const { code, out, err } = await command("evaluate", ["--weights", best, "--json"]);
  assert.equal(code, 0, err);
  const found = lastObject(out);
  assert.deepEqual(Object.keys(found).slice(0, 4), ["top1", "top5", "loss", "images_per_second"]);
  assert.equal(found.top1, summary.test_accuracy);
  assert(Number(found.top5) >= Number(found.top1) && Number(found.loss) > 0);
});

Deno.test("predict: the data set's own images are judged as in the evaluation", async () => {
  const { test, classes } = await openFashionMini(), count = 60, images: string[] = [];
  for (let k = 0; k < count; k++) {
    images.push(join(folder, `${k}.png`));
    await Deno.writeFile(images[k], pngOf(test, k));
  }
  const { code, out, err } = await command("predict", ["--weights", best, "--json", ...images]);
  assert.equal(code, 0, err);
  const rows = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ image }) => image), images);
  const right = rows.filter(({ predictions }, k) => {
    assert.equal(predictions.length, 5);
    const probabilities: number[] = predictions.map((p: { probability: number }) => p.probability);
    assert(probabilities.every((p, i) => p >= 0 && p <= (probabilities[i - 1] ?? 1)));
    return predictions[0].label === classes[test.labels[k]];
  });
  assert(right.length / count > Number(summary.test_accuracy) - 0.15, `${right.length} are right`);
});

Deno.test("predict: shows classes and bars, as many as asked for", async () => {
  const image = "data/fashion_mini/preview.png";
  const { code, out, err } = await command("predict", ["--weights", best, "--top", "3", image]);
  assert.equal(code, 0, err);
  const [head, ...lines] = out.trimEnd().split("\n");
  assert.equal(head, image);
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, /^ {2}\S.* +[\d.]+ %(?: {2}█+)?$/);
  assert(err.includes(best));
});

Deno.test("predict: without --weights it takes the newest run's best", async () => {
  const image = join(root, "data/fashion_mini/preview.png");
  const { code, out, err } = await command("predict", ["--json", image], { cwd: folder });
  assert.equal(code, 0, err);
  assert.equal(
    lastObject(out).weights,
    join("runs", run.slice(runs.length + 1), "best.safetensors"),
  );
});

Deno.test("train --resume: a run that had ended can be given more epochs", async () => {
  const copy = join(folder, "copy");
  await Deno.mkdir(copy);
  for (const name of files) await Deno.copyFile(join(run, name), join(copy, name));
  const words = ["--resume", copy, "--epochs", "2", "--json"];
  const { code, out, err } = await command("train", words, { writable: folder });
  assert.equal(code, 0, err);
  assert.match(err, /resume {2}at batch 0 of epoch 2/);
  assert.equal(lastObject(out).run, copy);
  const rows = (await Deno.readTextFile(join(copy, "metrics.jsonl"))).trimEnd().split("\n");
  assert.deepEqual(rows.map((row) => JSON.parse(row).epoch), [1, 1, 2, 2]);
  assert(Number(lastObject(out).test_accuracy) > Number(summary.test_accuracy) - 0.05);
});
