/** `evaluate` on one's own pictures: the numbers of the library, whichever way they are laid out. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { deviceOn } from "../../core/device.ts";
import { encodeCheckpoint } from "../../models/checkpoint.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { evaluateClasses } from "../../train/class_evaluation.ts";
import type { ClassReport } from "../../train/class_report.ts";
import { Predictor } from "../../train/predictor.ts";
import { openWasm } from "../../wasm/backend.ts";
import { squares } from "./classifiers.ts";
import { pick, pngOf } from "./images.ts";
import { command, lastObject } from "./processes.ts";

const { test, classes } = await openFashionMini(), count = 60;
const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const at = (...names: string[]): string => join(folder, ...names);
const weightsFile = at("net.safetensors"), preparation = squares(32, 28);

/** Pictures in folders of their classes; `partOf` says in which part, if in any. */
async function layOut(root: string, partOf: (k: number) => string[]): Promise<void> {
  for (let k = 0; k < count; k++) {
    const label = test.labels[k];
    if (classes[label].includes("/")) continue; // a name that no folder can have
    const own = at(root, ...partOf(k), classes[label]);
    await Deno.mkdir(own, { recursive: true });
    await Deno.writeFile(join(own, `${k}.png`), pngOf(test, k));
  }
}

/** What the library says of some of the pictures; the file has its weights. */
async function prepare(): Promise<(indices: readonly number[]) => Promise<ClassReport>> {
  const device = deviceOn(openWasm());
  const weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 4);
  await Deno.writeFile(weightsFile, await encodeCheckpoint(weights, { classes, preparation }));
  const predictor = await Predictor.of(weights, { classes, preparation }, { batchSize: 16 });
  globalThis.addEventListener("unload", () => device[Symbol.dispose]());
  return (indices) => evaluateClasses(predictor, pick(test, indices).source(preparation));
}

const reportOn = await prepare();
const all = Array.from({ length: count }, (_, k) => k);
const named = all.filter((k) => !classes[test.labels[k]].includes("/"));
await layOut("whole", () => []);
/** Training knows every class: it has most of the pictures. */
const partOf = (k: number): string => k % 5 === 0 ? "val" : k % 5 === 1 ? "test" : "train";
await layOut("parts", (k) => [partOf(k)]);

const evaluate = (words: readonly string[]) =>
  command("evaluate", ["--weights", weightsFile, ...words]);

/** Numbers that no order of the pictures changes. */
function likeReport(out: string, { accuracy, confusion, size, classes }: ClassReport): void {
  const found = lastObject(out);
  assert.deepEqual([found.top1, found.confusion, found.size], [accuracy, confusion, size]);
  // NaN is null in JSON.
  assert.deepEqual(found.classes, JSON.parse(JSON.stringify(classes)));
}

Deno.test("evaluate --data: a folder of classes has the library's numbers, by the classes' names", async () => {
  const { code, out, err } = await evaluate(["--json", "--data", at("whole")]);
  assert.equal(code, 0, err);
  const want = await reportOn(named);
  likeReport(out, want);
  assert.match(err, /^note: all pictures are measured, .* --split val /m);
  const mistakes = lastObject(out).mistakes as {
    image: string;
    label: string;
    predicted: string;
  }[];
  assert.equal(mistakes.length, Math.min(20, want.size - Math.round(want.accuracy * want.size)));
  for (const { image, label, predicted } of mistakes) {
    assert.equal(image.split("/")[0], label);
    assert(label !== predicted && classes.includes(predicted));
  }
});

Deno.test("evaluate --data: of parts test is taken, or the one asked for", async () => {
  for (const name of ["train", "val", "test"]) {
    const words = name === "test" ? [] : ["--split", name];
    const { code, out, err } = await evaluate(["--json", "--data", at("parts"), ...words]);
    assert.equal(code, 0, err);
    likeReport(out, await reportOn(named.filter((k) => partOf(k) === name)));
    assert.doesNotMatch(err, /^note/m);
  }
  await Deno.rename(at("parts/test"), at("put aside"));
  const { out } = await evaluate(["--json", "--data", at("parts")]);
  likeReport(out, await reportOn(named.filter((k) => partOf(k) === "val")));
  const none = await evaluate(["--data", at("parts"), "--split", "test"]);
  assert.equal(none.code, 2);
  assert.match(
    none.err,
    /Cannot evaluate on test of \S+: there is no such part, one of train, val /,
  );
});

Deno.test("evaluate --data: without parts, --split val takes what training holds out by content", async () => {
  const sizes: number[] = [];
  for (const name of ["train", "val"]) {
    const { code, out, err } = await evaluate(["--json", "--data", at("whole"), "--split", name]);
    assert.equal(code, 0, err);
    sizes.push(Number(lastObject(out).size));
  }
  assert.equal(sizes[0] + sizes[1], named.length);
  assert(sizes[1] > 0 && sizes[1] < sizes[0], `${sizes}`);
});

Deno.test("evaluate --data: a CSV names classes that no folder can", async () => {
  const rows = all.map((k) => `pictures/${k}.png,"${classes[test.labels[k]]}",test`);
  // Classes are those of its training part.
  const learnt = classes.map((name, c) => `pictures/learnt ${c}.png,${name},train`);
  await Deno.mkdir(at("pictures"));
  for (const k of all) await Deno.writeFile(at(`pictures/${k}.png`), pngOf(test, k));
  for (const c of classes.keys()) {
    await Deno.writeFile(at(`pictures/learnt ${c}.png`), pngOf(test, 100 + c));
  }
  await Deno.writeTextFile(at("list.csv"), ["path,label,split", ...rows, ...learnt].join("\r\n"));
  const { code, out, err } = await evaluate(["--json", "--data", at("list.csv")]);
  assert.equal(code, 0, err);
  likeReport(out, await reportOn(all));
});

Deno.test("evaluate --data: people read tables", async () => {
  const { code, out, err } = await evaluate(["--data", at("whole")]);
  assert.equal(code, 0, err);
  assert.match(
    out,
    /^top 1 [\d.]+ % {2}top 5 .* loss .* calibration error [\d.]+ % {2}\d+ images /,
  );
  assert.match(out, /^class +precision +recall +F1 +pictures$/m);
  assert.match(out, /^Trouser +([\d.]+ %|–) +([\d.]+ %|–) +([\d.]+ %|–) +\d+$/m);
  assert.match(out, /^confusion: a row the truth, a column the prediction$/m);
  assert.match(out, /^surest mistakes +truth +prediction +sure$/m);
  assert.doesNotMatch(out, /NaN|undefined/);
});

Deno.test("evaluate --data: classes that the weights do not know are told, on both sides", async () => {
  await Deno.mkdir(at("zoo/cat"), { recursive: true });
  await Deno.mkdir(at("zoo/Bag"));
  await Deno.writeFile(at("zoo/cat/1.png"), pngOf(test, 1));
  await Deno.writeFile(at("zoo/Bag/1.png"), pngOf(test, 2));
  const { code, err } = await evaluate(["--data", at("zoo")]);
  assert.equal(code, 2);
  assert(err.includes("it does not know cat; it tells apart T-shirt/top, Trouser, "), err);
  assert(err.includes("has Bag, cat"), err);
  const words = [["--data", at("zoo"), "--dataset", "mnist"], ["--split", "val"]];
  for (const wrong of words) assert.equal((await evaluate(wrong)).code, 2, `${wrong}`);
});

Deno.test("evaluate --data: damaged files stop it, or are left out and listed", async () => {
  await layOut("broken", () => []);
  const [own] = named, name = `${classes[test.labels[own]]}/${own}.png`;
  const bytes = pngOf(test, own);
  // The header is whole: it shows when the picture is decoded.
  await Deno.writeFile(at("broken", name), bytes.subarray(0, bytes.length - 60));
  const stopped = await evaluate(["--data", at("broken")]);
  assert.equal(stopped.code, 1);
  assert(stopped.err.includes(name) && stopped.err.includes("--skip-damaged"), stopped.err);
  const { code, out, err } = await evaluate(["--json", "--data", at("broken"), "--skip-damaged"]);
  assert.equal(code, 0, err);
  likeReport(out, await reportOn(named.slice(1)));
  assert.deepEqual((lastObject(out).damaged as { name: string }[]).map((one) => one.name), [name]);
  assert(err.includes(`left out: ${name}: `), err);
});
