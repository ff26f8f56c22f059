/**
 * What operators of ONNX mean, in operations of ours, as the specification has them: pictures are
 * turned around each operator, so nothing is shared with how files are written.
 *
 * @source onnx.ai, "Operators", version 17
 */
import assert from "node:assert/strict";
import type { Tensor } from "../../core/graph.ts";
import { reshape, tensor } from "../../core/structure.ts";
import * as ops from "../../ops/mod.ts";
import type { FileNode, OnnxModel } from "./onnx_file.ts";

const toLast = (x: Tensor): Tensor => ops.transpose(x, [0, 2, 3, 1]);
const toFirst = (x: Tensor): Tensor => ops.transpose(x, [0, 3, 1, 2]);

/** What an operator is given: tensors, whole numbers of its constants, and its attributes. */
interface Given {
  readonly x: readonly Tensor[];
  /** Input k as whole numbers. */
  integers(k: number): number[];
  /** An attribute; wanted where there is no default. */
  number(name: string, standard?: number): number;
  list(name: string): readonly number[];
}

type Operator = (given: Given) => Tensor;

const binary = (f: (a: Tensor, b: Tensor) => Tensor): Operator => ({ x: [a, b] }) => f(a, b);
const unary = (f: (x: Tensor) => Tensor): Operator => ({ x: [x] }) => f(x);

/** A vector of channels, for images with channels second. */
const perChannel = (v: Tensor, rank: number): Tensor =>
  reshape(v, [1, -1, ...new Array<number>(rank - 2).fill(1)]);

const margins = (pads: readonly number[]): ops.Margins => [pads[0], pads[1], pads[2], pads[3]];
const pair = ([a, b]: readonly number[]): ops.Pair => [a, b];

function windowsOf({ list }: Given) {
  return { stride: pair(list("strides")), padding: margins(list("pads")) };
}

function convolution(given: Given): Tensor {
  const { x: [x, w, bias], list, number } = given;
  const options = { dilation: pair(list("dilations")), groups: number("group", 1) };
  assert.deepEqual(list("kernel_shape"), w.shape.slice(2));
  const filters = ops.transpose(w, [2, 3, 1, 0]);
  const y = toFirst(ops.conv2d(toLast(x), filters, { ...windowsOf(given), ...options }));
  return bias ? ops.add(y, perChannel(bias, 4)) : y;
}

function transposedConvolution(given: Given): Tensor {
  const { x: [x, w, bias], list, number } = given, [top, left, bottom, right] = list("pads");
  const [more, wider] = list("output_padding"), [sh, sw] = list("strides");
  const [dh, dw] = list("dilations"), [, , kh, kw] = w.shape, [, , h, width] = x.shape;
  const outputSize: ops.Pair = [
    sh * (h - 1) + more + (kh - 1) * dh + 1 - top - bottom,
    sw * (width - 1) + wider + (kw - 1) * dw + 1 - left - right,
  ];
  assert(more < sh && wider < sw, "an output padding is below the stride");
  const options = { dilation: pair([dh, dw]), groups: number("group", 1), outputSize };
  const filters = ops.transpose(w, [2, 3, 1, 0]);
  const y = toFirst(ops.convTranspose2d(toLast(x), filters, { ...windowsOf(given), ...options }));
  return bias ? ops.add(y, perChannel(bias, 4)) : y;
}

function pool(given: Given): Tensor {
  const { x: [x], list } = given, size = pair(list("kernel_shape"));
  assert(list("pads").every((pad, k) => pad < size[k % 2]), "padding is below the window");
  const options = { size, ...windowsOf(given), dilation: pair(list("dilations")) };
  return toFirst(ops.maxPool2d(toLast(x), options));
}

function meanPool(given: Given): Tensor {
  const { x: [x], list, number } = given, size = pair(list("kernel_shape"));
  assert(list("pads").every((pad, k) => pad < size[k % 2]), "padding is below the window");
  const countPadding = number("count_include_pad", 0) === 1;
  return toFirst(ops.avgPool2d(toLast(x), { size, ...windowsOf(given), countPadding }));
}

function normalization({ x: [x, ...vectors], number }: Given): Tensor {
  const [gamma, beta, mean, variance] = vectors.map((v) => perChannel(v, x.shape.length));
  const deviation = ops.sqrt(ops.add(variance, number("epsilon", 1e-5)));
  return ops.add(ops.mul(ops.div(ops.sub(x, mean), deviation), gamma), beta);
}

function gemm({ x: [a, b, c], number }: Given): Tensor {
  const transposes = {
    transposeA: number("transA", 0) === 1,
    transposeB: number("transB", 0) === 1,
  };
  const y = ops.matmul(a, b, transposes);
  return c ? ops.add(y, c) : y;
}

function padded({ x: [x, , fill], integers }: Given): Tensor {
  const pads = integers(1), rank = x.shape.length;
  const value = (fill.node.attrs as { data: Float32Array }).data[0];
  return ops.pad(x, x.shape.map((_, k) => [pads[k], pads[rank + k]]), value);
}

function part({ x: [x], integers }: Given): Tensor {
  const [starts, ends, axes] = [1, 2, 3].map(integers);
  const from = x.shape.map((_, axis) => axes.includes(axis) ? starts[axes.indexOf(axis)] : 0);
  const to = x.shape.map((size, axis) => axes.includes(axis) ? ends[axes.indexOf(axis)] : size);
  return ops.slice(x, from, to.map((end, axis) => end - from[axis]));
}

function expanded({ x: [x], integers }: Given): Tensor {
  const wanted = integers(1), own = [...wanted.slice(x.shape.length).map(() => 1), ...x.shape];
  return ops.expand(x, wanted.map((size, axis) => size === 1 ? own[axis] : size));
}

/** Sizes in which 0 is that of x, and −1 what is left. */
const reshaped: Operator = ({ x: [x], integers }) =>
  reshape(x, integers(1).map((size, k) => size === 0 ? x.shape[k] : size));

const globally = (reduce: typeof ops.mean): Operator => ({ x: [x] }) =>
  reduce(x, { axes: [2, 3], keepDims: true });
const reduced = (reduce: typeof ops.mean): Operator => ({ x: [x], list, number }) =>
  reduce(x, { axes: list("axes"), keepDims: number("keepdims", 1) === 1 });

function softmaxes(f: (x: Tensor) => Tensor): Operator {
  return ({ x: [x], number }) => {
    const axis = number("axis", -1), last = x.shape.length - 1;
    if (axis === -1 || axis === last) return f(x);
    const order = x.shape.map((_, k) => k).filter((k) => k !== axis).concat([axis]);
    return ops.transpose(f(ops.transpose(x, order)), order.map((_, k) => order.indexOf(k)));
  };
}

/** The operators that files of ours may hold, by ONNX's names. */
const operators: Readonly<Record<string, Operator>> = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: pool,
  AveragePool: meanPool,
  GlobalAveragePool: globally(ops.mean),
  GlobalMaxPool: globally(ops.max),
  BatchNormalization: normalization,
  Gemm: gemm,
  MatMul: binary((a, b) => ops.matmul(a, b)),
  ReduceMean: reduced(ops.mean),
  ReduceMax: reduced(ops.max),
  ReduceSum: ({ x: [x], integers, number }) =>
    ops.sum(x, { axes: integers(1), keepDims: number("keepdims", 1) === 1 }),
  Softmax: softmaxes(ops.softmax),
  LogSoftmax: softmaxes(ops.logSoftmax),
  Pad: padded,
  Slice: part,
  Expand: expanded,
  Concat: ({ x, number }) => ops.concat(x, number("axis")),
  Transpose: ({ x: [x], list }) => ops.transpose(x, list("perm")),
  Reshape: reshaped,
  Flatten: ({ x: [x], number }) => {
    assert.equal(number("axis", 1), 1);
    return reshape(x, [x.shape[0], -1]);
  },
  // Truth is 1 here, and so is what it is cast to; f16 was widened when it was read.
  Cast: ({ x: [x], number }) => number("to") === 9 ? ops.sub(1, ops.equal(x, 0)) : x,
  Clip: ({ x: [x, low, high] }) => ops.minimum(ops.maximum(x, low), high),
  Where: ({ x: [c, a, b] }) => ops.where(c, a, b),
  Relu: unary((x) => ops.maximum(x, 0)),
  ...{ Add: binary(ops.add), Sub: binary(ops.sub), Mul: binary(ops.mul), Div: binary(ops.div) },
  ...{ Min: binary(ops.minimum), Max: binary(ops.maximum), Pow: binary(ops.pow) },
  ...{ Greater: binary(ops.greater), GreaterOrEqual: binary(ops.greaterEqual) },
  ...{ Equal: binary(ops.equal), Neg: unary(ops.neg), Abs: unary(ops.abs), Exp: unary(ops.exp) },
  ...{ Log: unary(ops.log), Sqrt: unary(ops.sqrt), Reciprocal: unary(ops.reciprocal) },
  ...{ Tanh: unary(ops.tanh), Sigmoid: unary(ops.sigmoid), Erf: unary(ops.erf) },
  ...{ Sign: unary(ops.sign), Floor: unary(ops.floor), Ceil: unary(ops.ceil) },
  ...{ Round: unary(ops.round), Sin: unary(ops.sin), Cos: unary(ops.cos) },
};

/** The results of a file for pictures `[n,c,h,w]`, in the order of its outputs. */
export function resultsOf(model: OnnxModel, pixels: Tensor): Tensor[] {
  const integers = new Map<string, number[]>();
  const known = new Map<string, Tensor>([...model.inputs.keys()].map((name) => [name, pixels]));
  for (const [name, { data, shape }] of model.tensors) {
    if (data instanceof BigInt64Array) integers.set(name, [...data].map(Number));
    else known.set(name, tensor(Float32Array.from(data), shape));
  }
  for (const node of model.nodes) known.set(node.output, applied(node, known, integers));
  return [...model.outputs.keys()].map((name) => known.get(name)!);
}

function applied(
  { op, inputs, attributes, name }: FileNode,
  known: ReadonlyMap<string, Tensor>,
  integers: ReadonlyMap<string, number[]>,
): Tensor {
  const operator = operators[op];
  assert(operator, `${name} is a ${op}, which is not known`);
  return operator({
    x: inputs.map((input) => known.get(input)!),
    integers: (k) => integers.get(inputs[k])!,
    number(name, standard) {
      const value = attributes.get(name) ?? standard;
      assert(typeof value === "number", `${op} has a number ${name}`);
      return value;
    },
    list(name) {
      const value = attributes.get(name);
      assert(Array.isArray(value), `${op} has a list ${name}`);
      return value;
    },
  });
}
