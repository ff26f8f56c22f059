/** ONNX Runtime Web as an engine: `onnxruntime.ts wasm THREADS` or `onnxruntime.ts webgpu`. */
import { pictures, samplePositions } from "../fill.ts";
import { type Engine, type Prepared, Refusal, serve } from "../serve.ts";
import { pictureSize, type Workload } from "../workload.ts";
import { nchwPlace, toNchw } from "./nets.ts";
import { onnxModel, type OnnxTensor } from "./onnx.ts";
import { graphOf } from "./onnx_graphs.ts";

const version = "1.30.0";

/** As much of the library as is called. */
interface Ort {
  readonly env: {
    readonly wasm: { numThreads: number };
    readonly webgpu: { readonly device: Promise<GPUDevice> };
  };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
  readonly Tensor: {
    new (type: "float32", data: Float32Array, dims: readonly number[]): OrtTensor;
    fromGpuBuffer(
      buffer: GPUBuffer,
      options: { dataType: "float32"; dims: readonly number[] },
    ): OrtTensor;
  };
}

interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

async function open(): Promise<Engine> {
  const [backend, threads] = Deno.args, onGpu = backend === "webgpu";
  const name = `npm:onnxruntime-web@${version}`;
  const ort: Ort = await import(name + (onGpu ? "/webgpu" : ""));
  ort.env.wasm.numThreads = onGpu ? 1 : Number(threads);
  return {
    version: `onnxruntime-web ${version} ${backend}`,
    prepare: (workload) => prepare(ort, onGpu, workload),
  };
}

async function prepare(ort: Ort, onGpu: boolean, workload: Workload): Promise<Prepared> {
  const graph = graphOf(workload);
  if (!graph) throw new Refusal("it cannot train: ONNX has no such operation");
  const session = await ort.InferenceSession.create(onnxModel(graph), {
    executionProviders: [onGpu ? "webgpu" : "wasm"],
    graphOptimizationLevel: "all",
    ...(onGpu ? { preferredOutputLocation: "gpu-buffer" } : {}),
  });
  // Known only when the first session has opened it.
  const device = onGpu ? await ort.env.webgpu.device : undefined;
  const inputs = graph.inputs.map((input) => ({ ...input, elements: elementsOf(input, workload) }));
  const feeds = Object.fromEntries(
    inputs.map(({ name, shape, elements }) => {
      if (!device) return [name, new ort.Tensor("float32", elements, shape)];
      const buffer = upload(device, elements);
      return [name, ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape })];
    }),
  );
  const { name, shape } = graph.output;
  const copies = onGpu ? "" : "inputs and results are copied in and out";
  const note = workload.op === "batch-norm-relu"
    ? "batch statistics as primitive operations"
    : copies;
  return {
    note,
    async run() {
      (await session.run(feeds))[name].dispose();
    },
    settle: device && (() => device.queue.onSubmittedWorkDone()),
    async sample() {
      const data = await (await session.run(feeds))[name].getData();
      const places = samplePositions(data.length);
      if (shape.length === 2) return places.map((place) => data[place]);
      const [n, c, h, w] = shape;
      return places.map((place) => data[nchwPlace(place, [n, h, w, c])]);
    },
    dispose: () => void session.release(),
  };
}

/** Elements of an input; pictures are the only ones that graphs do not carry. */
function elementsOf(
  { elements, shape: [batch] }: OnnxTensor,
  workload: Workload,
): Float32Array<ArrayBuffer> {
  if (elements || workload.op !== "infer") return elements!;
  const size = pictureSize(workload);
  return toNchw(pictures(batch * size * size), [batch, size, size, 3]);
}

function upload(device: GPUDevice, elements: Float32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffer = device.createBuffer({ size: elements.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, elements);
  return buffer;
}

if (import.meta.main) await serve(open);
