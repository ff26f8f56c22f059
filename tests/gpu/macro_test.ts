import assert from "node:assert/strict";
import { DeviceError } from "../../core/errors.ts";
import { apply, arg, primitives as p } from "../../core/expr.ts";
import { applyOp, type MacroOp, type Tensor } from "../../core/graph.ts";
import {
  perElement,
  reads,
  scratchRef,
  type WgslPass,
  type WgslProgram,
  writes,
} from "../../core/kernel.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { sizeOf, type Type } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { input, pack, tensor, variable } from "../../core/structure.ts";
import { checkKernel, makeKernel } from "../../gpu/kernel.ts";
import { add, gpuTest, macroOp, mapFunction, numbers, wholeNumbers } from "./support.ts";

const use = (op: MacroOp<undefined>, ...inputs: Tensor[]): readonly Tensor[] =>
  applyOp(op, inputs, undefined);

/** Running sums and their reverse, by two passes over a scratch buffer: wrong if scratch is mixed up. */
const sums = macroOp("sums", ([x]) => [x, { shape: x.shape, dtype: "u32" }], ([x]) => {
  const n = sizeOf(x.shape), { head, groups } = perElement(n);
  const scratch = { name: "s", ref: scratchRef(0), type: "f32" };
  return {
    scratch: [4 * n],
    passes: [{
      label: `sums/prefix[${n}]`,
      bindings: [reads("x", 0), { ...scratch, access: "read_write" }],
      code: `${head}
  var sum = 0.0;
  for (var k = 0u; k <= i; k++) { sum += x[k]; }
  s[i] = sum;
}`,
      groups,
    }, {
      label: `sums/reverse[${n}]`,
      bindings: [{ ...scratch, access: "read" }, writes("y"), writes("rank", 1, "u32")],
      code: `${head}
  y[i] = s[${n - 1}u - i];
  rank[i] = i;
}`,
      groups,
    }],
  };
});

function reversedSums(x: readonly number[]): number[] {
  let sum = 0;
  return x.map((v) => sum += v).reverse();
}

gpuTest("a macro of two passes with scratch and two results, between maps", async (device, gpu) => {
  const x = input([37], "x"), long = input([300], "long");
  const [y, rank] = use(sums, add(x, x)), [z] = use(sums, long);
  const after = add(y, mapFunction("toNumber", apply(p.fromU32, arg(0)))(rank));
  using plan = await device.compile({ outputs: [after, z, rank] });
  assert.equal(partsOf(plan).executable.scratchBytes, 1200);
  assert.deepEqual(plan.kernels.filter((k) => k.startsWith("sums")), [
    "sums/prefix[37]",
    "sums/reverse[37]",
    "sums/prefix[300]",
    "sums/reverse[300]",
  ]);
  const [dx, dl] = [wholeNumbers(37, 1), wholeNumbers(300, 2)];
  plan.run([[x, dx], [long, dl]]);
  const twice = reversedSums(numbers(dx).map((v) => 2 * v));
  assert.deepEqual(numbers(await plan.read(after)), twice.map((v, i) => v + i));
  assert.deepEqual(numbers(await plan.read(z)), reversedSums(numbers(dl)));
  assert.deepEqual(numbers(await plan.read(rank)), numbers(dx).map((_, i) => i));
  const { liveBytes } = gpu;
  plan[Symbol.dispose]();
  assert(gpu.liveBytes < liveBytes && gpu.liveBytes === 0);
});

gpuTest("numbers written over the words they were made from", async (device) => {
  const toNumber = mapFunction("toNumber", apply(p.fromU32, arg(0)));
  for (const count of [5, 8]) {
    const [y, rank] = use(sums, tensor(wholeNumbers(count, 1))), numbered = toNumber(rank);
    using plan = await device.compile({ outputs: [numbered, y] });
    assert.equal(partsOf(plan).schedule.buffers.filter((b) => b.kind === "slot").length, 2);
    plan.run();
    assert.deepEqual(
      numbers(await plan.read(numbered)),
      Array.from({ length: count }, (_, i) => i),
    );
  }
});

gpuTest("both results of a macro packed into one block", async (device) => {
  const twice = macroOp("twice", ([x]) => [x, x], ([x]) => {
    const { head, groups } = perElement(sizeOf(x.shape));
    const bindings = [reads("x", 0), writes("y", 0), writes("z", 1)];
    const code = `${head}
  y[i] = 2.0 * x[i];
  z[i] = y[i] + 1.0;
}`;
    return { passes: [{ label: "twice", bindings, code, groups }] };
  });
  const [y, z] = use(twice, tensor([1, 2, 3]));
  const packed = numbers(await device.read(pack([z, y], [0, 64], 128)));
  assert.deepEqual([packed.slice(0, 4), packed.slice(63, 68)], [[3, 5, 7, 0], [0, 2, 4, 6, 0]]);
});

/** An operation whose one pass is given. */
const onePass = (pass: Partial<WgslPass>): MacroOp<undefined> =>
  macroOp("odd", ([x]: readonly Type[]) => [x], (): WgslProgram => ({
    passes: [{
      label: "odd/direct[3]",
      bindings: [reads("x", 0), writes("y")],
      code: "@compute @workgroup_size(4)\nfn main() {\n  y[0] = x[0];\n}",
      groups: [1, 1, 1],
      ...pass,
    }],
  }));

const broken: readonly [string, Partial<WgslPass>, RegExp][] = [
  ["an unknown name", {
    code: "@compute @workgroup_size(4)\nfn main() {\n  y[0] = foo(x[0]);\n}",
  }, /^Cannot compile odd\/direct\[3\] at head: .*foo.* in line 6, `y\[0\] = foo\(x\[0\]\);`/],
  ["a wrong type", {
    code: "@compute @workgroup_size(4)\nfn main() {\n  y[0] = 1u;\n}",
  }, /^Cannot compile odd\/direct\[3\] at head: .*in line 6, `y\[0\] = 1u;`/],
  ["no entry point", { code: "fn other() {}" }, /^Cannot compile odd\/direct\[3\] at head: .*main/],
  ["a write to what is read only", {
    code: "@compute @workgroup_size(4)\nfn main() {\n  x[0] = 1.0;\n}",
  }, /^Cannot compile odd\/direct\[3\] at head: /],
  ["a binding that is not there", { bindings: [reads("x", 3), writes("y")] }, /input 3.* has 2/],
  ["vectors that the tensor does not fill", {
    bindings: [reads("x", 0, "vec4f"), writes("y")],
    code: "@compute @workgroup_size(4)\nfn main() {\n  y[0] = x[0].w;\n}",
  }, /^Cannot build odd.*: binding 0, x, is 12 bytes of vec4f, a multiple of 16 is wanted/],
  ["too many groups", { groups: [1, 65_536, 1] }, /odd.*65536 workgroups along y, 1 to 65535/],
  ["no groups", { groups: [0, 1, 1] }, /odd.*0 workgroups along x/],
];

for (const [what, pass, message] of broken) {
  gpuTest(`${what} in a kernel is reported with its label`, async (device, gpu) => {
    const w = variable([4], "head.weight");
    const store = new Store(device, [w]);
    const [y] = use(onePass(pass), tensor([1, 2, 3]), w);
    await assert.rejects(async () => {
      using plan = await device.compile({ outputs: [y] }, { stores: [store] });
      plan.run();
      await plan.read(y);
    }, (error: Error) => {
      assert(error instanceof DeviceError, `${error}`);
      assert.match(error.message, message);
      return true;
    });
    store[Symbol.dispose]();
    assert.equal(gpu.liveBytes, 0);
    assert.deepEqual(numbers(await device.read(add(tensor([1]), tensor([2])))), [3]);
  });
}

Deno.test("gpu: limits of a kernel are checked with numbers before WebGPU sees them", () => {
  const at = (buffer: number, offset: number, access: "read" | "read_write" = "read") => ({
    name: `b${buffer}_${offset}`,
    type: "f32",
    access,
    range: { buffer, offset, bytes: 256 },
  });
  const check = (...variables: ReturnType<typeof at>[]): void =>
    checkKernel(makeKernel("conv/x", variables, "", [1, 1, 1]), 8);
  const nine = Array.from({ length: 9 }, (_, k) => at(k, 0));
  assert.throws(() => check(...nine), /^DeviceError: Cannot build conv\/x: it binds 9 buffers, 8/);
  assert.throws(() => check(at(0, 128)), /starts at byte 128, a multiple of 256 is wanted/);
  assert.throws(() => check(at(0, 0), at(0, 0, "read_write")), /0 and 1 share bytes/);
  check(at(0, 0), at(0, 256, "read_write"), at(1, 0), at(1, 0), ...nine.slice(2, 6));
  const { source } = makeKernel("x", [at(0, 0), at(0, 256, "read_write"), at(1, 0)], "", [1, 1, 1]);
  const accesses = [...source.matchAll(/var<storage, (\w+)>/g)].map((m) => m[1]);
  assert.deepEqual(accesses, ["read_write", "read_write", "read"]);
});

gpuTest("progress counts new kernels before each and at the end", async (device) => {
  const told: string[] = [], outputs = use(sums, tensor(wholeNumbers(9, 1)));
  const onProgress = (done: number, total: number): void => void told.push(`${done} of ${total}`);
  (await device.compile({ outputs }, { onProgress }))[Symbol.dispose]();
  assert.deepEqual(told, ["0 of 2", "1 of 2", "2 of 2"]);
  (await device.compile({ outputs }, { onProgress }))[Symbol.dispose]();
  assert.equal(told.length, 3, "nothing was new");
});
