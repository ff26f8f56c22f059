/** Transposed convolutions, padding "same", layers in a row, and norms without a batch. */
import assert from "node:assert/strict";
import type { Device } from "../../core/device.ts";
import { Random } from "../../core/rng.ts";
import { sizeOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { tensor } from "../../core/structure.ts";
import {
  AdaptiveAvgPool2d,
  AdaptiveMaxPool2d,
  AvgPool2d,
  Conv2d,
  ConvTranspose2d,
  Flatten,
  GroupNorm,
  type Layer,
  LayerNorm,
  Linear,
  MaxPool2d,
  ReLU,
  ReLU6,
  Sequential,
} from "../../models/layers.ts";
import { diskShape, toDisk } from "../../models/layout.ts";
import { asParameter, parametersOf } from "../../models/parameter.ts";
import { Pass } from "../../models/pass.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const close = { rtol: 1e-5, atol: 1e-5 };
const evaluation = new Pass({ train: false });

function numbers(count: number, site: string): Float32Array<ArrayBuffer> {
  const random = new Random(1, site);
  return Float32Array.from({ length: count }, () => 4 * random.uniform() - 2);
}

/** What a layer of random parameters makes of x, its shape, and its parameters as on disk. */
async function run(device: Device, layer: Layer, x: Float32Array<ArrayBuffer>, shape: number[]) {
  const parameters = parametersOf(layer), disk = new Map<string, Float32Array>();
  using store = new Store(device, [...parameters.values()]);
  for (const [path, t] of parameters) {
    const drawn = numbers(sizeOf(t.shape), path);
    store.write(t, drawn);
    disk.set(path, toDisk(drawn, t.shape, asParameter(t)!.layout));
  }
  const y = layer.forward(tensor(x, shape), evaluation);
  return { y: await device.read(y, { stores: [store] }), shape: y.shape, disk };
}

/** PyTorch's formula over its own order: x and y channels first, w `[cin,cout/groups,kh,kw]`. */
function transposed(
  x: (c: number, i: number, j: number) => number,
  [cin, h, w]: readonly number[],
  weight: Float32Array,
  [cout, kh, kw]: readonly number[],
  o: { stride: number; padding: number; dilation: number; groups: number; outputPadding: number },
) {
  const size = (n: number, k: number) =>
    (n - 1) * o.stride - 2 * o.padding + o.dilation * (k - 1) + o.outputPadding + 1;
  const [oh, ow, each] = [size(h, kh), size(w, kw), cout / o.groups];
  const y = new Float64Array(oh * ow * cout);
  for (let at = 0; at < cin * h * w * each * kh * kw; at++) {
    const v = at % kw, u = Math.floor(at / kw) % kh, k = Math.floor(at / kw / kh) % each;
    const rest = Math.floor(at / kw / kh / each), j = rest % w, i = Math.floor(rest / w) % h;
    const c = Math.floor(rest / w / h), channel = Math.floor(c / (cin / o.groups)) * each + k;
    const row = i * o.stride - o.padding + u * o.dilation;
    const column = j * o.stride - o.padding + v * o.dilation;
    if (row < 0 || column < 0 || row >= oh || column >= ow) continue;
    const filter = weight[((c * each + k) * kh + u) * kw + v];
    y[(row * ow + column) * cout + channel] += x(c, i, j) * filter;
  }
  return { y, shape: [1, oh, ow, cout] };
}

devices.test("ConvTranspose2d: by PyTorch's formula, from PyTorch's order on disk", async (device) => {
  const plain = { stride: 1, padding: 0, dilation: 1, groups: 1, outputPadding: 0 };
  const settings = [
    plain,
    { ...plain, stride: 2, padding: 1, outputPadding: 1 },
    { ...plain, stride: 3, padding: 1, dilation: 2, outputPadding: 2, groups: 2 },
    { ...plain, stride: 2, groups: 2 },
  ];
  const [h, w, cin, cout] = [4, 3, 4, 6], x = numbers(h * w * cin, "x");
  for (const [k, s] of settings.entries()) {
    const bias = k % 2 === 0, layer = new ConvTranspose2d(cin, cout, [3, 2], { ...s, bias });
    const weight = asParameter(layer.weight)!;
    assert.deepEqual(diskShape(layer.weight.shape, weight.layout), [cin, cout / s.groups, 3, 2]);
    const { y, shape, disk } = await run(device, layer, x, [1, h, w, cin]);
    const wanted = transposed(
      (c, i, j) => x[(i * w + j) * cin + c],
      [cin, h, w],
      disk.get("weight")!,
      [cout, 3, 2],
      s,
    );
    assert.deepEqual(shape, wanted.shape);
    const added = disk.get("bias") ?? new Float32Array(cout);
    assertClose(y, wanted.y.map((v, at) => v + added[at % cout]), close);
  }
});

Deno.test("ConvTranspose2d: an outputPadding from the stride on is refused", () => {
  assert.throws(() => new ConvTranspose2d(2, 2, 3, { stride: 2, outputPadding: 2 }), {
    name: "ShapeError",
    message: "Cannot make a ConvTranspose2d: outputPadding is [2,2], from 0 to below the stride " +
      "[2,2] is wanted",
  });
});

devices.test('Conv2d: padding "same" is TensorFlow\'s for every size and stride', async (device) => {
  for (const [size, kernel, stride] of [[6, 3, 2], [7, 3, 2], [5, 5, 2], [5, 2, 1], [4, 1, 3]]) {
    const layer = new Conv2d(1, 1, kernel, { stride, padding: "same", bias: false });
    const x = numbers(size * size, "x");
    const { y, shape, disk } = await run(device, layer, x, [1, size, size, 1]);
    const out = Math.ceil(size / stride);
    assert.deepEqual(shape, [1, out, out, 1]);
    // As TensorFlow's guide has it: the odd one of the padding comes after.
    const padding = Math.max(
      size % stride === 0 ? kernel - stride : kernel - size % stride,
      0,
    );
    const before = Math.floor(padding / 2), w = disk.get("weight")!;
    const at = (i: number, j: number): number =>
      i < 0 || j < 0 || i >= size || j >= size ? 0 : x[i * size + j];
    const expected = Array.from({ length: out * out }, (_, k) => {
      const top = Math.floor(k / out) * stride - before, left = k % out * stride - before;
      return w.reduce((s, f, q) => s + f * at(top + Math.floor(q / kernel), left + q % kernel), 0);
    });
    assertClose(y, expected, { ...close, what: `${size} by ${kernel}, stride ${stride}` });
  }
});

devices.test("GroupNorm and LayerNorm: weight, bias and eps are used", async (device) => {
  const x = numbers(2 * 3 * 4, "x");
  for (
    const [layer, each] of [[new GroupNorm(2, 4, { eps: 0.5 }), 2], [
      new LayerNorm(4, { eps: 0.5 }),
      4,
    ]] as const
  ) {
    const { y, disk } = await run(device, layer, x, [2, 1, 3, 4]);
    const members = (k: number): number[] =>
      [...x.keys()].filter((m) =>
        each === 4
          ? Math.floor(m / 4) === Math.floor(k / 4)
          : Math.floor(m / 12) === Math.floor(k / 12) && (m % 4 < 2) === (k % 4 < 2)
      );
    const expected = x.map((v, k) => {
      const seen = members(k).map((m) => x[m]), n = seen.length;
      const mean = seen.reduce((a, b) => a + b) / n;
      const variance = seen.reduce((sum, u) => sum + (u - mean) ** 2, 0) / n;
      const normal = (v - mean) / Math.sqrt(variance + 0.5);
      return normal * disk.get("weight")![k % 4] + disk.get("bias")![k % 4];
    });
    assertClose(y, expected, close);
  }
});

Deno.test("Sequential: paths are numbers, layers without parameters count", () => {
  const layers = new Sequential(
    new Conv2d(3, 4, 3),
    new ReLU6(),
    new MaxPool2d({ size: 2 }),
    new Sequential(new Conv2d(4, 5, 1, { bias: false }), new GroupNorm(1, 5)),
    new ReLU(),
    new AdaptiveAvgPool2d([2, 1]),
    new Flatten(),
    new Linear(10, 2, { flattened: [2, 1, 5] }),
  );
  assert.deepEqual([...parametersOf({ features: layers }).keys()], [
    ...["features.0.weight", "features.0.bias", "features.3.0.weight", "features.3.1.weight"],
    ...["features.3.1.bias", "features.7.weight", "features.7.bias"],
  ]);
  const y = layers.forward(tensor(numbers(2 * 81 * 3, "x"), [2, 9, 9, 3]), evaluation);
  assert.deepEqual(y.shape, [2, 2]);
});

devices.test("pooling layers keep their options", async (device) => {
  const x = numbers(2 * 25 * 3, "x"), shape = [2, 5, 5, 3];
  const wanted: [Layer, number[]][] = [
    [new MaxPool2d({ size: 2, ceilMode: true }), [2, 3, 3, 3]],
    [new AvgPool2d({ size: 3, stride: 1, padding: 1 }), [2, 5, 5, 3]],
    [new AdaptiveAvgPool2d(1), [2, 1, 1, 3]],
    [new AdaptiveMaxPool2d([5, 1]), [2, 5, 1, 3]],
  ];
  for (const [layer, expected] of wanted) {
    assert.deepEqual((await run(device, layer, x, shape)).shape, expected);
  }
  const { y } = await run(device, new AdaptiveAvgPool2d(1), x, shape);
  const means = [0, 1, 2, 3, 4, 5].map((k) =>
    x.reduce(
      (sum, v, at) => at % 3 === k % 3 && Math.floor(at / 75) === Math.floor(k / 3) ? sum + v : sum,
      0,
    ) / 25
  );
  assertClose(y, means, close);
});
