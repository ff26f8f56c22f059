/**
 * Torchvision's nets, with weights that both sides draw by one formula: logits in evaluation, and the
 * gradient of every parameter, against float64. `-- --slow` also exchanges files
 * with PyTorch, where Debian's python3-torchvision is installed (`tests/fixtures/setup.ts`).
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { grad } from "../../core/grad.ts";
import type { Elements } from "../../core/device.ts";
import { Tensor } from "../../core/graph.ts";
import { input, tensor } from "../../core/structure.ts";
import { encodeCheckpoint } from "../../models/checkpoint.ts";
import { readStateDict } from "../../models/checkpoint/state_dict.ts";
import { BatchNorm2d, Dropout } from "../../models/layers.ts";
import { toDisk } from "../../models/layout.ts";
import { type ModelName, models } from "../../models/models.ts";
import { asParameter } from "../../models/parameter.ts";
import { Pass } from "../../models/pass.ts";
import { Weights } from "../../models/weights.ts";
import { openDevice } from "../../open_device.ts";
import { mul } from "../../ops/pointwise.ts";
import { sum } from "../../ops/reduce.ts";
import { temporaryFolder } from "../data/support.ts";
import { drawnWeights, signed } from "./drawn_weights.ts";

/** What `make.py` noted, in float64. */
interface Expected {
  /** Number of the pictures. */
  readonly pictures: number;
  readonly evaluated: readonly (readonly number[])[];
  /** Norm of each gradient, and its products with two drawn vectors. */
  readonly gradients: Readonly<Record<string, readonly [number, number, number]>>;
}

const here = new URL("../fixtures/torchvision/", import.meta.url);
const expected: Readonly<Record<string, Expected>> = JSON.parse(
  await Deno.readTextFile(new URL("expected.json", here)),
);
const nets = Object.keys(expected) as ModelName[];
const endings = [
  [".pth", "PyTorch zip"],
  [".legacy.pth", "PyTorch legacy"],
  [".safetensors", "safetensors"],
] as const;
const batch = 1, side = 32, classes = 10;
const isSlow = Deno.args.includes("--slow");

/** A class of layers. */
type Kind = typeof Dropout | typeof BatchNorm2d;

/** The layers of some kinds in a model, to be frozen: `make.py` switches them off. */
function layersOf(part: object, kinds: readonly Kind[], found = new Set<object>()): Set<object> {
  if (kinds.some((kind) => part instanceof kind)) found.add(part);
  if (part instanceof Tensor) return found;
  for (const field of Object.values(part)) {
    if (typeof field === "object" && field !== null) layersOf(field, kinds, found);
  }
  return found;
}

/** Pictures as a net wants them here, from PyTorch's order. */
function pictures(number: number): Float32Array<ArrayBuffer> {
  const planes = signed(`pictures ${number}`, batch * 3 * side * side), area = side * side;
  return Float32Array.from({ length: planes.length }, (_, k) => {
    const n = Math.floor(k / (3 * area)), p = Math.floor(k / 3) % area;
    return planes[(n * 3 + k % 3) * area + p];
  });
}

/** Largest difference over the largest value. */
function deviation(found: ArrayLike<number>, wanted: readonly number[]): number {
  const scale = Math.max(...wanted.map(Math.abs));
  return Math.max(...wanted.map((v, k) => Math.abs(v - found[k]))) / scale;
}

const x = input([batch, side, side, 3], "pictures");

async function logitsOf(weights: Weights, pass: Pass, number = 0): Promise<Elements> {
  const { model, stores, trainable: { device } } = weights, logits = model.forward(x, pass);
  using plan = await device.compile({ outputs: [logits] }, { stores });
  plan.run([[x, pictures(number)]]);
  return await plan.read(logits);
}

/** Largest error of the gradients' norms and products, each over the norm. */
async function gradientError(weights: Weights, wanted: Expected): Promise<number> {
  const { model, stores, parameters, trainable: { device } } = weights;
  const frozen = layersOf(model, [Dropout, BatchNorm2d]);
  const logits = model.forward(x, new Pass({ train: true, frozen }));
  const loss = sum(mul(logits, tensor(signed("loss", batch * classes), [batch, classes])));
  const trained = [...parameters].filter(([, t]) => asParameter(t)!.trainable);
  const gradients = grad(loss, trained.map(([, t]) => t));
  using plan = await device.compile({ outputs: gradients }, { stores });
  plan.run([[x, pictures(wanted.pictures)]]);
  assert.deepEqual(trained.map(([path]) => path).sort(), Object.keys(wanted.gradients).sort());
  let worst = 0;
  for (const [k, [path, t]] of trained.entries()) {
    const { layout } = asParameter(t)!, elements = await plan.read(gradients[k]);
    const found = toDisk(elements as Float32Array, t.shape, layout);
    const dot = (other: ArrayLike<number>) => found.reduce((s, v, i) => s + v * other[i], 0);
    const products = [0, 1].map((n) => dot(signed(`${path} ${n}`, found.length)));
    const [norm, ...dots] = wanted.gradients[path], ours = [Math.sqrt(dot(found)), ...products];
    // A product with a vector of the largest element 1: rounding is that of the norm.
    [norm, ...dots].forEach((v, n) => worst = Math.max(worst, Math.abs(v - ours[n]) / norm));
  }
  return worst;
}

for (const name of nets) {
  Deno.test({
    name: `torchvision: ${name} gives PyTorch's logits and gradients`,
    ...{ sanitizeOps: false, sanitizeResources: false },
    async fn() {
      using device = await openDevice("wasm");
      using weights = drawnWeights(device, name, classes);
      const wanted = expected[name];
      const evaluated = await logitsOf(weights, new Pass({ train: false }), wanted.pictures);
      const errors = {
        evaluated: deviation(evaluated, wanted.evaluated.flat()),
        gradients: await gradientError(weights, wanted),
      };
      const told = Object.entries(errors).map(([what, e]) => `${what} ${e.toExponential(1)}`);
      console.log(`${name}: ${told.join(", ")}`);
      assert(Object.values(errors).every((error) => error < 1e-4));
    },
  });
}

const python = "/usr/bin/python3", script = fileURLToPath(new URL("make.py", here));

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(python, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

async function hasTorchvision(): Promise<boolean> {
  return await run("-c", "import torchvision").then(() => true, () => false);
}

const ignore = !isSlow || !await hasTorchvision();
if (ignore) console.log("skipped: exchange of files with torchvision (slow, or it is not there)");

for (const name of nets) {
  Deno.test({
    name: `torchvision: ${name} is read from PyTorch's files, and PyTorch reads ours`,
    ignore,
    ...{ sanitizeOps: false, sanitizeResources: false },
    async fn() {
      await using folder = await temporaryFolder();
      using device = await openDevice("wasm");
      using weights = drawnWeights(device, name, classes);
      const saved = new Map(await weights.save());
      await run(script, folder.path, name);
      for (const [ending, format] of endings) {
        const file = `${folder.path}/${name}${ending}`;
        const dict = readStateDict(await Deno.readFile(file), file);
        assert.equal(dict.format, format);
        using loaded = new Weights(device, models[name].create({ classes }));
        const { missing, leftOver } = loaded.load(dict, {}, file);
        assert.deepEqual([missing, leftOver], [[], []]);
        for (const [path, { bytes }] of await loaded.save()) {
          assert.deepEqual(bytes, saved.get(path)!.bytes, path);
        }
      }
      for (const dtype of ["F32", "F16"] as const) {
        const file = `${folder.path}/ours.${dtype}.safetensors`;
        const preparation = models[name].preparation;
        const usage = { classes: Array.from({ length: classes }, (_, k) => `${k}`), preparation };
        const saved = await encodeCheckpoint(weights, usage, { dtype });
        await Deno.writeFile(file, saved);
        const theirs = JSON.parse(await run(script, "--check", file, name)) as number[][];
        using loaded = new Weights(device, models[name].create({ classes }));
        loaded.load(readStateDict(saved));
        const ours = await logitsOf(loaded, new Pass({ train: false }));
        assert(deviation(ours, theirs.flat()) < 1e-4, dtype);
      }
    },
  });
}
