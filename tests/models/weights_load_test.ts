/** Loading a file that is not quite the model's: what may differ, what is reported, what is refused. */
import assert from "node:assert/strict";
import { CheckpointError } from "../../core/errors.ts";
import type { LoadOptions } from "../../models/checkpoint/matching.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import { isFloat, type StoredTensor, toHalf } from "../../models/checkpoint/stored_tensor.ts";
import { initialWeights, Weights } from "../../models/weights.ts";
import { openTestDevices } from "../laws/devices.ts";
import { type Picklable, type StorageSpec, tensorOf } from "./pickle_writer.ts";
import { ResidualNet } from "./residual_net.ts";
import { torchLegacy, torchZip } from "./torch_files.ts";

const [device] = (await openTestDevices()).all;

/** First weights of the net by path, as a file has them. */
async function tensorsOf(seed: number): Promise<Map<string, StoredTensor>> {
  using weights = initialWeights(device, new ResidualNet(), seed);
  return new Map(await weights.save());
}

const own = await tensorsOf(5), given = await tensorsOf(6), paths = [...given.keys()];

/** Loads a file into weights of seed 5; what came of it, by path. */
async function loadedFrom(tensors: ReadonlyMap<string, StoredTensor>, options?: LoadOptions) {
  using weights = initialWeights(device, new ResidualNet(), 5);
  const report = weights.load({ tensors }, options, "x.pth");
  return { report, tensors: new Map(await weights.save()) };
}

/** Asserts that these paths are the file's, and all others as they were. */
function assertLoaded(found: ReadonlyMap<string, StoredTensor>, loaded: readonly string[]): void {
  for (const path of paths) {
    const expected = loaded.includes(path) ? given : own;
    assert.deepEqual(found.get(path)!.bytes, expected.get(path)!.bytes, path);
  }
}

/** Refused, and not a bit changed. */
async function refuses(
  tensors: ReadonlyMap<string, StoredTensor>,
  options: LoadOptions,
  says: string,
  key: string,
): Promise<void> {
  using weights = initialWeights(device, new ResidualNet(), 5);
  assert.throws(() => weights.load({ tensors }, options, "x.pth"), (error) => {
    assert(error instanceof CheckpointError, `${error}`);
    const head = "Cannot load x.pth into residual with 5 classes: ";
    assert.equal(error.message, head + says);
    assert.equal(error.key, key);
    return true;
  });
  assertLoaded(new Map(await weights.save()), []);
}

/** A copy with changes; undefined takes a tensor out. */
function changed(changes: Readonly<Record<string, StoredTensor | undefined>>) {
  const copy = new Map(given);
  for (const [path, tensor] of Object.entries(changes)) {
    if (tensor) copy.set(path, tensor);
    else copy.delete(path);
  }
  return copy;
}

const zeros = (...shape: number[]): StoredTensor => ({
  ...{ dtype: "F32", shape },
  bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
});

Deno.test("load: all that fits is reported, in the order of the model", async () => {
  const { report, tensors } = await loadedFrom(new Map([...given].reverse()));
  assert.deepEqual(report, { loaded: paths, missing: [], leftOver: [], reshaped: [] });
  assertLoaded(tensors, paths);
});

Deno.test("load: strict names the first that is missing or left over, and how many", async () => {
  const lacking = changed({ "conv1.weight": undefined, "fc.bias": undefined });
  await refuses(lacking, {}, "it lacks conv1.weight and 1 more", "conv1.weight");
  const more = changed({ "fc.scale": zeros(1), other: zeros(1), third: zeros(1) });
  await refuses(more, {}, "it holds fc.scale and 2 more", "fc.scale");
});

Deno.test("load: not strict, what is missing stays and what is left over is passed over", async () => {
  const { report, tensors } = await loadedFrom(
    changed({ "conv1.weight": undefined, "fc.scale": zeros(1), "a.num_batches_tracked": zeros() }),
    { strict: false },
  );
  const loaded = paths.filter((path) => path !== "conv1.weight");
  assert.deepEqual(report, {
    ...{ loaded, missing: ["conv1.weight"], leftOver: ["fc.scale"], reshaped: [] },
  });
  assertLoaded(tensors, loaded);
});

Deno.test("load: not strict is no licence to load nothing", async () => {
  const alien = new Map([["a", zeros(1)], ["b", zeros(1)]]);
  const says = `it lacks conv1.weight and ${paths.length - 1} more`;
  await refuses(alien, { strict: false }, says, "conv1.weight");
  await refuses(new Map(), { strict: false }, says, "conv1.weight");
});

Deno.test("load: a skipped head may be missing, of another size, of whole numbers, or more than the model's", async () => {
  const skip = (path: string): boolean => path.startsWith("fc.");
  const loaded = paths.filter((path) => !skip(path));
  const counts: StoredTensor = { dtype: "I64", shape: [5], bytes: new Uint8Array(40) };
  const files = [
    given,
    changed({ "fc.weight": undefined, "fc.bias": undefined }),
    changed({ "fc.weight": zeros(7, 16), "fc.bias": counts, "fc.scale": zeros(1) }),
  ];
  for (const file of files) {
    const { report, tensors } = await loadedFrom(file, { skip });
    assert.deepEqual(report, { loaded, missing: [], leftOver: [], reshaped: [] });
    assertLoaded(tensors, loaded);
  }
});

Deno.test("load: tensors of another shape stay out when that is asked for, and are listed", async () => {
  const file = changed({ "fc.weight": zeros(7, 16), "fc.bias": zeros(7) });
  const says = "fc.weight has shape [7,16], [5,16] is wanted";
  await refuses(file, {}, says, "fc.weight");
  await refuses(file, { strict: false }, says, "fc.weight");
  const { report, tensors } = await loadedFrom(file, { leaveReshaped: true });
  const loaded = paths.filter((path) => !path.startsWith("fc."));
  assert.deepEqual(report, {
    ...{ loaded, missing: [], leftOver: [], reshaped: ["fc.weight", "fc.bias"] },
  });
  assertLoaded(tensors, loaded);
});

Deno.test("load: names are translated by a function or a map, and left out where undefined", async () => {
  const prefixed = new Map([...given].map(([path, t]) => [`model.${path}`, t]));
  prefixed.set("teacher.conv1.weight", zeros(1));
  const strip = (name: string): string | undefined => /^model\.(.*)$/.exec(name)?.[1];
  const byFunction = await loadedFrom(prefixed, { rename: strip });
  assert.deepEqual(byFunction.report, { loaded: paths, missing: [], leftOver: [], reshaped: [] });
  const moved = changed({ "fc.bias": undefined, "head.bias": given.get("fc.bias") });
  const byMap = await loadedFrom(moved, { rename: new Map([["head.bias", "fc.bias"]]) });
  assert.deepEqual(byMap.report.loaded, paths);
  for (const { tensors } of [byFunction, byMap]) assertLoaded(tensors, paths);
  using weights = initialWeights(device, new ResidualNet(), 5);
  assert.throws(() => weights.load({ tensors: given }, { rename: () => "a" }, "x.pth"), {
    name: "CheckpointError",
    message: "Cannot rename tensors of x.pth: conv1.weight and bn1.weight both become a",
  });
});

Deno.test("load: where only a prefix differs, the error says which", async () => {
  const longer = new Map([...given].map(([path, t]) => [`net.${path}`, t]));
  const count = paths.length, more = count - 1;
  await refuses(
    longer,
    {},
    `it lacks conv1.weight and ${more} more; it holds net.conv1.weight: ` +
      `did you mean to take "net." off ${count} of its names?`,
    "conv1.weight",
  );
  const layer1 = paths.filter((path) => path.startsWith("layer1."));
  const shorter = new Map(layer1.map((path) => [path.slice(7), given.get(path)!]));
  await refuses(
    shorter,
    { skip: (path) => /^(conv1|bn1|layer2|fc)\./.test(path) },
    `it lacks ${layer1[0]} and ${layer1.length - 1} more; it holds ${layer1[0].slice(7)}: ` +
      `did you mean to put "layer1." before ${layer1.length} of its names?`,
    layer1[0],
  );
});

Deno.test("load: NaN and whole numbers are refused, with what was given before them", async () => {
  const bad = given.get("fc.bias")!.bytes.slice();
  new DataView(bad.buffer).setFloat32(8, NaN, true);
  const tensor: StoredTensor = { ...given.get("fc.bias")!, bytes: bad };
  await refuses(changed({ "fc.bias": tensor }), {}, "fc.bias holds NaN", "fc.bias");
  const counts: StoredTensor = { dtype: "I64", shape: [5], bytes: new Uint8Array(40) };
  const says = "fc.bias holds I64, F32, F64, F16 or BF16 is wanted";
  await refuses(changed({ "fc.bias": counts }), { strict: false }, says, "fc.bias");
});

Deno.test("load: a checkpoint of PyTorch in either container gives the same weights", async () => {
  const storages: StorageSpec[] = [], entries: Record<string, Picklable> = {};
  for (const [path, { shape, bytes }] of given) {
    const storage = { key: path, type: "FloatStorage", count: bytes.length / 4, bytes };
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    storages.push(storage);
    entries[`module.${path}`] = tensorOf(storage, 0, shape, strides);
  }
  for (const make of [torchZip, torchLegacy]) {
    const dict = readStateDict(make({ epoch: 9, state_dict: entries }, storages), "x.pth");
    const { report, tensors } = await loadedFrom(dict.tensors);
    assert.deepEqual(report.loaded, paths);
    assertLoaded(tensors, paths);
  }
});

Deno.test("load: half precision loads as its own rounding", async () => {
  const halves = new Map([...given].map(([path, t]) => [path, toHalf(path, t)]));
  const { tensors } = await loadedFrom(halves);
  for (const [path, { bytes }] of tensors) {
    const expected = Float32Array.from(
      new Float32Array(given.get(path)!.bytes.slice().buffer),
      Math.f16round,
    );
    assert.deepEqual(new Float32Array(bytes.slice().buffer), expected, path);
  }
  assert(isFloat("F16") && !isFloat("I64"));
  using weights = new Weights(device, new ResidualNet());
  assert.equal(weights.load({ tensors: halves }).loaded.length, paths.length);
});
