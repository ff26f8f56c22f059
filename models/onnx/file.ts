/**
 * ONNX files: a graph with its constants, as protocol buffers.
 *
 * @source onnx/onnx.proto, whose names of fields stand beside their numbers
 */
import { UsageError } from "../../core/errors.ts";
import {
  namesOf,
  type OnnxAttribute,
  type OnnxConstant,
  type OnnxElements,
  type OnnxInput,
  type OnnxNode,
  type OnnxValue,
  orderOf,
} from "./graph.ts";
import { Message } from "./protobuf.ts";

/** Version of the operators: that of ONNX 1.12 (2022), so that older runtimes read it too. */
export const opset = 17;

/** Version of the file format that came with it. */
const irVersion = 8;

/** A result of a graph, as the file names it. */
export interface OnnxResult {
  readonly name: string;
  readonly value: OnnxValue;
  /** Sizes; a text names one that is told with each run. */
  readonly shape: readonly (number | string)[];
}

/** What a file holds. */
export interface OnnxFile {
  /** Name of the graph: the model's. */
  readonly name: string;
  /** Version of what wrote it. */
  readonly version: string;
  /** Each value once. */
  readonly results: readonly OnnxResult[];
  /** Texts by name, for whoever uses the model. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Protocol buffers end here; larger models keep their weights in further files. */
const maxBytes = 2 ** 31 - 1;

/**
 * The bytes of an ONNX file.
 *
 * @throws {UsageError} when it would have 2 GiB or more
 */
export function encodeOnnx(file: OnnxFile): Uint8Array<ArrayBuffer> {
  const model = new Message()
    .integer(1, irVersion) // ir_version
    .text(2, "Fovea") // producer_name
    .text(3, file.version) // producer_version
    .message(7, graphProto(file)) // graph
    .message(8, new Message().text(1, "").integer(2, opset)); // opset_import: domain, version
  for (const [key, value] of Object.entries(file.metadata)) {
    model.message(14, new Message().text(1, key).text(2, value)); // metadata_props
  }
  if (model.size <= maxBytes) return model.encode();
  throw new UsageError(
    `Cannot export ${file.name} as ONNX: the file would have ${model.size} bytes, ` +
      `at most ${maxBytes} fit into one`,
  );
}

function graphProto({ name, results }: OnnxFile): Message {
  const order = orderOf(results.map(({ value }) => value));
  const of = <K extends OnnxValue["kind"]>(kind: K) =>
    order.filter((value): value is Extract<OnnxValue, { kind: K }> => value.kind === kind);
  const given = of("input").map((value) => ({ value, name: value.label }));
  const names = namesOf(order, new Map([...given, ...results].map((r) => [r.value, r.name])));
  const graph = new Message();
  for (const node of of("node")) graph.message(1, nodeProto(node, names)); // node
  graph.text(2, name); // name
  for (const constant of of("constant")) {
    graph.message(5, tensorProto(names.get(constant)!, constant)); // initializer
  }
  for (const input of of("input")) graph.message(11, valueInfo(input.label, input.shape)); // input
  for (const { name, shape } of results) graph.message(12, valueInfo(name, shape)); // output
  return graph;
}

function nodeProto(node: OnnxNode, names: ReadonlyMap<OnnxValue, string>): Message {
  const proto = new Message(), name = names.get(node)!;
  for (const input of node.inputs) proto.text(1, names.get(input)!); // input
  proto.text(2, name).text(3, name).text(4, node.op); // output, name, op_type
  for (const [key, value] of Object.entries(node.attributes)) {
    proto.message(5, attributeProto(key, value)); // attribute
  }
  return proto;
}

function attributeProto(name: string, value: OnnxAttribute): Message {
  const proto = new Message().text(1, name); // name
  if (typeof value === "number") return proto.integer(3, value).integer(20, 2); // i, type INT
  if ("float" in value) return proto.float(2, value.float).integer(20, 1); // f, type FLOAT
  for (const each of value) proto.integer(8, each); // ints
  return proto.integer(20, 7); // type INTS
}

function tensorProto(name: string, { shape, elements }: OnnxConstant): Message {
  const proto = new Message(), data = elements();
  for (const size of shape) proto.integer(1, size); // dims
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return proto.integer(2, dataType(data)).text(8, name).bytes(9, bytes); // data_type, name, raw_data
}

function valueInfo(name: string, shape: OnnxInput["shape"]): Message {
  const sizes = new Message();
  for (const size of shape) {
    const dimension = typeof size === "number"
      ? new Message().integer(1, size) // dim_value
      : new Message().text(2, size); // dim_param
    sizes.message(1, dimension); // dim
  }
  const tensor = new Message().integer(1, types.float).message(2, sizes); // elem_type, shape
  return new Message().text(1, name).message(2, new Message().message(1, tensor)); // name, type
}

/** TensorProto.DataType. */
const types = { float: 1, int64: 7, float16: 10 } as const;

function dataType(elements: OnnxElements): number {
  if (elements instanceof Float32Array) return types.float;
  return elements instanceof BigInt64Array ? types.int64 : types.float16;
}
