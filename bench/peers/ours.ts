/** Fovea as an engine: `ours.ts wasm THREADS` or `ours.ts webgpu`. */
import { type Device, deviceOn, type Plan } from "../../core/device.ts";
import { grad } from "../../core/grad.ts";
import type { Tensor } from "../../core/graph.ts";
import { tensor } from "../../core/structure.ts";
import { type GpuBackend, openGpu } from "../../gpu/backend.ts";
import { batchNorm } from "../../ops/batch_norm.ts";
import { conv2d } from "../../ops/conv2d.ts";
import { matmul } from "../../ops/matmul.ts";
import { mul, relu } from "../../ops/pointwise.ts";
import { sum } from "../../ops/reduce.ts";
import { openWasm } from "../../wasm/backend.ts";
import { sampleOf, seeds, uniform } from "../fill.ts";
import { type Engine, type Prepared, Refusal, serve } from "../serve.ts";
import { type Conv, convShapes, type Norm, type Workload } from "../workload.ts";
import { prepareInference, prepareTraining } from "./our_nets.ts";

/** A device of ours, and its queue where it has one. */
export interface Own {
  readonly device: Device;
  readonly settle?: () => Promise<void>;
}

async function open(): Promise<Engine> {
  const [kind, threads] = Deno.args;
  const gpu = kind === "webgpu" ? await openGpu() : undefined;
  if (kind === "webgpu" && !gpu) throw new Refusal("there is no WebGPU adapter");
  const own = gpu ? onGpu(gpu) : { device: deviceOn(openWasm({ threads: Number(threads) })) };
  return {
    version: own.device.name,
    isSoftware: gpu?.isSoftware,
    prepare: (workload) => prepare(own, workload),
  };
}

const onGpu = (gpu: GpuBackend): Own => ({
  device: deviceOn(gpu),
  settle: () => gpu.device.queue.onSubmittedWorkDone(),
});

async function prepare(own: Own, workload: Workload): Promise<Prepared> {
  switch (workload.op) {
    case "train":
    case "plan":
      return await prepareTraining(own, workload);
    case "replay":
      if (own.settle) return await prepareTraining(own, workload);
      throw new Refusal("it has no queue: a replay is the whole step");
    case "infer":
      return await prepareInference(own, workload);
    default:
      return await prepareOperation(own, operation(workload));
  }
}

/** Tensors to compute, and the one that is compared. */
interface Operation {
  readonly outputs: readonly Tensor[];
  readonly compared: Tensor;
}

type Single = Exclude<Workload, { op: "train" | "infer" | "replay" | "plan" }>;

function operation(workload: Single): Operation {
  switch (workload.op) {
    case "matmul": {
      const { m, k, n } = workload;
      return one(matmul(operand("x", [m, k]), operand("w", [k, n])));
    }
    case "batch-norm-relu":
      return normOperation(workload);
    default:
      return one(convolution(workload));
  }
}

const one = (y: Tensor): Operation => ({ outputs: [y], compared: y });

/** A constant, uploaded once. */
function operand(name: keyof typeof seeds, shape: readonly number[]): Tensor {
  return tensor(uniform(shape.reduce((a, b) => a * b, 1), seeds[name]), shape);
}

function convolution(workload: Conv): Tensor {
  const { op, batch, size, channels } = workload;
  const { filters, ...options } = convShapes(workload);
  const y = conv2d(operand("x", [batch, size, size, channels]), operand("w", filters), options);
  if (op === "conv") return y;
  // The rule itself, so that nothing but the gradient of this one operation is timed.
  const [dx, dw] = y.node.op.grad!(y.node, [operand("dy", y.shape)]);
  return (op === "conv-input-gradient" ? dx : dw)!;
}

function normOperation({ batch, size, channels, backward }: Norm): Operation {
  const images = [batch, size, size, channels];
  const x = operand("x", images);
  const gamma = tensor(new Float32Array(channels).fill(1)), beta = operand("w", [channels]);
  const { y, mean, variance } = batchNorm(x, gamma, beta);
  const out = relu(y);
  if (!backward) return { outputs: [out, mean, variance], compared: out };
  const grads = grad(sum(mul(out, operand("dy", images))), [x, gamma, beta]);
  return { outputs: [out, mean, variance, ...grads], compared: grads[0] };
}

async function prepareOperation(
  { device, settle }: Own,
  { outputs, compared }: Operation,
): Promise<Prepared> {
  const plan = await device.compile({ outputs });
  plan.run();
  return {
    run: () => plan.run(),
    settle,
    sample: async () => sampleOf(await plan.read(compared)),
    note: kernelsOf(plan),
    dispose: () => plan[Symbol.dispose](),
  };
}

/** Names of the kernels, each once: which of several was taken. */
function kernelsOf({ kernels }: Plan): string {
  return [...new Set(kernels)].join(", ");
}

if (import.meta.main) await serve(open);
