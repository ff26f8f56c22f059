/** The bench's workloads as ONNX graphs; images are NCHW there, filters OIHW. */
import { seeds, uniform } from "../fill.ts";
import {
  classesOf,
  type Conv,
  convShapes,
  type Images,
  type Net,
  type Norm,
  pictureSize,
  type Workload,
} from "../workload.ts";
import { type ConvOptions, forward, type Layers, parameters, toNchw, toOihw } from "./nets.ts";
import type { OnnxGraph, OnnxNode, OnnxTensor } from "./onnx.ts";

/** A graph, or undefined where ONNX has no such operation. */
export function graphOf(w: Workload): OnnxGraph | undefined {
  switch (w.op) {
    case "matmul":
      return {
        nodes: [{ op: "MatMul", inputs: ["x", "w"], output: "y" }],
        inputs: [matrix("x", [w.m, w.k]), matrix("w", [w.k, w.n])],
        weights: [],
        output: { name: "y", shape: [w.m, w.n] },
      };
    case "conv":
    case "conv-input-gradient":
      return convolution(w);
    case "batch-norm-relu":
      return w.backward ? undefined : normRelu(w);
    case "infer":
      return inference(w);
    default:
      return undefined;
  }
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const matrix = (name: "x" | "w", shape: readonly number[]): OnnxTensor => ({
  name,
  shape,
  elements: uniform(count(shape), seeds[name]),
});

function images(name: "x" | "dy", { batch, size, channels }: Images): OnnxTensor {
  const shape = [batch, size, size, channels];
  const elements = toNchw(uniform(count(shape), seeds[name]), shape);
  return { name, shape: [batch, channels, size, size], elements };
}

function convolution(w: Conv): OnnxGraph {
  const { filters: shape, kernel, stride, padding: p, groups, out } = convShapes(w);
  const filters: OnnxTensor = {
    name: "w",
    shape: [shape[3], shape[2], kernel, kernel],
    elements: toOihw(uniform(count(shape), seeds.w), shape),
  };
  const isForward = w.op === "conv", x = isForward ? images("x", w) : images("dy", out);
  const result = isForward ? out : w;
  // Back to the even of the two sizes that give this one.
  const more = stride - 1;
  const attributes = {
    ...{ kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [p, p, p, p] },
    ...{ group: groups, ...(isForward ? {} : { output_padding: [more, more] }) },
  };
  const op = isForward ? "Conv" : "ConvTranspose";
  return {
    nodes: [{ op, inputs: [x.name, "w"], output: "y", attributes }],
    inputs: [x],
    weights: [filters],
    output: { name: "y", shape: [result.batch, result.channels, result.size, result.size] },
  };
}

/** ONNX Runtime normalises by a batch's statistics only when they are written out. */
function normRelu(w: Norm): OnnxGraph {
  const { channels } = w, x = images("x", w);
  const vector = (name: string, elements: Float32Array<ArrayBuffer>): OnnxTensor => ({
    name,
    shape: elements.length === 1 ? [] : [1, channels, 1, 1],
    elements,
  });
  const over = { axes: [0, 2, 3], keepdims: 1 };
  const node = (op: string, inputs: string[], output: string): OnnxNode => ({ op, inputs, output });
  return {
    nodes: [
      { ...node("ReduceMean", ["x"], "mean"), attributes: over },
      node("Sub", ["x", "mean"], "centred"),
      node("Mul", ["centred", "centred"], "squares"),
      { ...node("ReduceMean", ["squares"], "variance"), attributes: over },
      node("Add", ["variance", "eps"], "safe"),
      node("Sqrt", ["safe"], "deviation"),
      node("Div", ["gamma", "deviation"], "scale"),
      node("Mul", ["centred", "scale"], "scaled"),
      node("Add", ["scaled", "beta"], "shifted"),
      node("Relu", ["shifted"], "y"),
    ],
    inputs: [x],
    weights: [
      vector("eps", Float32Array.of(1e-5)),
      vector("gamma", new Float32Array(channels).fill(1)),
      vector("beta", uniform(channels, seeds.w)),
    ],
    output: { name: "y", shape: x.shape },
  };
}

function inference(net: Net): OnnxGraph {
  const size = pictureSize(net), list = parameters(net.model);
  const layers = new OnnxLayers(new Map(list.map(({ path, shape }) => [path, shape])));
  const logits = forward(net.model, layers, "x");
  const weights = list.map(({ path, shape, elements }): OnnxTensor =>
    shape.length === 4
      ? {
        name: path,
        shape: [shape[3], shape[2], shape[0], shape[1]],
        elements: toOihw(elements, shape),
      }
      : { name: path, shape, elements }
  );
  return {
    nodes: layers.nodes,
    inputs: [{ name: "x", shape: [net.batch, 3, size, size] }],
    weights: [...weights, bound("zero", 0), bound("six", 6)],
    output: { name: logits, shape: [net.batch, classesOf(net.model)] },
  };
}

/** A number that an operation takes as an input. */
const bound = (name: string, value: number): OnnxTensor => ({
  name,
  shape: [],
  elements: Float32Array.of(value),
});

/** Layers that write nodes; a tensor is its name. */
class OnnxLayers implements Layers<string> {
  readonly nodes: OnnxNode[] = [];

  /** @param shapes of the parameters by path, in our layout */
  constructor(readonly shapes: ReadonlyMap<string, readonly number[]>) {}

  #add(op: string, inputs: readonly string[], attributes?: OnnxNode["attributes"]): string {
    const output = `${op}_${this.nodes.length}`;
    this.nodes.push({ op, inputs, output, attributes });
    return output;
  }

  conv(x: string, path: string, { stride, sides, bias, depthwise }: ConvOptions): string {
    const weight = `${path}.weight`, inputs = [x, weight, ...(bias ? [`${path}.bias`] : [])];
    const [before, after] = sides, pads = [before, before, after, after];
    const group = depthwise ? this.shapes.get(weight)![3] : 1;
    return this.#add("Conv", inputs, { strides: [stride, stride], pads, group });
  }

  norm(x: string, path: string, eps: number): string {
    const names = ["weight", "bias", "running_mean", "running_var"].map((n) => `${path}.${n}`);
    return this.#add("BatchNormalization", [x, ...names], { epsilon: { float: eps } });
  }

  relu = (x: string): string => this.#add("Relu", [x]);
  relu6 = (x: string): string => this.#add("Clip", [x, "zero", "six"]);
  add = (a: string, b: string): string => this.#add("Add", [a, b]);
  flatten = (x: string): string => this.#add("Flatten", [x]);
  mean = (x: string): string => this.#add("ReduceMean", [x], { axes: [2, 3], keepdims: 0 });

  maxPool(x: string, size: number, stride: number, padding: number): string {
    return this.#add("MaxPool", [x], {
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
    });
  }

  linear(x: string, path: string): string {
    return this.#add("Gemm", [x, `${path}.weight`, `${path}.bias`]);
  }
}
