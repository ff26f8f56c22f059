/**
 * Bad input to the commands: one paragraph that names file and cause, the documented exit code, no
 * stack, nothing half-written.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { deviceOn } from "../../core/device.ts";
import { exitCodes } from "../../cli/exit.ts";
import { fashionClasses } from "../../data/idx.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { encodeCheckpoint } from "../../models/checkpoint.ts";
import { serializeSafetensors } from "../../models/checkpoint/safetensors.ts";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { initialWeights } from "../../models/weights.ts";
import { zipOf } from "../models/torch_files.ts";
import { openWasm } from "../../wasm/backend.ts";
import { squares } from "./classifiers.ts";
import { pngOf } from "./images.ts";
import {
  command,
  type CommandName,
  commandWords,
  deno,
  lastObject,
  root,
  spawned,
} from "./processes.ts";

const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const preprocessing = { preparation: squares(32, 28), classes: fashionClasses };

/** One chunk of a PNG file. */
function chunk(kind: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** A PNG file of a few bytes that claims to be 60,000 pixels wide and high. */
function hugePng(): Uint8Array {
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, 60_000);
  view.setUint32(4, 60_000);
  header.set([8, 2, 0, 0, 0], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(new Uint8Array(1000))),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

async function makeFiles(): Promise<void> {
  const { test } = await openFashionMini(), png = pngOf(test, 0);
  using device = deviceOn(openWasm());
  using weights = initialWeights(device, new TutorialCnn({ classes: 10 }), 0);
  const model = await encodeCheckpoint(weights, preprocessing);
  const stored = (await weights.save()).map(([path, tensor]) =>
    path === "fc3.bias" ? [path, { ...tensor, shape: [2, 5] }] as const : [path, tensor] as const
  );
  const files: Record<string, Uint8Array | string> = {
    "good.png": png,
    "truncated.png": png.subarray(0, png.length - 60),
    "text.png": "This is no picture.\n",
    "empty.png": "",
    "huge.png": hugePng(),
    "good.safetensors": model,
    "shape.safetensors": serializeSafetensors(stored, {
      model: "tutorial-cnn",
      channels: "3",
      classes: JSON.stringify(fashionClasses),
      mean: "[0.5,0.5,0.5]",
      std: "[0.5,0.5,0.5]",
    }),
    "garbage.safetensors": Uint8Array.from({ length: 5000 }, (_, k) => 31 + k * 7),
    "cut.safetensors": model.subarray(0, 100_000),
    "foreign.safetensors": serializeSafetensors(stored, { format: "pt" }),
    "hostile.safetensors": serializeSafetensors([
      ["fc3.weight", { dtype: "F32", shape: [4e9, 0], bytes: new Uint8Array() }],
    ]),
    "archive.zip": zipOf([{ name: "a.txt", bytes: new TextEncoder().encode("hello") }]),
    "two.txt": "one\r\ntwo\r\n",
  };
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(at(name), bytes);
  }
  await Deno.mkdir(at("no pictures"));
}
await makeFiles();

/** Paths below a folder. */
async function pathsIn(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    const inner = join(path, entry.name);
    found.push(inner, ...(entry.isDirectory ? await pathsIn(inner) : []));
  }
  return found;
}

/** A command that must fail. */
interface Case {
  readonly name: string;
  readonly command: CommandName;
  readonly args: readonly string[];
  readonly code: number;
  /** What the paragraph must say; the first names the file or option. */
  readonly says: readonly (string | RegExp)[];
  /** What to do about it, in the line after it. */
  readonly hint?: RegExp;
}

const weights = ["--weights", at("good.safetensors")];
const predict = (file: string, ...says: (string | RegExp)[]): Case => ({
  name: file,
  command: "predict",
  args: [...weights, at(file)],
  code: exitCodes.failed,
  says: [at(file), ...says],
});
const load = (file: string, code: number, ...says: (string | RegExp)[]): Case => ({
  name: file,
  command: "predict",
  args: ["--weights", at(file), at("good.png")],
  code,
  says: [at(file), ...says],
});
/** Another way to use the good picture. */
const predictBy = (name: string, code: number, args: string[], ...says: string[]): Case => ({
  ...{ name, command: "predict", code, says },
  args: [...args, at("good.png")],
});
const train = (name: string, code: number, args: string[], ...says: (string | RegExp)[]): Case => ({
  name,
  command: "train",
  args: ["--runs", at("runs"), ...args],
  code,
  says,
});
const { failed, usage, diverged } = exitCodes;

const cases: readonly Case[] = [
  predict("truncated.png", /cut off|ends|truncated/),
  predict("text.png", /a PNG, JPEG, WebP, GIF or BMP file is wanted/),
  predict("empty.png", /empty|0 bytes/),
  predict("huge.png", /60,?000\s?[×x]\s?60,?000/),
  predict("missing.png", /no such file|does not exist/),
  { ...predict("no pictures", "the folder has no picture"), name: "a folder of none" },
  load("shape.safetensors", failed, "fc3.bias", "[2,5]", "[10]"),
  load("garbage.safetensors", failed, /header/),
  load("cut.safetensors", failed, /bytes/),
  load("foreign.safetensors", usage, "architecture", "--model"),
  load("missing.safetensors", failed, /no such file|does not exist/),
  load("good.png", failed, /safetensors/),
  { ...load("", failed, /folder/), name: "a folder in place of weights" },
  load("empty.png", failed, "it is empty"),
  load("archive.zip", failed, "a zip archive of 1 files", "PyTorch"),
  predictBy(
    "a net without weights of its own",
    usage,
    ["--weights", "resnet20"],
    "Cannot use resnet20: it is an architecture",
  ),
  predictBy("a net of one size", failed, [...weights, "--size", "40"], "40×40", "32×32"),
  ...[",,/1,1,1", "0,0,0", "0,0,0/1,1,0", "0x1,0,0/1,1,1", "1e999,0,0/1,1,1", "half/half"].map((
    n,
  ) =>
    predictBy(
      `normalized by ${n}`,
      usage,
      [...weights, "--normalize", n],
      `Cannot normalize by ${n}: imagenet, cifar10, half, none, or 3 means, a slash`,
    )
  ),
  predictBy(
    "too few names",
    usage,
    [...weights, "--labels", at("two.txt")],
    `Cannot use ${at("two.txt")}`,
    "2 names, 10 are wanted",
  ),
  predictBy(
    "a head that claims four thousand million classes",
    failed,
    ["--model", "tutorial-cnn", "--weights", at("hostile.safetensors")],
    "hostile.safetensors",
  ),
  train("a misspelt option", usage, ["--epoch", "3"], "--epoch", "did you mean --epochs"),
  train("an unknown model", usage, ["--model", "tutorial-cn"], "tutorial-cn", "tutorial-cnn"),
  train("an unknown data set", usage, ["--dataset", "cifar"], "cifar", "cifar10"),
  train("cifar10 without its folder", usage, ["--dataset", "cifar10"], "cifar10", "--data-dir"),
  train(
    "cifar10 in a folder that is not there",
    failed,
    ["--dataset", "cifar10", "--data-dir", at("nowhere")],
    at("nowhere"),
    "data_batch_1.bin",
  ),
  train(
    "a file in place of a data folder",
    failed,
    ["--dataset", "cifar10", "--data-dir", at("good.png")],
    at("good.png"),
  ),
  train("a file in place of runs", failed, ["--runs", at("good.png")], at("good.png")),
  train("a folder that is no run", usage, ["--resume", folder], folder, "config.json"),
  train(
    "batches larger than the data set",
    usage,
    ["--batch-size", "20000", "--runs", at("unmade")],
    "20000",
    "9000",
  ),
  train("an option that is no number", usage, ["--lr", "fast"], "--lr", "fast"),
  {
    ...train(
      "training that diverges",
      diverged,
      ["--optimizer", "sgd", "--lr", "1e20", "--schedule", "constant"],
      "no finite number",
    ),
    hint: /--lr/,
  },
  {
    name: "weights of another data set",
    command: "evaluate",
    args: [...weights, "--dataset", "cifar10"],
    code: usage,
    says: ["cifar10", "--data-dir"],
  },
  {
    name: "weights of another model",
    command: "evaluate",
    args: [...weights, "--model", "resnet18"],
    code: usage,
    says: [at("good.safetensors"), "tutorial-cnn", "resnet18"],
  },
];

/** The one paragraph of a failed command: everything else it printed must be in order too. */
function paragraphOf(err: string): string {
  assert.doesNotMatch(err, /^ {4}at /m, "a stack");
  assert.doesNotMatch(err, /internal error|undefined|\[object|NaN/);
  // A driver says this of the machine; it is none of ours.
  const lines = err.trimEnd().split("\n").filter((line) => !line.includes("XDG_RUNTIME_DIR"));
  const first = lines.findIndex((line) => line.startsWith("error: "));
  assert(first >= 0, err);
  const [paragraph, ...rest] = lines.slice(first);
  assert(rest.length <= 1 && rest.every((line) => line.startsWith("hint: ")), err);
  assert.match(paragraph, /^error: Cannot .*[^.]$/);
  assert(paragraph.length < 500, paragraph);
  return paragraph;
}

for (const { name, command: verb, args, code, says, hint } of cases) {
  Deno.test(`bad input: ${verb}: ${name}`, async () => {
    const result = await command(verb, args, { writable: folder });
    const paragraph = paragraphOf(result.err);
    assert.equal(result.code, code, result.err);
    assert.equal(result.out, "");
    for (const said of says) {
      const isSaid = typeof said === "string" ? paragraph.includes(said) : said.test(paragraph);
      assert(isSaid, `${paragraph}\nlacks ${said}`);
    }
    if (hint) assert.match(result.err, new RegExp(`^hint: .*${hint.source}`, "m"));
    const halves = (await pathsIn(folder)).filter((path) => /\.(part|tmp)$/.test(path));
    assert.deepEqual(halves, []);
  });
}

Deno.test("bad input: --json tells of the error as an object too", async () => {
  const file = at("text.png");
  const { code, out, err } = await command("predict", [...weights, "--json", file]);
  assert.equal(code, failed);
  const { error, code: told } = lastObject(out);
  assert.equal(`error: ${error}`, paragraphOf(err));
  assert.equal(told, failed);
});

Deno.test("bad input: several pictures, some of them broken: the others are told", async () => {
  const names = ["missing.png", "good.png", "truncated.png", "good.png"], files = names.map(at);
  const people = await command("predict", [...weights, "--top", "1", ...files]);
  const { code, out, err } = await command("predict", [...weights, "--json", ...files]);
  assert.deepEqual([people.code, code], [failed, failed], err);
  const rows = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ image }) => image), files);
  for (const [k, { predictions, error, code }] of rows.entries()) {
    if (names[k] === "good.png") {
      assert.equal(predictions.length, 5);
      continue;
    }
    assert.deepEqual([predictions, code], [undefined, failed]);
    assert(error.includes(files[k]) && err.includes(`error: ${error}`), error);
    assert(people.err.includes(`error: ${error}`), people.err);
  }
  assert.equal(people.out.split(at("good.png")).length, 3, people.out);
});

Deno.test("bad input: without the permission to read, the command that has it is told", async () => {
  const words = commandWords("predict", [...weights, at("good.png")]);
  const { code, out, err } = await deno(words.filter((word) => word !== "--allow-read"));
  assert.equal(code, usage);
  assert.equal(out, "");
  assert(paragraphOf(err).includes("was not given the permission to read"));
  assert.match(err, /^hint: run .*deno run --allow-read.* cli\/predict\.ts --weights /m);
});

Deno.test("bad input: without the permission to write, nothing is begun", async () => {
  const before = await pathsIn(folder);
  const { code, err } = await command("train", ["--runs", at("forbidden")]);
  assert.equal(code, usage);
  assert(paragraphOf(err).includes("was not given the permission to write"));
  assert.match(err, /^hint: run .*--allow-write=\S+ cli\/train\.ts --runs /m);
  assert.deepEqual(await pathsIn(folder), before);
});

/** Whether this user may read what a file's mode forbids, as root may. */
async function isAboveModes(): Promise<boolean> {
  const probe = at("probe");
  await Deno.writeFile(probe, new Uint8Array(1), { mode: 0o000 });
  const isRead = await Deno.readFile(probe).then(() => true, () => false);
  await Deno.remove(probe);
  return isRead;
}

/** Words before a command that make the system refuse what it would refuse a user. */
async function ordinaryUser(): Promise<readonly string[] | undefined> {
  if (Deno.build.os === "windows") return undefined;
  if (!await isAboveModes()) return [];
  // Root loses its way past the modes with these two capabilities.
  const less = "-dac_override,-dac_read_search";
  const words = ["setpriv", `--bounding-set=${less}`, `--inh-caps=${less}`];
  try {
    const [program, ...args] = [...words, "true"];
    return (await new Deno.Command(program, { args }).output()).success ? words : undefined;
  } catch {
    return undefined;
  }
}

const user = await ordinaryUser();
const ignore = user === undefined;
if (ignore) console.log("skipped: an unreadable folder; root may read any, and setpriv is missing");

Deno.test("bad input: a folder that may not be read", { ignore }, async () => {
  const locked = at("locked"), inside = join(locked, "a.png");
  await Deno.mkdir(locked);
  await Deno.writeFile(inside, new Uint8Array(10));
  await Deno.chmod(locked, 0o000);
  const cifar10 = ["--dataset", "cifar10", "--data-dir", locked, "--runs", at("runs")];
  const uses: readonly (readonly [CommandName, readonly string[], string])[] = [
    ["train", cifar10, locked],
    ["train", ["--runs", join(locked, "runs")], join(locked, "runs")],
    ["train", ["--resume", locked], locked],
    ["predict", [...weights, inside], inside],
    ["predict", ["--weights", inside, at("good.png")], inside],
  ];
  try {
    for (const [verb, args, named] of uses) {
      const words = commandWords(verb, args, folder);
      const { code, err } = await spawned([...user!, Deno.execPath(), ...words]);
      assert.equal(code, usage, err);
      const paragraph = paragraphOf(err);
      assert(paragraph.includes(named), `${paragraph}\nlacks ${named}`);
    }
  } finally {
    await Deno.chmod(locked, 0o700);
  }
});

// A driver folder without drivers hides every adapter; other systems have no such switch.
Deno.test("bad input: no such device", { ignore: Deno.build.os !== "linux" }, async () => {
  const env = {
    DENO_WEBGPU_BACKEND: "vulkan",
    VK_ICD_FILENAMES: at("none"),
    VK_DRIVER_FILES: at("none"),
  };
  const args = [...weights, "--device", "webgpu", at("good.png")];
  const { code, err } = await command("predict", args, { env });
  assert.equal(code, exitCodes.device, err);
  assert.match(paragraphOf(err), /WebGPU.*no adapter was found.*wasm/);
});

Deno.test("bad input: the project's folder is left as it was", async () => {
  const names = await Array.fromAsync(Deno.readDir(root), ({ name }) => name);
  assert(!names.some((name) => name.endsWith(".part")), `${names}`);
});
