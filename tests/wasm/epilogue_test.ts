/**
 * Epilogues: a convolution with the maps behind it is one step, and gives the same bits as when every
 * map has a kernel of its own, whichever way the convolution goes.
 */
import assert from "node:assert/strict";
import { deviceOn } from "../../core/device.ts";
import type { Tensor } from "../../core/graph.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { Random } from "../../core/rng.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import { tensor } from "../../core/structure.ts";
import {
  add,
  batchNormInference,
  conv2d,
  type Conv2dOptions,
  maximum,
  relu,
  relu6,
} from "../../ops/mod.ts";
import { openWasm } from "../../wasm/backend.ts";
import { bitsOf } from "./kernels.ts";

const drawn = (shape: Shape, site: string, least = -1): Tensor => {
  const random = new Random(3, site);
  const span = 1 - least;
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, () => least + span * random.uniform()),
    shape,
  );
};

/** A convolution and the way it goes. */
interface Way {
  readonly name: string;
  readonly x: Shape;
  readonly w: Shape;
  readonly options?: Conv2dOptions;
}

const ways: readonly Way[] = [
  { name: "1x1", x: [2, 9, 7, 20], w: [1, 1, 20, 37] },
  { name: "packed, several blocks of k", x: [1, 12, 12, 700], w: [1, 1, 700, 530] },
  { name: "a stem", x: [1, 23, 23, 3], w: [7, 7, 3, 33], options: { stride: 2, padding: 3 } },
  { name: "pixels together", x: [2, 12, 12, 3], w: [3, 3, 3, 6], options: { padding: 1 } },
  { name: "groups", x: [2, 9, 9, 8], w: [3, 3, 4, 18], options: { groups: 2, padding: 1 } },
  { name: "depthwise", x: [2, 9, 90, 13], w: [3, 3, 1, 13], options: { groups: 13, padding: 1 } },
  { name: "single windows", x: [2, 9, 9, 13], w: [4, 4, 1, 13], options: { groups: 13 } },
  { name: "Winograd, by tiles", x: [2, 30, 31, 40], w: [3, 3, 40, 38], options: { padding: 1 } },
  { name: "Winograd, by filters", x: [2, 9, 7, 150], w: [3, 3, 150, 204], options: { padding: 1 } },
];

/** What follows: from the result and a shape of channels. */
const tails: Readonly<Record<string, (y: Tensor) => Tensor>> = {
  "relu": relu,
  "bias and relu6": (y) => relu6(add(y, drawn([y.shape[3]], "bias"))),
  "shortcut": (y) => add(drawn(y.shape, "shortcut"), y),
  "bias and shortcut": (y) => add(add(y, drawn([y.shape[3]], "bias")), drawn(y.shape, "shortcut")),
  "norm": (y) => norm(y),
  "norm, shortcut and relu": (y) => relu(add(norm(y), drawn(y.shape, "shortcut"))),
  "norm and a lower bound": (y) => maximum(norm(y), -0.25),
};

function norm(y: Tensor): Tensor {
  const vector = (site: string, least?: number) => drawn([y.shape[3]], site, least);
  return batchNormInference(y, vector("γ"), vector("β"), vector("mean"), vector("var", 0.5));
}

for (const { name, x, w, options } of ways) {
  Deno.test(`epilogue: the same bits as apart (${name})`, async () => {
    using device = deviceOn(openWasm({ threads: 1 }));
    for (const [what, tail] of Object.entries(tails)) {
      const outputs = [tail(conv2d(drawn(x, "x"), drawn(w, "w"), options))];
      using fused = await device.compile({ outputs });
      using apart = await device.compile({ outputs }, { fuse: false });
      assert.equal(partsOf(fused).schedule.steps.filter((s) => s.kind === "macro").length, 1);
      const kernels = fused.kernels.filter((k) => !/rsqrt/.test(k));
      assert.equal(kernels.length, 1, `${what}: ${kernels}`);
      fused.run();
      apart.run();
      const [a, b] = await Promise.all([fused, apart].map((plan) => plan.read(outputs[0])));
      assert.deepEqual(bitsOf(a as Float32Array), bitsOf(b as Float32Array), what);
    }
  });
}

Deno.test("epilogue: NaN and infinities go through it as through the maps", async () => {
  using device = deviceOn(openWasm({ threads: 1 }));
  const special = [NaN, Infinity, -Infinity, -0, 0, 3.4e38, -3.4e38, 1];
  const x = tensor(Float32Array.from(special), [1, 2, 4, 1]);
  const w = tensor(Float32Array.of(1, -1, 2, 0.5, 1), [1, 1, 1, 5]);
  for (const [what, tail] of Object.entries(tails)) {
    const outputs = [tail(conv2d(x, w))];
    const [a, b] = await Promise.all([
      device.read(outputs[0]),
      device.read(outputs[0], { fuse: false }),
    ]);
    assert.deepEqual(a, b, what);
  }
});
