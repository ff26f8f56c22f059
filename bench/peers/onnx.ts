/**
 * Writes ONNX models: just enough of the format for the bench's graphs.
 *
 * @source onnx/onnx.proto, whose field numbers stand beside the names below
 */

/** A tensor with its elements, or an input's shape. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Elements, for a weight; absent for an input or output. */
  readonly elements?: Float32Array<ArrayBuffer>;
}

/** One operation. */
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Whole numbers, lists of them, or `{ float }`. */
  readonly attributes?: Readonly<Record<string, number | readonly number[] | { float: number }>>;
}

/** A graph with one output. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxTensor[];
  readonly weights: readonly OnnxTensor[];
  readonly output: OnnxTensor;
}

/** The graph as a model file. */
export function onnxModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const operatorSet = message([number(2, 17)]); // OperatorSetIdProto.version
  const body = message([
    ...graph.nodes.map((node) => bytes(1, nodeProto(node))), // GraphProto.node
    text(2, "bench"), // name
    ...graph.weights.map((w) => bytes(5, tensorProto(w))), // initializer
    ...graph.inputs.map((i) => bytes(11, valueInfo(i))), // input
    bytes(12, valueInfo(graph.output)), // output
  ]);
  // ModelProto: ir_version, graph, opset_import.
  return message([number(1, 8), bytes(7, body), bytes(8, operatorSet)]);
}

function nodeProto({ op, inputs, output, attributes = {} }: OnnxNode): Uint8Array<ArrayBuffer> {
  return message([
    ...inputs.map((name) => text(1, name)), // input
    text(2, output), // output
    text(4, op), // op_type
    ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
  ]);
}

function attribute(
  name: string,
  value: number | readonly number[] | { float: number },
): Uint8Array<ArrayBuffer> {
  // AttributeProto: name, then f, i or ints, then type (1 FLOAT, 2 INT, 7 INTS).
  if (typeof value === "number") return message([text(1, name), number(3, value), number(20, 2)]);
  if ("float" in value) {
    const f = new Uint8Array(new Float32Array([value.float]).buffer);
    return message([text(1, name), concat([varint(2 << 3 | 5), f]), number(20, 1)]);
  }
  return message([text(1, name), ...value.map((v) => number(8, v)), number(20, 7)]);
}

function tensorProto({ name, shape, elements }: OnnxTensor): Uint8Array<ArrayBuffer> {
  return message([
    ...shape.map((size) => number(1, size)), // dims
    number(2, float32), // data_type
    text(8, name), // name
    bytes(9, new Uint8Array(elements!.buffer)), // raw_data
  ]);
}

function valueInfo({ name, shape }: OnnxTensor): Uint8Array<ArrayBuffer> {
  // TensorShapeProto.dim is a list of Dimension { dim_value }.
  const dims = message(shape.map((size) => bytes(1, message([number(1, size)]))));
  const tensorType = message([number(1, float32), bytes(2, dims)]);
  return message([text(1, name), bytes(2, message([bytes(1, tensorType)]))]);
}

const float32 = 1;

// Protocol buffers: a field is its number and wire type, then a varint, or a length and bytes.
const message = (fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => concat(fields);

const number = (field: number, value: number): Uint8Array =>
  concat([varint(field << 3), varint(value)]);

const text = (field: number, value: string): Uint8Array =>
  bytes(field, new TextEncoder().encode(value));

const bytes = (field: number, value: Uint8Array): Uint8Array =>
  concat([varint(field << 3 | 2), varint(value.length), value]);

function varint(value: number): Uint8Array {
  const result: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) result.push(value % 128 + 128);
  return Uint8Array.from([...result, value]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
