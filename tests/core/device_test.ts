/** Devices and plans: what may be fed, read and disposed, and in which order. */
import assert from "node:assert/strict";
import { DeviceError, ShapeError, UsageError } from "../../core/errors.ts";
import { backendOf } from "../../core/device.ts";
import { viewAs } from "../../core/elements.ts";
import { Store } from "../../core/store.ts";
import { full, input, tensor, variable } from "../../core/structure.ts";
import { add, expand, log, mul, sub, toFloat } from "../../ops/mod.ts";
import { assertRejects, assertThrows, fakeDevice, reverse, runPlan } from "./support.ts";

const x = input([3], "image"), y = add(x, 1);
const three = new Float32Array(3);

Deno.test("a device is what its backend is", () => {
  const { device, fake } = fakeDevice();
  assert.deepEqual([device.kind, device.name, device.liveBytes], ["wasm", "a fake", 0]);
  assert.equal(backendOf(device), fake);
});

Deno.test("feeds are checked before anything runs", async () => {
  const { device } = fakeDevice();
  const labels = input([2], "labels", "u32");
  using plan = await device.compile({ outputs: [y, toFloat(labels)] });
  assert.deepEqual(plan.inputs, [x, labels]);
  const given = [x, three] as const, twoLabels = [labels, new Uint32Array(2)] as const;
  const refuse = (feeds: Parameters<typeof plan.run>[0], message: string): void =>
    assertThrows(() => plan.run(feeds), ShapeError, message);
  refuse([], "Cannot run: the input image was not given");
  refuse([given], "Cannot run: the input labels was not given");
  refuse(
    [[x, new Float32Array(4)], twoLabels],
    "Cannot run: the input image was given 4 elements of f32, [3] of f32 in a Float32Array is wanted",
  );
  refuse(
    [given, [labels, new Int32Array(2)]],
    "Cannot run: the input labels was given 2 elements of i32, [2] of u32 in a Uint32Array is wanted",
  );
  refuse([[input([3], "stranger"), three]], "Cannot run: stranger is no input of this plan");
  refuse([[y, three]], "Cannot run: Tensor(3, f32, add) is no input of this plan");
  plan.run([given, twoLabels]);
});

Deno.test("inputs keep their elements from run to run", async () => {
  const { device } = fakeDevice();
  const z = input([3], "z");
  using plan = await device.compile({ outputs: [sub(x, z)] });
  assert.deepEqual(await runPlan(plan, [[x, [5, 6, 7]], [z, [1, 1, 1]]]), [[4, 5, 6]]);
  assert.deepEqual(await runPlan(plan, [[z, [5, 5, 5]]]), [[0, 1, 2]]);
  assert.deepEqual(await runPlan(plan), [[0, 1, 2]]);
});

Deno.test("only outputs are read, in their own type", async () => {
  const { device } = fakeDevice();
  const whole = tensor(new Int32Array([-1, 2]));
  using plan = await device.compile({ outputs: [y, whole] });
  plan.run([[x, three]]);
  assert.deepEqual(await plan.read(y), new Float32Array([1, 1, 1]));
  assert.deepEqual(await plan.read(whole), new Int32Array([-1, 2]));
  await assertRejects(
    plan.read(x),
    ShapeError,
    "Cannot read Tensor(3, f32, leaf): it is no output of this plan",
  );
  assert.deepEqual(
    viewAs("u32", new Uint32Array([2 ** 32 - 1]).buffer),
    new Uint32Array([2 ** 32 - 1]),
  );
});

Deno.test("a loose tensor is read by a plan that is thrown away", async () => {
  const { device, fake } = fakeDevice();
  assert.deepEqual(await device.read(mul(tensor([1, 2, 3]), 2)), new Float32Array([2, 4, 6]));
  assert.equal(fake.liveBytes, 0);
  await assertRejects(device.read(y), ShapeError, "Cannot run: the input image was not given");
  assert.equal(fake.liveBytes, 0);
  const w = variable([2], "w");
  using store = new Store(device, [w]);
  assert.deepEqual(await device.read(add(w, 1), { stores: [store] }), new Float32Array([1, 1]));
});

Deno.test("a plan counts its own bytes and gives them back, stores keep theirs", async () => {
  const { device, fake } = fakeDevice();
  const w = variable([3], "w");
  using store = new Store(device, [w]);
  const plan = await device.compile({ outputs: [add(y, w)] }, { stores: [store] });
  assert.equal(plan.bytes, 12 + 12); // the input and one slot
  assert.equal(fake.liveBytes, store.bytes + plan.bytes);
  plan[Symbol.dispose]();
  plan[Symbol.dispose]();
  assert.equal(fake.liveBytes, store.bytes);
  assertThrows(() => plan.run([[x, three]]), DeviceError, "Cannot run: the plan was closed");
  await assertRejects(plan.read(y), DeviceError, "Cannot read: the plan was closed");
});

Deno.test("a hundred plans leave no bytes behind", async () => {
  const { device, fake } = fakeDevice();
  for (let k = 0; k < 100; k++) {
    using plan = await device.compile({ outputs: [reverse(add(tensor([1, 2]), k))] });
    plan.run();
  }
  assert.equal(fake.liveBytes, 0);
});

Deno.test("a plan that cannot be built leaves nothing behind", async () => {
  const { device, fake } = fakeDevice({ maxLiveBytes: 20 });
  await assertRejects(device.compile({ outputs: [reverse(y)] }), RangeError, "the fake is full");
  assert.equal(fake.liveBytes, 0);
});

Deno.test("a closed device compiles nothing", async () => {
  const { device, fake } = fakeDevice();
  device[Symbol.dispose]();
  device[Symbol.dispose]();
  assert(fake.isClosed);
  const message = "Cannot compile: the device was closed";
  await assertRejects(device.compile({ outputs: [y] }), DeviceError, message);
  assertThrows(() => new Store(device, []), DeviceError, /the device was closed/);
});

Deno.test("a plan does not outlive its device or its stores", async () => {
  const w = variable([3], "w");
  const open = async () => {
    const { device } = fakeDevice(), store = new Store(device, [w]);
    const plan = await device.compile({ outputs: [add(x, w)] }, { stores: [store] });
    return { device, store, plan };
  };
  const first = await open();
  first.device[Symbol.dispose]();
  assertThrows(
    () => first.plan.run([[x, three]]),
    DeviceError,
    "Cannot run: the device was closed",
  );
  const second = await open();
  second.store[Symbol.dispose]();
  assertThrows(
    () => second.plan.run([[x, three]]),
    DeviceError,
    "Cannot run: a store of the plan was closed",
  );
  await assertRejects(
    second.device.compile({ outputs: [add(x, w)] }, { stores: [second.store] }),
    DeviceError,
    "Cannot compile: a store of the plan was closed",
  );
});

Deno.test("a store of another device is refused", async () => {
  const w = variable([3], "w");
  using store = new Store(fakeDevice().device, [w]);
  const { device } = fakeDevice();
  const compiled = device.compile({ outputs: [add(x, w)] }, { stores: [store] });
  await assertRejects(compiled, DeviceError, /^Cannot compile: a store of the plan lies on a fake/);
});

Deno.test("what exceeds the largest buffer is refused before anything is allocated", async () => {
  const { device, fake } = fakeDevice({ maxBufferBytes: 1_000_000 });
  const big = input([300_000], "pixels");
  const refuse = (t: typeof x, message: string | RegExp) =>
    assertRejects(device.compile({ outputs: [t] }), DeviceError, message);
  await refuse(
    reverse(mul(big, 2)),
    "Cannot compile: mul needs 1.2 MB in one buffer, a fake allows 1.0 MB; " +
      "a smaller batch is wanted",
  );
  await refuse(
    reverse(add(expand(input([1], "x"), [300_000]), 1)),
    /^Cannot compile: expand\+add needs 1\.2 MB/,
  );
  await refuse(reverse(big), /^Cannot compile: reverse needs 1\.2 MB/);
  await refuse(big, /^Cannot compile: pixels needs 1\.2 MB in one buffer/);
  assert.equal(fake.liveBytes, 0);
});

Deno.test("progress is told", async () => {
  const { device } = fakeDevice();
  const told: number[][] = [];
  const onProgress = (done: number, total: number): void => void told.push([done, total]);
  using _plan = await device.compile({ outputs: [reverse(y)] }, { onProgress });
  assert.deepEqual(told, [[2, 2]]);
});

Deno.test("the first step with a NaN is named, in debug plans", async () => {
  const { device } = fakeDevice();
  const logs = log(x), z = mul(reverse(mul(logs, 2)), 0);
  using plan = await device.compile({ outputs: [z] }, { debug: true });
  plan.run([[x, new Float32Array([1, 2, 3])]]);
  assert.equal(await plan.firstNaN(), undefined);
  plan.run([[x, new Float32Array([1, -2, 3])]]);
  assert.equal(await plan.firstNaN(), "log");
  plan.run([[x, new Float32Array([1, 0, 3])]]); // log 0 is infinite, and 0 times it is not a number
  assert.equal(await plan.firstNaN(), "mul");
});

Deno.test("copies are searched for NaN too", async () => {
  const { device } = fakeDevice();
  const w = variable([3], "w");
  using store = new Store(device, [w]);
  using plan = await device.compile({ outputs: [], updates: [[w, x]] }, {
    stores: [store],
    debug: true,
  });
  plan.run([[x, new Float32Array([1, NaN, 3])]]);
  assert.equal(await plan.firstNaN(), "copy into w");
});

Deno.test("literals need no memory", async () => {
  const { device } = fakeDevice();
  using plan = await device.compile({ outputs: [add(full(1, [3]), full(2, [3]))] });
  assert.deepEqual(await runPlan(plan), [[3, 3, 3]]);
  assert.equal(plan.bytes, 12);
});

Deno.test("a plan says what it is fed, runs and holds", async () => {
  const { device } = fakeDevice();
  const z = add(reverse(add(x, 1)), x);
  using plan = await device.compile({ outputs: [z] });
  assert.deepEqual([plan.inputs, plan.outputs], [[x], [z]]);
  assert.deepEqual(plan.kernels, ["add", "reverse", "add"]);
  assert(plan.plannedBytes > 0 && plan.plannedBytes <= plan.unsharedBytes);
  assert.equal(plan.bytes, plan.plannedBytes + 12, "values and the input");
  assertThrows(
    () => plan.profile(),
    UsageError,
    "Cannot measure kernels: the plan never ran, a run before is wanted",
  );
  await runPlan(plan, [[x, [1, 2, 3]]]);
  assert.equal(plan.profile(), undefined, "the fake cannot wait for a kernel");
});
