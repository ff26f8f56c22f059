/** ONNX graphs as plain data: a value is what it is computed from, and has no name yet. */

/** An attribute of an operation: a whole number, a list of them, or a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** Elements of a constant: FLOAT, FLOAT16 or INT64. */
export type OnnxElements = Float32Array | Float16Array | BigInt64Array;

/** A value from outside. */
export interface OnnxInput {
  readonly kind: "input";
  /** Its name in the file. */
  readonly label: string;
  /** Sizes; a text names one that is told with each run. */
  readonly shape: readonly (number | string)[];
}

/** A value of the file: an initialiser. */
export interface OnnxConstant {
  readonly kind: "constant";
  /** What it is called, unless something else is called so. */
  readonly label: string;
  readonly shape: readonly number[];
  /** Its elements in row-major order, made when the file is written, and only if it is used. */
  readonly elements: () => OnnxElements;
}

/** An operation with one result. */
export interface OnnxNode {
  readonly kind: "node";
  /** As ONNX calls it, such as `Conv`. */
  readonly op: string;
  readonly inputs: readonly OnnxValue[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
  /** The layer it belongs to, or empty. */
  readonly path: string;
}

/** A value of a graph. */
export type OnnxValue = OnnxInput | OnnxConstant | OnnxNode;

/** An operation applied to values. */
export function onnxNode(
  op: string,
  inputs: readonly OnnxValue[],
  path: string,
  attributes: OnnxNode["attributes"] = {},
): OnnxNode {
  return { kind: "node", op, inputs, attributes, path };
}

/** A number, as a constant without axes. */
export function onnxScalar(value: number): OnnxConstant {
  const elements = (): Float32Array => Float32Array.of(value);
  return { kind: "constant", label: `constant_${value}`, shape: [], elements };
}

/** Whole numbers, such as the sizes that a `Reshape` takes. */
export function onnxIntegers(label: string, values: readonly number[]): OnnxConstant {
  const elements = (): BigInt64Array => BigInt64Array.from(values, BigInt);
  return { kind: "constant", label, shape: [values.length], elements };
}

/** All that the values are computed from, and they themselves, each once, inputs before users. */
export function orderOf(roots: readonly OnnxValue[]): OnnxValue[] {
  const seen = new Set<OnnxValue>(), order = new Set<OnnxValue>(), pending = [...roots].reverse();
  for (let value = pending.at(-1); value; value = pending.at(-1)) {
    const inputs = value.kind === "node" && !seen.has(value) ? value.inputs : [];
    seen.add(value);
    const missing = inputs.filter((input) => !order.has(input));
    if (missing.length === 0) {
      order.add(value);
      pending.pop();
    } else pending.push(...missing.toReversed());
  }
  return [...order];
}

/**
 * A name for every value: what it is called, with a number behind it where that is taken.
 *
 * @param fixed names that are known outside of the graph
 */
export function namesOf(
  order: readonly OnnxValue[],
  fixed: ReadonlyMap<OnnxValue, string>,
): Map<OnnxValue, string> {
  const names = new Map(fixed), taken = new Map([...fixed.values()].map((name) => [name, 1]));
  for (const value of order) {
    if (names.has(value)) continue;
    const wanted = value.kind === "node"
      ? `${value.path ? `${value.path}/` : ""}${value.op}`
      : value.label;
    let name = wanted;
    for (let count = taken.get(wanted) ?? 0; taken.has(name); name = `${wanted}_${++count}`);
    taken.set(wanted, (taken.get(wanted) ?? 0) + 1);
    taken.set(name, taken.get(name) ?? 1);
    names.set(value, name);
  }
  return names;
}
