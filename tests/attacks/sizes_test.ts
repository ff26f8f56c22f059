/**
 * Sizes at and beyond what 32 bits can count, and wrong uses of plans: one clear error, at once,
 * nothing allocated, and a device that works afterwards.
 */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { backendOf, type Device, type Elements } from "../../core/device.ts";
import { DeviceError, ShapeError, UsageError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { full, input, tensor } from "../../core/structure.ts";
import { openDevice } from "../../open_device.ts";
import { conv2d, type Conv2dOptions, convTranspose2d } from "../../ops/conv2d.ts";
import { add, mul } from "../../ops/pointwise.ts";
import { avgPool2d, maxPool2d } from "../../ops/pool.ts";
import { tensorModule } from "../../wasm/tensor.ts";
import { assertRejects, assertThrows } from "../core/support.ts";
import { openTestDevices } from "../laws/devices.ts";
import { drawing } from "../laws/drawing.ts";

const { seed, isSlow } = drawing();
const devices = await openTestDevices();

/** Ones as a constant. */
const ones = (...shape: number[]): Tensor =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape);

/** Runs something that must end at once, with the memory of before and a working device. */
async function attack(device: Device, run: () => unknown): Promise<void> {
  const held = () => [device.liveBytes, tensorModule().liveBytes, tensorModule().workspaceBytes];
  const before = held(), start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  assert(seconds < 5, `it took ${seconds.toFixed(1)} s`);
  assert.deepEqual(held(), before);
  assert.deepEqual([...await device.read(mul(tensor([1, 2]), 2))], [2, 4]);
}

const [cpu] = devices.all;

/** Convolutions of small images whose padded image is from 2 GB to 200 TB, by any way there is. */
const framed: readonly (readonly [name: string, make: () => Tensor])[] = [
  ["2^31 bytes", () => padded([1, 1, 1, 32], [2, 1, 32, 1], { padding: 2 ** 12 - 1 })],
  ["2^32 bytes", () => padded([1, 1, 1, 16], [2, 1, 16, 1], { padding: 2 ** 13 - 1 })],
  ["2^32 elements", () => padded([1, 1, 1, 1], [2, 1, 1, 3], { padding: 2 ** 15 - 1 })],
  ["2^34 elements", () => padded([1, 1, 1, 4], [2, 2, 4, 3], { padding: 2 ** 15 })],
  ["several images", () => padded([3, 2, 2, 33], [2, 3, 33, 1], { padding: 20_000 })],
  ["a dilated window", () => padded([1, 9, 9, 64], [2, 2, 64, 8], { dilation: 1e6, padding: 1e6 })],
  ["groups", () => padded([1, 2, 2, 8], [2, 2, 4, 2], { padding: 30_000, groups: 2 })],
];

/** Strides as large as the padding keep the result small. */
const padded = (x: number[], w: number[], options: Conv2dOptions): Tensor =>
  conv2d(ones(...x), ones(...w), { stride: options.padding as number, ...options });

for (const [name, make] of framed) {
  Deno.test(`attacks: a padded image of ${name} is refused with its size and the limit`, async () => {
    await attack(cpu, () =>
      assertRejects(
        cpu.compile({ outputs: [make()] }),
        DeviceError,
        /^Cannot build conv2d: it needs \d{4,}\.\d MB of scratch .* 2147\.5 MB are the limit, .* wanted$/,
      ));
  });
}

Deno.test("attacks: a refused plan leaves the others their scratch", async () => {
  const x = input([1, 20, 20, 3], "x"), w = ones(5, 5, 3, 6);
  using plan = await cpu.compile({ outputs: [conv2d(x, w, { padding: 40 })] });
  const data = Float32Array.from({ length: 1200 }, (_, k) => k % 7),
    run = async () => {
      plan.run([[x, data]]);
      return await plan.read(plan.outputs[0]);
    };
  const before = await run();
  await attack(
    cpu,
    () => assertRejects(cpu.compile({ outputs: [framed[0][1]()] }), DeviceError, /./),
  );
  assert.deepEqual(await run(), before);
});

const edges = [2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];

Deno.test("attacks: axes longer than 2^30 are refused where the operation is applied", () => {
  const x = ones(1, 3, 3, 2), w = ones(2, 2, 2, 2), wanted = /are too long, at most 1073741824 /;
  for (const edge of edges) {
    for (const padding of [[edge, 0, 0, 0], [0, 0, 0, edge], [0, edge, 0, edge]] as const) {
      const stride = edge; // few windows, so that their number is not what is refused
      assertThrows(() => conv2d(x, w, { padding, stride }), ShapeError, wanted);
      assertThrows(() => avgPool2d(x, { size: 2, padding, stride }), ShapeError, wanted);
      assertThrows(() => maxPool2d(x, { size: 2, padding, stride }), ShapeError, wanted);
    }
    // In ceil mode a window may hang over the image by any length.
    const hanging = { stride: edge, ceilMode: true };
    const tall = { ...hanging, size: [Math.min(edge + 1, 2 ** 53 - 1), 1] } as const;
    assertThrows(() => avgPool2d(x, tall), ShapeError, wanted);
    assertThrows(() => maxPool2d(x, { ...hanging, size: 2, dilation: edge }), ShapeError, wanted);
    const spread = { dilation: edge, padding: "same" } as const;
    assertThrows(() => conv2d(x, w, spread), ShapeError, wanted);
    assertThrows(() => conv2d(x, w, { dilation: edge }), ShapeError, /do not hold a window/);
    const outputSize = [edge + 1, 2] as const, stride = edge;
    assertThrows(
      () => convTranspose2d(ones(1, 2, 1, 2), w, { outputSize, stride }),
      ShapeError,
      /^Cannot convTranspose2d: /,
    );
  }
});

Deno.test("attacks: more windows than memory are refused before any list of them", () => {
  const x = ones(1, 2, 2, 1), wanted = /hold 1x\d+x\d+ windows, at most 1073741824 are wanted$/;
  const start = performance.now();
  for (const padding of [2 ** 14 + 1, 1e6, 2 ** 29 - 1]) {
    assertThrows(() => conv2d(x, ones(1, 1, 1, 1), { padding }), ShapeError, wanted);
    assertThrows(() => avgPool2d(x, { size: 1, stride: 1, padding }), ShapeError, wanted);
    assertThrows(() => maxPool2d(x, { size: 1, stride: 1, padding }), ShapeError, wanted);
  }
  const first = { size: 2, stride: 1, padding: [2 ** 29, 0, 2 ** 29 - 2, 0] } as const;
  assertThrows(() => maxPool2d(x, first), ShapeError, /window 0 along axis 1 .* sees padding only/);
  assert(performance.now() - start < 1000);
});

devices.test("attacks: results of 2 GiB and more are refused", async (device) => {
  const x = ones(1, 1, 1, 1);
  for (const padding of [11_585, 16_383]) {
    const y = conv2d(x, ones(1, 1, 1, 1), { padding });
    if (y.shape[1] ** 2 * 4 <= backendOf(device).maxBufferBytes) continue;
    await attack(device, () =>
      assertRejects(
        device.compile({ outputs: [y] }),
        DeviceError,
        /^Cannot compile: conv2d needs \d{4}\.\d MB in one buffer, .* allows \d+\.\d MB; .* is wanted$/,
      ));
  }
});

devices.test("attacks: strides and dilations that move nothing may be of any size", async (device) => {
  const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]), w = tensor([10], [1, 1, 1, 1]);
  for (const stride of edges) {
    assert.deepEqual([...await device.read(conv2d(x, w, { stride, dilation: stride }))], [10]);
    const options = { size: 1, stride, dilation: stride };
    assert.deepEqual([...await device.read(maxPool2d(x, options))], [1]);
    if (device.kind === "webgpu") break; // each one compiles kernels
  }
});

Deno.test("attacks: the mean of a window far larger than its image", async () => {
  const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]), size = 2 ** 17;
  // With 2^34 places of padding, which 32 bits would count as none.
  const mean = await cpu.read(avgPool2d(x, { size, padding: size / 2 }));
  assert.deepEqual([...mean], [10 / 2 ** 34]);
  const inside = await cpu.read(avgPool2d(x, { size, padding: size / 2, countPadding: false }));
  assert.deepEqual([...inside], [2.5]);
});

const pairOf = (...values: number[]): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values));

/** A kernel's geometry at the edges of 32 bits, over tensors that memory could just hold. */
const edgeGeometries = fc.record({
  kernel: fc.constantFrom("conv2d", "conv2d_input_grad", "conv2d_weight_grad"),
  n: fc.constantFrom(1, 3, 2 ** 20),
  sizes: pairOf(1, 2, 2 ** 14, 2 ** 29),
  taps: pairOf(1, 3, 2 ** 10, 2 ** 28),
  channels: pairOf(1, 6, 64, 2 ** 20),
  groups: fc.constantFrom(1, 2, "depthwise"),
  strides: pairOf(1, 2, 2 ** 15, 2 ** 30),
  dilations: pairOf(1, 2, 2 ** 15, 2 ** 30),
  pads: pairOf(0, 1, 2 ** 15, 2 ** 29),
}).map(
  ({ kernel, n, sizes: [h, w], taps: [kh, kw], channels, groups, strides, dilations, pads }) => {
    const g = typeof groups === "string" ? channels[0] : groups, [cin, factor] = channels;
    const cout = groups === "depthwise" ? cin * factor : factor,
      [sh, sw] = strides,
      [pt, pl] = pads;
    const along = (size: number, k: number, s: number, d: number, p: number) =>
      Math.floor((size + 2 * p - d * (k - 1) - 1) / s) + 1;
    const dh = kh === 1 ? 1 : dilations[0], dw = kw === 1 ? 1 : dilations[1];
    const [oh, ow] = [along(h, kh, sh, dh, pt), along(w, kw, sw, dw, pl)];
    const ints = [n, h, w, cin, kh, kw, cout, oh, ow, sh, sw, dh, dw, pt, pl, g];
    const tensors = [n * h * w * cin, kh * kw * cin / g * cout, n * oh * ow * cout];
    const fits = cin % g === 0 && cout % g === 0 && oh >= 1 && ow >= 1 &&
      h + 2 * pt <= 2 ** 30 && w + 2 * pl <= 2 ** 30 && sh <= h + 2 * pt && sw <= w + 2 * pl &&
      tensors.every((size) => size < 2 ** 29);
    return { kernel, ints, fits };
  },
).filter(({ fits }) => fits);

Deno.test("attacks: scratch at the edges of 32 bits is reckoned without a trap", () => {
  const module = tensorModule(), address = module.allocate(64, "geometry");
  let refused = 0;
  fc.assert(
    fc.property(edgeGeometries, ({ kernel, ints }) => {
      new Int32Array(module.memory.buffer, address, 16).set(ints);
      try {
        module.reserve(kernel, [0, 0, 0, address], kernel);
      } catch (error) {
        assert(error instanceof DeviceError, `${error}`);
        assert.match(error.message, /^Cannot build .* MB of scratch memory in one piece/);
        refused++;
      }
    }),
    { numRuns: isSlow ? 5000 : 500, seed },
  );
  assert.equal(module.fault, undefined);
  assert(refused > 10, `${refused} were refused`);
  module.free(address, 64);
});

Deno.test("attacks: a product's packed operand of 2^34 bytes is refused", () => {
  const module = tensorModule(), address = module.allocate(32, "geometry");
  // One column of B takes the room of four: 2^29 steps of k.
  const k = 2 ** 29 - 64, ints = [1, 1, 1, k, 1, 1, k, k];
  new Int32Array(module.memory.buffer, address, 8).set(ints);
  assertThrows(
    () => module.reserve("matmul", [0, 0, 0, address], "matmul"),
    DeviceError,
    /^Cannot build matmul: it needs 86\d\d\.\d MB of scratch/,
  );
  module.free(address, 32);
});

Deno.test("attacks: threads are a whole number from 1 to 64", async () => {
  const wrong = [0, -1, 1e9, 65, NaN, 1.5, Infinity, 2 ** 32 + 1, "4", null];
  for (const threads of wrong) {
    await assertRejects(
      openDevice("wasm", { threads: threads as number }),
      UsageError,
      `Cannot open the CPU backend: threads is ${threads}, a whole number from 1 to 64 is wanted`,
    );
  }
  for (const threads of [undefined, 1, 64]) {
    using device = await openDevice("wasm", { threads });
    assert.deepEqual([...await device.read(add(tensor([1]), 1))], [2]);
  }
});

devices.test("attacks: elements of a wrong class or number are refused", async (device) => {
  const x = input([4], "x"), i = input([4], "i", "u32");
  using plan = await device.compile({ outputs: [mul(x, 2), i] });
  const right = [[x, new Float32Array(4).fill(3)], [i, new Uint32Array(4).fill(5)]] as const;
  plan.run(right);
  const wrong: readonly (readonly [Tensor, unknown])[] = [
    [i, new Float32Array(4)],
    [i, new Int32Array(4)],
    [i, new Uint8Array(4)],
    [i, new Uint8Array(16)],
    [i, new BigUint64Array(2)],
    [i, [1, 2, 3, 4]],
    [i, new ArrayBuffer(16)],
    [i, undefined],
    [x, new Float64Array(4)],
    [x, new Float64Array(2)],
    [x, new Float32Array(3)],
    [x, new Float32Array(5)],
    [x, new Float32Array(0)],
    [x, new DataView(new ArrayBuffer(16))],
  ];
  for (const [t, data] of wrong) {
    assertThrows(
      () => plan.run([[t, data as Elements]]),
      ShapeError,
      /^Cannot run: the input [xi] was given (\d+|no) elements of \w+, \[4\] of (f32 in a Float32Array|u32 in a Uint32Array) is wanted$/,
    );
  }
  plan.run();
  assert.deepEqual([...await plan.read(plan.outputs[0])], [6, 6, 6, 6]);
  assert.deepEqual([...await plan.read(i)], [5, 5, 5, 5]);
});

devices.test("attacks: a plan that never ran, or was disposed, is not read", async (device) => {
  const x = input([2], "x"), y = mul(x, full(2));
  const plan = await device.compile({ outputs: [y] }, { debug: true });
  const never = "the plan never ran, a run before is wanted";
  await assertRejects(plan.read(y), UsageError, `Cannot read: ${never}`);
  await assertRejects(plan.firstNaN(), UsageError, `Cannot look for NaN: ${never}`);
  assertThrows(() => plan.run(), ShapeError, "Cannot run: the input x was not given");
  await assertRejects(plan.read(y), UsageError, `Cannot read: ${never}`);
  plan.run([[x, Float32Array.of(1, 2)]]);
  assert.deepEqual([...await plan.read(y)], [2, 4]);
  plan[Symbol.dispose]();
  await assertRejects(plan.read(y), DeviceError, "Cannot read: the plan was closed");
  assertThrows(() => plan.run(), DeviceError, "Cannot run: the plan was closed");
});
