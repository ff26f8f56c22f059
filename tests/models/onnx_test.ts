/** ONNX files, read and computed by the meaning of ONNX's operators: see tests/reference/onnx_run.ts. */
import assert from "node:assert/strict";
import { deviceOn } from "../../core/device.ts";
import { UsageError } from "../../core/errors.ts";
import { ancestors, applyOne, type MacroOp, type Tensor } from "../../core/graph.ts";
import { f32 } from "../../core/shape.ts";
import { input, reshape, tensor } from "../../core/structure.ts";
import { version } from "../../core/version.ts";
import { fill } from "../../models/init.ts";
import { BatchNorm2d, Conv2d } from "../../models/layers.ts";
import type { Model } from "../../models/model.ts";
import { exportOnnx, type ExportOnnxOptions } from "../../models/onnx.ts";
import { operations } from "../../models/onnx/operations.ts";
import { parameter } from "../../models/parameter.ts";
import { Pass } from "../../models/pass.ts";
import { imagenetPreparation, type Preparation } from "../../models/preparation.ts";
import { Weights } from "../../models/weights.ts";
import { add, mean, mul } from "../../ops/mod.ts";
import { openWasm } from "../../wasm/backend.ts";
import { assertClose } from "../assert.ts";
import { type OnnxModel, readOnnx } from "../reference/onnx_file.ts";
import { resultsOf } from "../reference/onnx_run.ts";
import {
  drawnWeights,
  EveryOperation,
  EveryPrimitive,
  logitsOf,
  tableNet,
  unitPictures,
} from "./onnx_nets.ts";

const device = deviceOn(openWasm());
globalThis.addEventListener("unload", () => device[Symbol.dispose]());
const shared = { sanitizeOps: false, sanitizeResources: false };

const namesFor = ({ classes }: Model): string[] =>
  Array.from({ length: classes }, (_, k) => `kind ${k} „ß“`);

async function exported(
  weights: Weights,
  preparation: Preparation,
  options?: ExportOnnxOptions,
): Promise<OnnxModel> {
  const usage = { classes: namesFor(weights.model), preparation };
  return readOnnx(await exportOnnx(weights, usage, options));
}

/** Logits and probabilities of a file. */
async function run(
  model: OnnxModel,
  { channels, height, width }: Preparation,
  pixels: Float32Array,
): Promise<Float32Array[]> {
  const count = pixels.length / (channels * height * width);
  const outputs = resultsOf(model, tensor(pixels, [count, channels, height, width]));
  using plan = await device.compile({ outputs });
  plan.run();
  return await Promise.all(outputs.map((t) => plan.read(t) as Promise<Float32Array>));
}

const largest = (list: Float32Array): number => list.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

/** The file computes what the net does, for one picture and for three. */
async function checkEqual(
  weights: Weights,
  preparation: Preparation,
  options?: ExportOnnxOptions,
  tolerance = 1e-5,
): Promise<OnnxModel> {
  const model = await exported(weights, preparation, options);
  for (const count of [1, 3]) {
    const pictures = unitPictures(count, preparation);
    const expected = await logitsOf(device, weights, preparation, pictures);
    const [logits, probabilities] = await run(model, preparation, pictures);
    assert(largest(expected) > 1e-3, "logits that are not all 0");
    assertClose(logits, expected, { atol: tolerance * largest(expected), what: "logits" });
    const { classes } = weights.model;
    for (let n = 0; n < count; n++) {
      const row = probabilities.subarray(n * classes, (n + 1) * classes);
      assertClose([row.reduce((a, b) => a + b, 0)], [1], { atol: 1e-5, what: "their sum" });
    }
  }
  return model;
}

const countOf = ({ nodes }: OnnxModel, op: string): number =>
  nodes.filter((n) => n.op === op).length;

const small = [
  ["tutorial-cnn", [32, 32]],
  ["resnet20", [32, 32]],
  ["squeezenet1_1", [56, 71]],
  ["tf_efficientnet_lite0", [50, 64]],
] as const;
for (const [name, size] of small) {
  Deno.test({
    ...{ name: `ONNX: ${name} computes the same`, ...shared },
    async fn() {
      const { weights, preparation } = tableNet(device, name, size);
      using _ = weights;
      const folded = await checkEqual(weights, preparation);
      const kept = await checkEqual(weights, preparation, { keepBatchNorm: true });
      const norms = [...weights.parameters.keys()].filter((path) => /running_var$/.test(path));
      assert.equal(countOf(folded, "BatchNormalization"), 0);
      assert.equal(countOf(kept, "BatchNormalization"), norms.length);
      for (const file of [folded, kept]) assert.equal(countOf(file, "Transpose"), 0);
      for (const op of ["Mul", "Reciprocal", "Max", "Min"]) {
        assert.equal(countOf(folded, op), 0, op);
      }
    },
  });
}

Deno.test(
  { ...{ name: "ONNX: a net of every operation computes the same", ...shared } },
  async () => {
    using weights = drawnWeights(device, new EveryOperation());
    const preparation: Preparation = { ...imagenetPreparation, height: 12, width: 10 };
    const folded = await checkEqual(weights, preparation);
    const kept = await checkEqual(weights, preparation, { keepBatchNorm: true });
    // One follows a pointwise operation, and one a product by weights that are no constant in order.
    assert.deepEqual([folded, kept].map((file) => countOf(file, "BatchNormalization")), [2, 5]);
    assert.equal(countOf(folded, "Expand"), 1);
  },
);

Deno.test({ name: "ONNX: that net meets every row of the table", ...shared }, () => {
  const net = new EveryOperation(), x = input([1, 12, 10, 3], "x");
  const met = new Set(ancestors([net.forward(x, new Pass({ train: false }))]).map(({ op }) => op));
  assert.deepEqual([...operations.keys()].filter((op) => !met.has(op)).map(({ name }) => name), []);
});

Deno.test(
  { name: "ONNX: pointwise operations of one's own compute the same", ...shared },
  async () => {
    using weights = drawnWeights(device, new EveryPrimitive());
    await checkEqual(weights, { ...imagenetPreparation, height: 8, width: 8 });
  },
);

Deno.test({ name: "ONNX: what a file says of itself", ...shared }, async () => {
  const { weights, preparation } = tableNet(device, "tutorial-cnn", [32, 32]);
  using _ = weights;
  const file = await exported(weights, preparation, { metadata: { accuracy: "0.5" } });
  assert.deepEqual([file.irVersion, file.opset, file.producer], [8, 17, ["Fovea", version]]);
  assert.deepEqual([...file.inputs], [["pixels", ["batch", 3, 32, 32]]]);
  assert.deepEqual([...file.outputs], [
    ["logits", ["batch", 7]],
    ["probabilities", ["batch", 7]],
  ]);
  assert.deepEqual(file.metadata, {
    accuracy: "0.5",
    model: "tutorial-cnn",
    classes: JSON.stringify(namesFor(weights.model)),
    preparation: JSON.stringify(preparation),
    pixels: "unit",
  });
  // Weights are called as in PyTorch, and lie as there: fc1 reads channels, then rows, then columns.
  const saved = new Map(await weights.save());
  for (const [path, { shape, bytes }] of saved) {
    const { data, shape: sizes } = file.tensors.get(path)!;
    assert.deepEqual([sizes, new Uint8Array(data.buffer)], [shape, bytes], path);
  }
});

Deno.test(
  { name: "ONNX: pixels from 0 to 1, to 255, or normalized give the same", ...shared },
  async () => {
    const { weights, preparation } = tableNet(device, "tutorial-cnn", [32, 32]);
    using _ = weights;
    const pictures = unitPictures(2, preparation), { mean, std } = preparation;
    const expected = await logitsOf(device, weights, preparation, pictures);
    const feeds = {
      unit: pictures,
      bytes: pictures.map((v) => 255 * v),
      normalized: pictures.map((v, k) => {
        const c = Math.floor(k / (32 * 32)) % 3;
        return (v - mean[c]) / std[c];
      }),
    };
    for (const pixels of ["unit", "bytes", "normalized"] as const) {
      const file = await exported(weights, preparation, { pixels });
      const [logits] = await run(file, preparation, feeds[pixels]);
      assertClose(logits, expected, { atol: 1e-5 * largest(expected), what: pixels });
      assert.equal(file.metadata.pixels, pixels);
    }
  },
);

Deno.test(
  { name: "ONNX: half precision halves the weights, vectors stay", ...shared },
  async () => {
    const { weights, preparation } = tableNet(device, "resnet20", [32, 32]);
    using _ = weights;
    const usage = { classes: namesFor(weights.model), preparation };
    const full = await exportOnnx(weights, usage),
      half = await exportOnnx(weights, usage, { dtype: "F16" });
    assert(half.length < 0.56 * full.length, `${half.length} of ${full.length} bytes`);
    const file = await checkEqual(weights, preparation, { dtype: "F16" }, 5e-3);
    for (const [name, { type, shape }] of file.tensors) {
      if (type !== 7 && shape.length > 0 && name.includes(".")) {
        assert.equal(type, shape.length > 1 ? 10 : 1, name);
      }
    }
    const [path, t] = [...weights.parameters].at(-2)!;
    weights.write(t, new Float32Array(7 * 64).fill(1e6));
    await assert.rejects(exportOnnx(weights, usage, { dtype: "F16" }), { key: path });
  },
);

/** A model of one function. */
function modelOf(forward: (x: Tensor, pass: Pass) => Tensor): Model {
  return { name: "mine", classes: 3, channels: 3, inputSize: 4, forward };
}

Deno.test({ name: "ONNX: what is read twice is computed once", ...shared }, async () => {
  const conv = new Conv2d(3, 3, 1, { bias: false }), norm = new BatchNorm2d(3);
  const shift = parameter([3], { init: fill(0.3) });
  const model = modelOf((x, pass) => {
    const y = conv.forward(x), z = conv.forward(y);
    return mean(add(add(norm.forward(y, pass), add(z, shift)), z), { axes: [1, 2] });
  });
  using weights = drawnWeights(device, Object.assign(model, { conv, norm, shift }));
  const file = await checkEqual(weights, { ...imagenetPreparation, height: 4, width: 4 });
  const counts = ["Conv", "BatchNormalization", "Add"].map((op) => countOf(file, op));
  assert.deepEqual(counts, [2, 1, 3]);
});

Deno.test({ name: "ONNX: what has no translation is refused by its name", ...shared }, async () => {
  const mirror: MacroOp<void> = {
    ...{ kind: "macro", name: "mirror", infer: ([x]) => [f32(x.shape)] },
    ...{ wgsl: () => ({ passes: [] }), wasm: () => ({ calls: [] }) },
  };
  const preparation = { ...imagenetPreparation, height: 4, width: 4 };
  const refusal = async (model: Model, classes = 3): Promise<string> => {
    using weights = new Weights(device, model);
    const usage = { classes: Array.from({ length: classes }, String), preparation };
    const error = await exportOnnx(weights, usage).then(() => undefined, (error) => error);
    assert(error instanceof UsageError, String(error));
    return error.message;
  };
  const means = (x: Tensor): Tensor => mean(x, { axes: [1, 2] });
  const start = /^Cannot export mine as ONNX: /;
  for (
    const [forward, wanted] of [
      [(x: Tensor) => means(applyOne(mirror, [x], undefined)), /it uses mirror, which has no/],
      [(x: Tensor) => reshape(means(x), [-1]), /its result is Tensor\(6, f32, reshape\)/],
      [
        (x: Tensor) => x.shape[0] === 2 ? means(x) : mul(means(x), 2),
        /its forward pass is another one for other numbers of pictures/,
      ],
      [
        (x: Tensor) => mul(means(x), tensor(new Float32Array(x.shape[0] * 3), [x.shape[0], 3])),
        /leaf is no constant of floats for every batch/,
      ],
    ] as const
  ) {
    const said = await refusal(modelOf(forward));
    assert.match(said, start);
    assert.match(said, wanted);
  }
  assert.match(await refusal(modelOf(means), 4), /it has 3 outputs, 4 names of classes are given/);
});
