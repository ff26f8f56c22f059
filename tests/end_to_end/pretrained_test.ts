/** Nets with weights, as a user meets them: photographs named without any training. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import type { Preparation } from "../../models/preparation.ts";
import { openPretrained } from "../../models/pretrained.ts";
import { namesIn, temporaryFolder, testData } from "../data/support.ts";
import { command, deno, lastObject, root } from "./processes.ts";

const imagenet = await testData("imagenet"), resnet20 = await testData("resnet20-cifar10");
const ignore = imagenet === undefined;

type Guesses = readonly { readonly label: string; readonly probability: number }[];

const photos = {
  "cat.bmp": /cat/,
  "grace_hopper.bmp": /military uniform/,
  "hot_dog.jpg": /hotdog/,
  "dragonfly.bmp": /dragonfly/,
};

Deno.test({
  name: "predict: photographs are named on a fresh clone, with the permission to read them alone",
  ignore,
  async fn() {
    await using folder = await temporaryFolder();
    for (const [name, label] of Object.entries(photos)) {
      await Deno.copyFile(join(imagenet!, name), join(folder.path, name));
      const words = [`--allow-read=${name}`, "--no-prompt", join(root, "cli/predict.ts")];
      const { code, out, err } = await deno(["run", ...words, "--json", name], {
        cwd: folder.path,
      });
      assert.equal(code, 0, err);
      const [best] = lastObject(out).predictions as Guesses;
      assert.match(best.label, label);
    }
    assert.deepEqual((await namesIn(folder.path)).sort(), Object.keys(photos).sort());
  },
});

Deno.test("predict: the picture that comes along is a cat", async () => {
  const photo = "examples/pictures/cat.jpg", flags = [`--allow-read=${photo}`, "--no-prompt"];
  const { code, out, err } = await deno(["run", ...flags, "cli/predict.ts", "--json", photo]);
  assert.equal(code, 0, err);
  const [best] = lastObject(out).predictions as Guesses;
  assert.match(best.label, /cat/);
  assert(best.probability > 0.5);
});

Deno.test("predict: the eight orientations of EXIF are one picture", async () => {
  const folder = join(root, "tests/fixtures/orientations");
  const files = Array.from({ length: 8 }, (_, k) => join(folder, `upright${k + 1}.jpg`));
  const { code, out, err } = await command("predict", [
    ...["--weights", "tf_efficientnet_lite0", "--top", "3", "--json", ...files],
  ]);
  assert.equal(code, 0, err);
  const all = out.trimEnd().split("\n").map((line) => JSON.parse(line).predictions as Guesses);
  assert.equal(all.length, 8);
  for (const guesses of all) {
    assert.deepEqual(guesses.map(({ label }) => label), all[0].map(({ label }) => label));
    guesses.forEach(({ probability }, k) => {
      // JPEG rounds another way along columns than along rows: up to 3 levels between the files.
      assert(Math.abs(probability - all[0][k].probability) < 0.05, `${probability}`);
    });
  }
});

Deno.test({
  name: "predict: options say what a file of PyTorch does not",
  ignore: ignore || resnet20 === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const weights = join(resnet20!, "resnet20-12fca82f.th"), photo = join(imagenet!, "cat.bmp");
    const unnamed = await command("predict", ["--weights", weights, photo]);
    assert.equal(unnamed.code, 2, unnamed.err);
    assert.match(unnamed.err, /does not say which architecture it is for, --model is wanted/);
    const labels = join(folder.path, "labels.txt"), names = "abcdefghij".split("");
    await Deno.writeTextFile(labels, `${names.join("\n")}\n`);
    const words = ["--weights", weights, "--model", "resnet20", "--json", photo];
    const plain = await command("predict", words);
    assert.equal(plain.code, 0, plain.err);
    const guesses = lastObject(plain.out).predictions as Guesses;
    assert(guesses.every(({ label }) => /^class \d$/.test(label)), plain.out);
    const scaled = ["--labels", labels, "--fit", "stretch", "--size", "40", "--normalize", "half"];
    const other = await command("predict", [...scaled, ...words]);
    assert.equal(other.code, 0, other.err);
    const named = lastObject(other.out).predictions as Guesses;
    assert(named.every(({ label }) => names.includes(label)), other.out);
    assert.notDeepEqual(named.map((g) => g.probability), guesses.map((g) => g.probability));
    const wrong = [
      [["--model", "squeezenet1_1"], 1, /Cannot load .* into squeezenet1_1/],
      [["--labels", join(imagenet!, "imagenet_labels.txt")], 2, /1001 names, 10 are wanted/],
      [["--normalize", "1,2/3"], 2, /Cannot normalize by 1,2\/3: imagenet, cifar10, half, none/],
    ] as const;
    for (const [more, code, message] of wrong) {
      const { code: found, err } = await command("predict", [...words, ...more]);
      assert.equal(found, code, err);
      assert.match(err, message);
    }
  },
});

Deno.test("predict: options speak for a file whose metadata are another program's", async () => {
  await using folder = await temporaryFolder();
  const weights = join(folder.path, "timm.safetensors"), labels = join(folder.path, "names.txt");
  const { content: { tensors } } = await openPretrained("tutorial-cnn");
  const names = Array.from({ length: 10 }, (_, k) => `name ${k}`);
  const writeWith = (metadata: Record<string, string>) =>
    Deno.writeFile(weights, serializeSafetensors(tensors, metadata));
  await writeWith({ format: "pt", model: "resnet" });
  // As a Windows editor writes it.
  await Deno.writeTextFile(labels, `\ufeff${names.join("\r\n")}\r\n`);
  const photo = join(root, "examples/pictures/bag.png");
  const words = ["--weights", weights, "--labels", labels, "--json", "--top", "10", photo];
  const unnamed = await command("predict", words);
  assert.equal(unnamed.code, 2, unnamed.err);
  assert.match(unnamed.err, /does not say which architecture it is for, --model is wanted/);
  const foreign: readonly Record<string, string>[] = [{ format: "pt" }, {}];
  for (const format of foreign) {
    await writeWith({ ...format, model: "resnet" });
    const { code, out, err } = await command("predict", ["--model", "tutorial-cnn", ...words]);
    assert.equal(code, 0, err);
    const guesses = lastObject(out).predictions as Guesses;
    assert.deepEqual(guesses.map(({ label }) => label).sort(), names);
  }
  // Without names of its own it is measured as a net of the data set's classes.
  const measured = ["--model", "tutorial-cnn", "--weights", weights, "--json"];
  const evaluated = await command("evaluate", measured);
  assert.equal(evaluated.code, 0, evaluated.err);
  assert(Number(lastObject(evaluated.out).top5) > 0.1, evaluated.out);
});

Deno.test("predict: another fit takes the whole of the net's square", async () => {
  await using folder = await temporaryFolder();
  const photo = join(root, "examples/pictures/cat.jpg");
  const { content, classes, preparation } = await openPretrained("tutorial-cnn");
  const guesses = async (change: Partial<Preparation>, ...options: readonly string[]) => {
    const file = join(folder.path, "net.safetensors");
    const told = { ...preparation, ...change };
    const metadata = {
      ...{ format: "fovea/2", model: "tutorial-cnn" },
      ...{ classes: JSON.stringify(classes), preparation: JSON.stringify(told) },
    };
    await Deno.writeFile(file, serializeSafetensors(content.tensors, metadata));
    const words = ["--weights", file, "--json", ...options, photo];
    return lastObject((await command("predict", words)).out).predictions;
  };
  const half: Partial<Preparation> = { fit: "crop", share: 0.5 };
  assert.deepEqual(await guesses(half, "--fit", "crop"), await guesses(half));
  const padded = await guesses({ fit: "pad", share: 1 });
  assert.deepEqual(await guesses(half, "--fit", "pad"), padded);
  assert.notDeepEqual(await guesses({ fit: "pad", share: 0.5 }), padded);
});

Deno.test("predict: weights that must be fetched are named with their address and place", async () => {
  await using folder = await temporaryFolder();
  const photo = join(root, "examples/pictures/bag.png");
  const words = ["--weights", "resnet18", "--weights-dir", folder.path, photo];
  const { code, err } = await command("predict", words);
  assert.equal(code, 1, err);
  assert.match(
    err,
    /add --download, or fetch https:\/\/\S+resnet18-f37072fd\.pth and place it there/,
  );
  const hostile = join(folder.path, "resnet18-f37072fd.pth");
  await Deno.writeTextFile(hostile, "another file");
  const other = await command("predict", words);
  assert.equal(other.code, 1, other.err);
  assert.match(
    other.err,
    /is another file, its SHA-256 is .*, one that begins with f37072fd is wanted/,
  );
});

Deno.test("models: every architecture is listed with what it costs", async () => {
  const { code, out, err } = await command("models", ["--json"]);
  assert.equal(code, 0, err);
  const rows = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  const row = rows.find(({ model }) => model === "resnet18");
  assert.deepEqual([row.parameters, row.height, row.classes], [11_689_512, 224, 1000]);
  const table = (await command("models", [])).out.trimEnd().split("\n");
  assert.equal(table.length, rows.length + 1);
  assert(new Set(table.map((line) => line.length)).size === 1, "columns stand below each other");
});

Deno.test("inspect: tensors and metadata of any checkpoint", async () => {
  await using folder = await temporaryFolder();
  const runs = join(folder.path, "runs");
  const { code, err } = await command("train", [
    ...["--epochs", "1", "--batch-size", "3000", "--device", "wasm", "--runs", runs],
  ], { writable: folder.path });
  assert.equal(code, 0, err);
  const file = join(runs, (await namesIn(runs))[0], "best.safetensors");
  const data = lastObject((await command("inspect", ["--json", file])).out);
  assert.equal(data.format, "safetensors");
  const { tensors } = data as unknown as { tensors: { name: string; shape: number[] }[] };
  assert.deepEqual(tensors.find(({ name }) => name === "conv1.weight")?.shape, [6, 3, 5, 5]);
  const { out } = await command("inspect", [file]);
  assert.match(out, /^safetensors: 10 tensors, 62,006 elements, \d+ kB$/m);
  assert.match(out, /^preparation: \{"height":32/m);
  assert.match(out, /^conv1\.weight +F32 +6×3×5×5$/m);
  const no = await command("inspect", [join(root, "README.md")]);
  assert.equal(no.code, 1, no.err);
  assert.match(no.err, /safetensors or a checkpoint of PyTorch is wanted/);
});
