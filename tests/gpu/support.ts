/** What the GPU tests share: a device or a printed reason to skip, and operations of their own. */
import { type Device, deviceOn, type Elements } from "../../core/device.ts";
import { apply, arg, type Expr, primitives as p } from "../../core/expr.ts";
import { applyOne, type MacroOp, type MapOp, type Tensor } from "../../core/graph.ts";
import type { WgslProgram } from "../../core/kernel.ts";
import { broadcastShapes, type Type } from "../../core/shape.ts";
import { type GpuBackend, openGpu } from "../../gpu/backend.ts";

const permission = Deno.permissions.querySync({ name: "env", variable: "FOVEA_REQUIRE" });
const required = permission.state === "granted" ? Deno.env.get("FOVEA_REQUIRE") ?? "" : "";
const probe = await openGpu();
const isMissing = probe === undefined;
probe?.close();
if (isMissing) console.log("skipped: no WebGPU adapter was found");

/** A test with a device of its own. Without an adapter it is skipped, or fails where one is required. */
export function gpuTest(
  name: string,
  run: (device: Device, backend: GpuBackend) => void | Promise<void>,
): void {
  Deno.test({
    name: `gpu: ${name}`,
    ignore: isMissing && !required.includes("webgpu"),
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      const backend = await openGpu();
      if (!backend) throw new Error("FOVEA_REQUIRE wants WebGPU, but there is no adapter");
      using device = deviceOn(backend);
      await run(device, backend);
    },
  });
}

/** A pointwise function of tensors from an expression over its arguments. */
export function mapFunction(name: string, expr: Expr): (...inputs: Tensor[]) => Tensor {
  const op: MapOp<undefined> = {
    kind: "map",
    name,
    infer: (inputs) => [{
      shape: broadcastShapes(name, ...inputs.map((t) => t.shape)),
      dtype: "f32",
    }],
    expr: () => expr,
  };
  return (...inputs) => applyOne(op, inputs, undefined);
}

const [a, b, c] = [arg(0), arg(1), arg(2)];
/** Sum, difference and product of two tensors. */
export const add = mapFunction("add", apply(p.add, a, b));
export const sub = mapFunction("sub", apply(p.sub, a, b));
export const mul = mapFunction("mul", apply(p.mul, a, b));
/** A product kept within ±8, so that random graphs of whole numbers stay exact in f32. */
export const boundedMul = mapFunction(
  "boundedMul",
  apply(p.max, apply(p.min, apply(p.mul, a, b), 8), -8),
);
/** The second where the first is positive, else the third. */
export const choose = mapFunction("choose", apply(p.select, apply(p.gt, a, 0), b, c));
/** `|x| − x`, which reads its argument twice. */
export const fold = mapFunction("fold", apply(p.sub, apply(p.abs, a), a));

/** A macro operation with given types and passes. */
export function macroOp(
  name: string,
  infer: (inputs: readonly Type[]) => readonly Type[],
  wgsl: (inputs: readonly Type[]) => WgslProgram,
): MacroOp<undefined> {
  return {
    kind: "macro",
    name,
    infer,
    wgsl: (node) => wgsl(node.inputs),
    wasm: () => ({ calls: [] }),
  };
}

/** Numbers of any elements, to compare with `deepEqual`; 0 for −0, which a GPU need not keep. */
export const numbers = (elements: Elements): number[] => Array.from(elements, (v) => v + 0);

/** Whole numbers from −bound to bound, the same for the same seed. */
export function wholeNumbers(
  count: number,
  seed: number,
  bound = 4,
): Float32Array<ArrayBuffer> {
  let state = seed * 2 + 1;
  return new Float32Array(count).map(() => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((state >>> 8) % (2 * bound + 1)) - bound;
  });
}
