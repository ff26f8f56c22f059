/** Small parts that several tests of `core` share. */
import assert from "node:assert/strict";
import { type Device, deviceOn, type Plan } from "../../core/device.ts";
import { applyOp, type MacroOp, type Tensor } from "../../core/graph.ts";
import { f32, sizeOf } from "../../core/shape.ts";
import { type MacroFunction, referenceMacro } from "../reference/evaluate.ts";
import { FakeBackend, type FakeOptions } from "./fake_backend.ts";

const noKernel = (): never => {
  throw new Error("The fake computes macro operations itself");
};

const reverseOp: MacroOp<void> = {
  kind: "macro",
  name: "reverse",
  infer: ([x]) => [f32(x.shape)],
  wgsl: noKernel,
  wasm: noKernel,
};

/** A macro operation that reads out of order: the elements from last to first. */
export const reverse = (x: Tensor): Tensor => applyOp(reverseOp, [x], undefined)[0];

const sumAndDifferenceOp: MacroOp<void> = {
  kind: "macro",
  name: "sumAndDifference",
  infer: ([a]) => [f32(a.shape), f32(a.shape)],
  wgsl: noKernel,
  wasm: noKernel,
};

/** A macro operation with two results: `a + b` and `a − b`. */
export const sumAndDifference = (a: Tensor, b: Tensor): readonly Tensor[] =>
  applyOp(sumAndDifferenceOp, [a, b], undefined);

/** Computes the macro operations of this file and of the reference. */
export const macro: MacroFunction = (node, inputs) => {
  const [a, b] = inputs;
  if (node.op.name === "reverse") return [{ shape: a.shape, data: a.data.toReversed() }];
  if (node.op.name === "sumAndDifference") {
    const plus = a.data.map((v, k) => v + b.data[k]), minus = a.data.map((v, k) => v - b.data[k]);
    return [{ shape: a.shape, data: plus }, { shape: a.shape, data: minus }];
  }
  return referenceMacro(node, inputs);
};

/** A device over a fake that knows the macro operations of this file. */
export function fakeDevice(options: FakeOptions = {}): { device: Device; fake: FakeBackend } {
  const fake = new FakeBackend({ macro, ...options });
  return { device: deviceOn(fake), fake };
}

/** Runs a plan once and reads its outputs as plain numbers. */
export async function runPlan(
  plan: Plan,
  feeds: readonly (readonly [Tensor, readonly number[]])[] = [],
): Promise<number[][]> {
  plan.run(feeds.map(([t, data]) => [t, new Float32Array(data)]));
  return await Promise.all(plan.outputs.map(async (t) => [...await plan.read(t)]));
}

/** 1, 2, 3 … as an f32 array for a tensor. */
export const counting = (t: Tensor, first = 1): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: sizeOf(t.shape) }, (_, k) => first + k);

/** Asserts that a call throws an error of a class with exactly this message. */
export function assertThrows(
  call: () => unknown,
  kind: new (...args: never[]) => Error,
  message: string | RegExp,
): void {
  assert.throws(call, (error: unknown) => {
    assert(error instanceof kind, `${error}`);
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}

/** The same for a promise. */
export async function assertRejects(
  promise: Promise<unknown>,
  kind: new (...args: never[]) => Error,
  message: string | RegExp,
): Promise<void> {
  const result = await promise.then(() => undefined, (error: unknown) => ({ error }));
  assert(result, "it did not reject");
  assertThrows(
    () => {
      throw result.error;
    },
    kind,
    message,
  );
}
