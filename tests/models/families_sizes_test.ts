/** The table of models: sizes as published, paths as in published files, what pictures go through. */
import assert from "node:assert/strict";
import { tensor } from "../../core/structure.ts";
import { describeModel } from "../../models/describe.ts";
import {
  EfficientNetLite,
  renameEfficientnetPytorch,
  SeparableBlock,
} from "../../models/efficientnet_lite.ts";
import { diskShape } from "../../models/layout.ts";
import type { Classifier } from "../../models/model.ts";
import { type ModelName, models } from "../../models/models.ts";
import { asParameter, parametersOf } from "../../models/parameter.ts";
import { parseSafetensors } from "../../models/checkpoint/safetensors.ts";
import { Pass } from "../../models/pass.ts";
import { SqueezeNet } from "../../models/squeezenet.ts";
import { testData } from "../data/support.ts";

const names = Object.keys(models) as ModelName[];

const create = (name: ModelName): Classifier =>
  models[name].create({ classes: models[name].classes });

/**
 * Parameters, and billions of multiply-adds, as torchvision and timm list them for their weights; the
 * CIFAR nets by hand from the paper's table 6 (0.27 … 1.7 million) and the file of weights.
 */
const published: Partial<Readonly<Record<ModelName, readonly [number, number?]>>> = {
  "tutorial-cnn": [62_006],
  "resnet20": [269_722],
  "resnet32": [464_154],
  "resnet44": [658_586],
  "resnet56": [853_018],
  "resnet110": [1_727_962],
  "resnet18": [11_689_512, 1.814],
  "resnet34": [21_797_672, 3.664],
  "resnet50": [25_557_032, 4.089],
  "wide_resnet50_2": [68_883_240, 11.398],
  "mobilenet_v2": [3_504_872, 0.301],
  "squeezenet1_0": [1_248_424, 0.819],
  "squeezenet1_1": [1_235_496, 0.349],
  "tf_efficientnet_lite0": [4_652_008],
  "tf_efficientnet_lite1": [5_416_680],
  "tf_efficientnet_lite2": [6_092_072],
  "tf_efficientnet_lite3": [8_197_096],
  "tf_efficientnet_lite4": [13_006_568],
};

Deno.test("families: as many parameters and multiply-adds as published", () => {
  for (const [name, [parameters, billions]] of Object.entries(published)) {
    const found = describeModel(create(name as ModelName));
    assert.equal(found.parameters, parameters, name);
    if (billions === undefined) continue;
    assert.equal(Math.round(found.multiplyAdds / 1e6) / 1e3, billions, name);
  }
});

Deno.test("families: multiply-adds of the tutorial's net, by hand", () => {
  const convolutions = 28 * 28 * 6 * 75 + 10 * 10 * 16 * 150;
  const linear = 400 * 120 + 120 * 84 + 84 * 10;
  const model = create("tutorial-cnn");
  assert.equal(describeModel(model).multiplyAdds, convolutions + linear);
  assert.deepEqual(
    describeModel(create("resnet20"), [16, 16]).statistics,
    2 * (7 * 16 + 6 * 32 + 6 * 64),
  );
});

Deno.test("families: README's table is the table", async () => {
  const text = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const rows = text.split("\n").filter((line) => /^\| `.*×\d+ +\|$/.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.deepEqual(
    rows.toSorted(),
    names.map((name) => {
      const { parameters, multiplyAdds } = describeModel(create(name)),
        p = models[name].preparation;
      const millions = (multiplyAdds / 1e6).toLocaleString("en", {
        minimumFractionDigits: 1,
        maximumFractionDigits: 1,
      });
      const numbers = [parameters.toLocaleString("en"), `${millions} M`, `${p.height}×${p.width}`];
      return [`\`${name}\``, ...numbers];
    }).toSorted(),
  );
});

Deno.test("families: the table's entries are whole", () => {
  for (const name of names) {
    const { preparation: p, summary } = models[name], model = create(name);
    assert.equal(model.name, name);
    assert.deepEqual([p.height, p.width, p.channels], [model.inputSize, model.inputSize, 3], name);
    assert(p.share > 0 && p.share <= 1 && p.mean.length === 3 && p.std.length === 3, name);
    assert(p.std.every((s) => s > 0), name);
    assert(summary.endsWith(`, ${p.height}×${p.width} pictures`), summary);
    const grey = models[name].create({ classes: 2, channels: 1 });
    assert.deepEqual([grey.channels, grey.classes], [1, 2]);
    const x = tensor(new Float32Array(model.inputSize ** 2), [1, p.height, p.width, 1]);
    assert.deepEqual(grey.forward(x, new Pass({ train: false })).shape, [1, 2], name);
  }
});

const onDisk = (model: Classifier): (readonly [string, number[]])[] =>
  [...parametersOf(model)].map(([path, t]) => [
    path,
    [...diskShape(t.shape, asParameter(t)!.layout)],
  ]);

/** Paths of a batch norm, as PyTorch lists them. */
const norm = (path: string): string[] =>
  ["weight", "bias", "running_mean", "running_var"].map((part) => `${path}.${part}`);

Deno.test("families: paths of bottlenecks, of CIFAR's nets and of torchvision's MobileNetV2", () => {
  const paths = (name: ModelName, pattern: RegExp): string[] =>
    [...parametersOf(create(name)).keys()].filter((path) => pattern.test(path));
  assert.deepEqual(paths("wide_resnet50_2", /^layer2\.0\./), [
    ...["layer2.0.conv1.weight", ...norm("layer2.0.bn1"), "layer2.0.conv2.weight"],
    ...[...norm("layer2.0.bn2"), "layer2.0.conv3.weight", ...norm("layer2.0.bn3")],
    ...["layer2.0.downsample.0.weight", ...norm("layer2.0.downsample.1")],
  ]);
  assert.deepEqual(paths("resnet20", /^(layer2\.0|conv1|bn1|linear)\./), [
    ...["conv1.weight", ...norm("bn1"), "layer2.0.conv1.weight", ...norm("layer2.0.bn1")],
    ...["layer2.0.conv2.weight", ...norm("layer2.0.bn2"), "linear.weight", "linear.bias"],
  ]);
  assert.deepEqual(paths("mobilenet_v2", /^(features\.(0|1|2|18)|classifier)\./), [
    ...["features.0.0.weight", ...norm("features.0.1")],
    ...["features.1.conv.0.0.weight", ...norm("features.1.conv.0.1")],
    ...["features.1.conv.1.weight", ...norm("features.1.conv.2")],
    ...["features.2.conv.0.0.weight", ...norm("features.2.conv.0.1")],
    ...["features.2.conv.1.0.weight", ...norm("features.2.conv.1.1")],
    ...["features.2.conv.2.weight", ...norm("features.2.conv.3")],
    ...["features.18.0.weight", ...norm("features.18.1")],
    ...["classifier.1.weight", "classifier.1.bias"],
  ]);
  assert.equal(paths("mobilenet_v2", /./).length, 314 - 52, "but the counters of 52 batch norms");
  assert.equal(paths("resnet50", /./).length, 320 - 53, "but the counters of 53 batch norms");
});

Deno.test("families: published files have the paths, shapes and order of the nets", async () => {
  const folder = await testData("imagenet");
  if (folder === undefined) return;
  const files: readonly (readonly [ModelName, string])[] = [
    ["tf_mobilenet_v2", "mobilenet_v2_1.0_224.safetensors"],
    ["squeezenet1_0", "squeezenet1_0_deepcompression.safetensors"],
    ["squeezenet1_0_caffe", "squeezenet1_0_deepcompression.safetensors"],
  ];
  for (const [name, file] of files) {
    const { tensors } = parseSafetensors(await Deno.readFile(`${folder}/${file}`), file);
    assert.deepEqual(onDisk(create(name)), [...tensors].map(([path, t]) => [path, [...t.shape]]));
  }
});

Deno.test("families: names of the efficientnet-pytorch port become timm's", () => {
  for (const name of ["tf_efficientnet_lite0", "tf_efficientnet_lite3"] as const) {
    const model = create(name);
    assert(model instanceof EfficientNetLite);
    // The port's own list, written from its source: blocks in a row, the first without expansion.
    const blocks = model.blocks.flat().flatMap((block, n) =>
      [
        ...(block instanceof SeparableBlock ? [] : ["_expand_conv.weight", ...norm("_bn0")]),
        ...["_depthwise_conv.weight", ...norm("_bn1"), "_project_conv.weight", ...norm("_bn2")],
      ].map((path) => `_blocks.${n}.${path}`)
    );
    const port = [
      ...["_conv_stem.weight", ...norm("_bn0"), ...blocks],
      ...["_conv_head.weight", ...norm("_bn1"), "_fc.weight", "_fc.bias"],
    ];
    const rename = renameEfficientnetPytorch(model);
    assert.deepEqual(port.map(rename), [...parametersOf(model).keys()]);
    const others = [
      "_blocks",
      "_blocks.99._bn1.weight",
      "_blocks.0.toString",
      "blocks.0.0.bn1.bias",
    ];
    assert.deepEqual(others.map(rename), others);
    assert.equal(
      rename("_blocks.1._bn0.num_batches_tracked"),
      "blocks.1.0.bn1.num_batches_tracked",
    );
  }
});

Deno.test("families: blocks are dropped the more, the deeper they lie", () => {
  const model = create("tf_efficientnet_lite0");
  assert(model instanceof EfficientNetLite);
  const rates = model.blocks.flat().map((block) => block.dropPath.rate);
  assert.deepEqual(rates, rates.map((_, k) => 0.2 * k / 16));
  assert.equal(rates.length, 16);
});

Deno.test("families: SqueezeNet's padded head wants a square map, the plain one any", () => {
  const pass = new Pass({ train: false });
  const [plain, padded] = [create("squeezenet1_0"), create("squeezenet1_0_caffe")];
  assert(plain instanceof SqueezeNet && padded instanceof SqueezeNet);
  const x = tensor(new Float32Array(96 * 64 * 3), [1, 96, 64, 3]);
  assert.deepEqual(plain.head(plain.features(x, pass), pass).shape, [1, 1000]);
  assert.deepEqual(padded.forward(x, pass).shape, [1, 1000]);
  assert.throws(() => padded.head(padded.features(x, pass), pass), {
    name: "ShapeError",
    message: "Cannot classify by squeezenet1_0_caffe: its features are [1,7680], " +
      "a square map of 512 channels is wanted",
  });
});
