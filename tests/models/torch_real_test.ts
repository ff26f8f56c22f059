/** Real checkpoints, byte for byte as Python reads them; see tests/fixtures/torch/checksums.py. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readStateDict, type StateDict } from "../../models/checkpoint/state_dict.ts";
import { sizeBytes } from "../../models/checkpoint/stored_tensor.ts";
import { testData } from "../data/support.ts";

interface Real {
  readonly folder: string;
  readonly name: string;
  readonly format: StateDict["format"];
  readonly unwrapped: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: number;
  /** Elements that training moves. */
  readonly trained: number;
  readonly sha256: string;
  /** Shapes of some tensors. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

const files: readonly Real[] = [
  {
    ...{ folder: "resnet20-cifar10", name: "resnet20-12fca82f.th", format: "PyTorch legacy" },
    unwrapped: ["state_dict", "module."],
    metadata: { best_prec1: "91.78000183105469" },
    ...{ tensors: 97, trained: 269_722 },
    sha256: "596d85f80e1ba6740700edc161a2ef5257c36dffae0d7527130b9f6899373ffc",
    shapes: { "conv1.weight": [16, 3, 3, 3], "linear.weight": [10, 64], "bn1.running_var": [16] },
  },
  {
    folder: "imagenet/efficientnet-lite0",
    ...{ name: "efficientnet-lite0-57934424.pth", format: "PyTorch legacy" },
    ...{ unwrapped: [], metadata: {}, tensors: 296, trained: 4_652_008 },
    sha256: "aadc066dff9fdee469a552eb5cbf2e84fff65eba8aeb03f2a4e2977246b791e1",
    shapes: { "_conv_stem.weight": [32, 3, 3, 3], "_bn0.num_batches_tracked": [] },
  },
  {
    ...{ folder: "mnist-checkpoint", name: "mnist.pt", format: "PyTorch zip" },
    ...{ unwrapped: [], metadata: {}, tensors: 20, trained: 376_870 },
    sha256: "b02d71b3923928a346251eeac8dcbcc4c3cbb74b23adf655436feb801f13c27a",
    shapes: { "conv1.weight": [8, 1, 3, 3], "fc1.weight": [32, 11616] },
  },
];

for (const file of files) {
  const folder = await testData(file.folder);
  Deno.test(`real checkpoint: ${file.name}`, { ignore: folder === undefined }, async () => {
    const bytes = await Deno.readFile(`${folder}/${file.name}`);
    const { format, unwrapped, metadata, ignored, tensors } = readStateDict(bytes, file.name);
    assert.deepEqual(
      { format, unwrapped, metadata, ignored },
      {
        ...{ format: file.format, unwrapped: file.unwrapped, metadata: file.metadata, ignored: [] },
      },
    );
    assert.equal(tensors.size, file.tensors);
    for (const [name, shape] of Object.entries(file.shapes)) {
      assert.deepEqual(tensors.get(name)?.shape, shape, name);
    }
    const digest = createHash("sha256");
    let trained = 0;
    for (const [name, tensor] of tensors) {
      const { bytes } = tensor;
      assert.equal(bytes.length, sizeBytes(tensor), name);
      digest.update(`${name} [${tensor.shape}]\n`).update(bytes);
      if (tensor.dtype === "F32" && !name.includes("running")) trained += bytes.length / 4;
    }
    assert.equal(trained, file.trained);
    assert.equal(digest.digest("hex"), file.sha256);
  });
}
