/** Reads ONNX files, strictly: what the format does not know is an error, and so is a wrong order. */
import assert from "node:assert/strict";

/** A tensor of the file. */
export interface FileTensor {
  readonly type: number;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float16Array | BigInt64Array;
}

/** An operation of the file. */
export interface FileNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: ReadonlyMap<string, number | readonly number[]>;
}

/** A file. */
export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: readonly [name: string, version: string];
  readonly opset: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nodes: readonly FileNode[];
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly inputs: ReadonlyMap<string, readonly (number | string)[]>;
  readonly outputs: ReadonlyMap<string, readonly (number | string)[]>;
}

/** The fields of a message by number: numbers and floats as they are, the rest as bytes. */
type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

function fieldsOf(bytes: Uint8Array, known: readonly number[]): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++];
      assert(byte !== undefined, "a number ends within the message");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const tag = varint(), field = tag >> 3, wire = tag & 7;
    assert(known.includes(field), `field ${field} is none of ${known}`);
    let value: number | Uint8Array;
    if (wire === 0) value = varint();
    else {
      assert(wire === 2 || wire === 5, `wire type ${wire}`);
      const length = wire === 5 ? 4 : varint();
      const part = bytes.subarray(at, at += length);
      assert(at <= bytes.length, "a field ends within the message");
      value = wire === 5 ? new DataView(part.buffer, part.byteOffset).getFloat32(0, true) : part;
    }
    fields.set(field, [...fields.get(field) ?? [], value]);
  }
  return fields;
}

const numbers = (fields: Fields, field: number): number[] =>
  (fields.get(field) ?? []).map((value) => {
    assert(typeof value === "number");
    return value;
  });
const parts = (fields: Fields, field: number): Uint8Array[] =>
  (fields.get(field) ?? []).map((value) => {
    assert(typeof value !== "number");
    return value;
  });
const textIn = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const text = (fields: Fields, field: number): string => {
  const [only, ...more] = parts(fields, field);
  assert(only && more.length === 0, `field ${field} is there once`);
  return textIn(only);
};

function attributeOf(bytes: Uint8Array): [string, number | readonly number[]] {
  const fields = fieldsOf(bytes, [1, 2, 3, 8, 20]), [type] = numbers(fields, 20);
  const values = numbers(fields, { 1: 2, 2: 3, 7: 8 }[type] ?? 0);
  return [text(fields, 1), type === 7 ? values : values[0]];
}

function nodeOf(bytes: Uint8Array): FileNode {
  const fields = fieldsOf(bytes, [1, 2, 3, 4, 5]);
  return {
    name: text(fields, 3),
    op: text(fields, 4),
    inputs: parts(fields, 1).map(textIn),
    output: text(fields, 2),
    attributes: new Map(parts(fields, 5).map(attributeOf)),
  };
}

function tensorOf(bytes: Uint8Array): [string, FileTensor] {
  const fields = fieldsOf(bytes, [1, 2, 8, 9]), [type] = numbers(fields, 2);
  const shape = numbers(fields, 1), { buffer } = new Uint8Array(parts(fields, 9)[0]);
  const data = type === 1
    ? new Float32Array(buffer)
    : type === 10
    ? new Float16Array(buffer)
    : new BigInt64Array(buffer);
  assert([1, 7, 10].includes(type), `element type ${type}`);
  assert.equal(data.length, shape.reduce((a, b) => a * b, 1), text(fields, 8));
  return [text(fields, 8), { type, shape, data }];
}

function valueOf(bytes: Uint8Array): [string, (number | string)[]] {
  const fields = fieldsOf(bytes, [1, 2]), [type] = parts(fields, 2);
  const [tensor] = parts(fieldsOf(type, [1]), 1), inner = fieldsOf(tensor, [1, 2]);
  assert.deepEqual(numbers(inner, 1), [1], "f32");
  const dims = parts(fieldsOf(parts(inner, 2)[0], [1]), 1).map((dim) => {
    const of = fieldsOf(dim, [1, 2]);
    return of.has(2) ? text(of, 2) : numbers(of, 1)[0];
  });
  return [text(fields, 1), dims];
}

/** Reads a file and checks that every name is given once, before it is used. */
export function readOnnx(bytes: Uint8Array): OnnxModel {
  const model = fieldsOf(bytes, [1, 2, 3, 7, 8, 14]);
  const graph = fieldsOf(parts(model, 7)[0], [1, 2, 5, 11, 12]);
  const [operators] = parts(model, 8).map((set) => fieldsOf(set, [1, 2]));
  assert.equal(text(operators, 1), "", "the standard operators");
  const metadata = parts(model, 14).map((entry) => {
    const fields = fieldsOf(entry, [1, 2]);
    return [text(fields, 1), text(fields, 2)];
  });
  const result: OnnxModel = {
    irVersion: numbers(model, 1)[0],
    producer: [text(model, 2), text(model, 3)],
    opset: numbers(operators, 2)[0],
    metadata: Object.fromEntries(metadata),
    nodes: parts(graph, 1).map(nodeOf),
    tensors: new Map(parts(graph, 5).map(tensorOf)),
    inputs: new Map(parts(graph, 11).map(valueOf)),
    outputs: new Map(parts(graph, 12).map(valueOf)),
  };
  checkNames(result);
  return result;
}

function checkNames({ nodes, tensors, inputs, outputs }: OnnxModel): void {
  const known = new Set<string>(), used = new Set<string>(outputs.keys());
  const give = (name: string): void => {
    assert(name !== "" && !known.has(name), `${name} is given twice`);
    known.add(name);
  };
  [...tensors.keys(), ...inputs.keys()].forEach(give);
  for (const { inputs, output } of nodes) {
    for (const name of inputs) assert(known.has(name), `${name} is used before it is given`);
    inputs.forEach((name) => used.add(name));
    give(output);
  }
  assert.deepEqual([...known].filter((name) => !used.has(name)), [], "all of it is used");
}
