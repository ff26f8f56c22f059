import assert from "node:assert/strict";
import { DeviceError } from "../../core/errors.ts";
import { input, tensor } from "../../core/structure.ts";
import { adapterName, isSoftware } from "../../gpu/adapter.ts";
import { openGpu } from "../../gpu/backend.ts";
import { add, gpuTest, numbers } from "./support.ts";

/** What an adapter says of itself, with nothing said by default. */
const info = (said: Partial<GPUAdapterInfo>): GPUAdapterInfo => ({
  vendor: "",
  architecture: "",
  device: "",
  description: "",
  subgroupMinSize: 4,
  subgroupMaxSize: 64,
  isFallbackAdapter: false,
  ...said,
});

Deno.test("gpu: an adapter is named by whatever it tells", () => {
  assert.equal(adapterName(info({ description: "Radeon X", vendor: "amd" })), "Radeon X");
  assert.equal(adapterName(info({ vendor: "apple", architecture: "metal-3" })), "apple metal-3");
  assert.match(adapterName(info({})), /without a name/);
});

Deno.test("gpu: software adapters are known by flag or by name", () => {
  assert(isSoftware(info({ description: "llvmpipe (LLVM 19.1.7, 256 bits)" })));
  assert(isSoftware(info({ vendor: "google", architecture: "swiftshader" })));
  assert(isSoftware(info({ description: "anything", isFallbackAdapter: true })));
  assert(!isSoftware(info({ vendor: "nvidia", architecture: "ampere" })));
});

gpuTest("limits are those that a browser promises, and sizes that can be bound", (_, backend) => {
  assert.equal(backend.kind, "webgpu");
  assert.equal(backend.maxBuffers, 8);
  assert(backend.name.length > 0);
  assert(backend.maxBufferBytes >= 128 << 20);
  assert.equal(backend.maxBufferBytes % 256, 0);
});

gpuTest(
  "memory starts as zeros, keeps what is written where, and reads overlap",
  async (_, gpu) => {
    const memory = gpu.allocate(40, "forty bytes");
    gpu.write(memory, 8, new Float32Array([9, 9, 1.5, -2, 3]).subarray(2, 5));
    gpu.write(memory, 32, new Uint32Array([0xffffffff, 7]));
    const whole = gpu.read(memory, 0, 40), part = gpu.read(memory, 12, 4);
    gpu.write(memory, 0, new Int32Array([-1])); // asked for after both reads
    const words = new Uint32Array(await whole), floats = new Float32Array(words.buffer);
    assert.deepEqual([...floats.subarray(0, 8)], [0, 0, 1.5, -2, 3, 0, 0, 0]);
    assert.deepEqual([...words.subarray(8)], [0xffffffff, 7]);
    assert.deepEqual([...new Float32Array(await part)], [-2]);
    assert.deepEqual([...new Int32Array(await gpu.read(memory, 0, 4))], [-1]);
    gpu.free(memory);
  },
);

gpuTest("many reads of many sizes at once return each its own bytes", async (_, gpu) => {
  const count = 200_000, memory = gpu.allocate(count * 4, "counting");
  gpu.write(memory, 0, new Uint32Array(count).map((_, i) => i));
  for (const sizes of [[1, 64, 65, 1000, 99_000, 1, 2, 3], [1, 1000, 64]]) {
    const reads = sizes.map((n) => gpu.read(memory, 4 * n, 4 * n));
    for (const [k, bytes] of (await Promise.all(reads)).entries()) {
      const words = new Uint32Array(bytes), n = sizes[k];
      assert.equal(words.length, n);
      assert(words.every((w, i) => w === n + i));
    }
  }
  gpu.free(memory);
});

gpuTest("live bytes count what lives", (_, gpu) => {
  assert.equal(gpu.liveBytes, 0);
  const one = gpu.allocate(4, "one"), two = gpu.allocate(1000, "two");
  assert.equal(one.bytes, 4);
  assert.equal(gpu.liveBytes, 16 + 1008);
  gpu.free(one);
  gpu.free(one);
  assert.equal(gpu.liveBytes, 1008);
  gpu.free(two);
  assert.equal(gpu.liveBytes, 0);
});

gpuTest("too large a buffer is refused with both numbers", (_, gpu) => {
  const asked = gpu.maxBufferBytes + 256;
  assert.throws(() => gpu.allocate(asked, "conv1"), (error: Error) => {
    assert(error instanceof DeviceError);
    assert.match(error.message, new RegExp(`conv1: ${asked} bytes .* ${gpu.maxBufferBytes};`));
    return true;
  });
  assert.equal(gpu.liveBytes, 0);
});

gpuTest(
  "memory of another device, freed memory and a range too long are refused",
  async (_, gpu) => {
    const other = (await openGpu())!;
    const foreign = other.allocate(16, "foreign"), own = gpu.allocate(16, "mine");
    assert.throws(() => gpu.write(foreign, 0, new Float32Array(4)), DeviceError);
    assert.throws(() => gpu.write(own, 8, new Float32Array(4)), /bytes 8 to 24: mine has 16/);
    await assert.rejects(gpu.read(own, 0, 20), DeviceError);
    gpu.free(own);
    await assert.rejects(gpu.read(own, 0, 4), /mine was freed/);
    other.close();
  },
);

gpuTest("an error that WebGPU reports late is raised once, at the next call", async (_, gpu) => {
  const memory = gpu.allocate(16, "sixteen bytes"), { device } = gpu;
  device.createBuffer({ size: 2 ** 45, usage: GPUBufferUsage.STORAGE });
  await assert.rejects(gpu.read(memory, 0, 16), (error: Error) => {
    assert(error instanceof DeviceError);
    assert.match(error.message, /^Cannot read: .* reported an error: .*35184372088832/);
    return true;
  });
  assert.equal((await gpu.read(memory, 0, 16)).byteLength, 16);
  gpu.free(memory);
});

gpuTest("a lost device is named at the next run, read and compile", async (device, gpu) => {
  const x = input([4], "x"), y = add(x, x);
  using plan = await device.compile({ outputs: [y] });
  plan.run([[x, new Float32Array(4)]]);
  const underway = plan.read(y);
  gpu.device.destroy();
  await assert.rejects(underway, (e: Error) => e instanceof DeviceError && /lost/.test(e.message));
  const isLost = { name: "DeviceError", message: /was lost \(destroyed.*newly opened/ };
  assert.throws(() => plan.run(), isLost);
  await assert.rejects(plan.read(y), isLost);
  await assert.rejects(device.compile({ outputs: [add(x, tensor([1]))] }), isLost);
});

gpuTest("a closed device says so, and closing frees everything", async (device, gpu) => {
  const x = input([4], "x"), y = add(x, tensor([1]));
  const plan = await device.compile({ outputs: [y] });
  plan.run([[x, new Float32Array([1, 2, 3, 4])]]);
  assert.deepEqual(numbers(await plan.read(y)), [2, 3, 4, 5]);
  gpu.close();
  assert.equal(gpu.liveBytes, 0);
  assert.throws(() => plan.run(), { name: "DeviceError", message: /the device was closed/ });
  await assert.rejects(plan.read(y), { name: "DeviceError", message: /the device was closed/ });
  plan[Symbol.dispose]();
});
