/**
 * The graph: a {@link Tensor} is one output of a {@link Node}, a node is an operation applied to
 * tensors. Both are immutable and own no memory; nothing is computed before a plan runs.
 */
import type { Expr } from "./expr.ts";
import type { Epilogue, WasmProgram, WgslProgram } from "./kernel.ts";
import type { DType, Shape, Type } from "./shape.ts";
import { show } from "./shape.ts";

/** The gradient of each output of a node, where it has one. */
export type OutputGradients = readonly (Tensor | undefined)[];

/** What every operation says of itself. `A` are its attributes, such as strides and padding. */
export interface OpBase<A> {
  /** What plans and messages call it, such as `conv2d`. */
  readonly name: string;
  /**
   * Types of the results; runs when the operation is applied, so errors point at the caller's line.
   *
   * @throws {ShapeError} when the inputs do not fit
   */
  infer(inputs: readonly Type[], attrs: A, where: string): readonly Type[];
  /** One gradient per input (`null` where there is none), as nodes of the same graph. */
  grad?(node: Node<A>, dys: OutputGradients): readonly (Tensor | null)[];
}

/** A pointwise operation: one expression, melted into neighbouring maps. Inputs broadcast. */
export interface MapOp<A = unknown> extends OpBase<A> {
  /** Marks an operation that may share a kernel with its neighbours. */
  readonly kind: "map";
  /** What one element of the result is; argument k is the element of input k. */
  expr(attrs: A, inputs: readonly Type[]): Expr;
}

/** An operation with hand-shaped kernels, one per backend; it meets its neighbours in buffers. */
export interface MacroOp<A = unknown> extends OpBase<A> {
  /** Marks an operation that runs in kernels of its own. */
  readonly kind: "macro";
  /** Its compute passes on a GPU. */
  wgsl(node: Node<A>): WgslProgram;
  /**
   * Its calls of the tensor module on a CPU.
   *
   * @param epilogue what they have to do to the result, where {@link takesEpilogue}
   */
  wasm(node: Node<A>, epilogue?: Epilogue): WasmProgram;
  /** Offers epilogues on a CPU: pointwise operations that follow then cost no step of their own. */
  readonly takesEpilogue?: boolean;
  /**
   * Multiplications with additions of convolutions and matrix products: what papers count as the
   * cost of a model. Absent for anything else.
   */
  multiplyAdds?(node: Node<A>): number;
}

/** A value from outside: an input of the plan, a variable in a store, or a constant. */
export interface LeafOp<A = unknown> extends OpBase<A> {
  /** Marks a value that no step computes. */
  readonly kind: "leaf";
}

/** The same elements under another shape; costs nothing. */
export interface ViewOp<A = unknown> extends OpBase<A> {
  /** Marks an operation that no step runs. */
  readonly kind: "view";
}

/** Tensors laid side by side in one block; the planner lets their kernels write into it. */
export interface PackOp<A = unknown> extends OpBase<A> {
  /** Marks a block that the kernels of its inputs write into. */
  readonly kind: "pack";
  /** Offset of each input, in elements. */
  offsets(attrs: A): readonly number[];
}

/** An operation. There is no registry: a node holds its op. */
export type Op<A = unknown> = MapOp<A> | MacroOp<A> | LeafOp<A> | ViewOp<A> | PackOp<A>;

let created = 0;

/** Lets a node belong to a layer, unless a variable among its inputs says to which. */
let assign: (node: Node, path: string) => void;

/** An operation applied to tensors. */
export class Node<A = unknown> {
  /** Position in order of creation; the schedule follows it where dependencies leave a choice. */
  readonly id: number = created++;
  /** One tensor per result of the operation. */
  readonly outputs: readonly Tensor[];
  readonly #ownPath: string;
  #path: string;

  static {
    assign = (node, path) => node.#path = node.#ownPath || path;
  }

  /**
   * Applies an operation; {@link applyOp} and {@link applyOne} do this.
   *
   * @param op the operation
   * @param inputs what it is applied to, in the order of its formula
   * @param attrs its settings, such as strides
   * @throws {ShapeError} when the inputs do not fit the operation
   */
  constructor(readonly op: Op<A>, readonly inputs: readonly Tensor[], readonly attrs: A) {
    this.#ownPath = layerPath(inputs);
    this.#path = this.#ownPath || pathBefore(op, inputs);
    const types = op.infer(inputs, attrs, this.#path ? ` at ${this.#path}` : "");
    this.outputs = types.map((type, index) => new Tensor(this, index, type));
  }

  /**
   * Path of the layer this belongs to, such as `layer2.0.conv1`, or empty: that of its first
   * variable; what is pointwise belongs to the layer whose result it changes, a gradient to that of
   * what it is the gradient of.
   */
  get path(): string {
    return this.#path;
  }

  /** `conv2d at layer2.0.conv1`, for plans and messages. */
  get label(): string {
    return this.path ? `${this.op.name} at ${this.path}` : this.op.name;
  }
}

/** An immutable value of the graph. It owns no memory: ask a device to read it. */
export class Tensor implements Type {
  /** Sizes of the axes, outermost first; `[]` for a scalar. */
  readonly shape: Shape;
  /** How its elements are stored. */
  readonly dtype: DType;

  /**
   * Made by {@link Node}; not meant to be called elsewhere.
   *
   * @param node the applied operation that yields it
   * @param index which of the node's outputs it is, from 0
   */
  constructor(readonly node: Node, readonly index: number, type: Type) {
    this.shape = type.shape;
    this.dtype = type.dtype;
  }

  /** `Tensor(64x10, f32, conv2d)`. */
  toString(): string {
    return `Tensor(${this.shape.join("x") || "scalar"}, ${this.dtype}, ${this.node.label})`;
  }

  /** How `console.log` shows it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/**
 * Applies an operation with several outputs.
 *
 * @throws {ShapeError} when the inputs do not fit the operation
 */
export function applyOp<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A): readonly Tensor[] {
  return new Node(op, inputs, attrs).outputs;
}

/**
 * Applies an operation with one output.
 *
 * @throws {ShapeError} when the inputs do not fit the operation
 */
export function applyOne<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A): Tensor {
  return new Node(op, inputs, attrs).outputs[0];
}

/** Attributes of a leaf. The label of a variable is given once its place in a model is known. */
export interface LeafAttrs {
  /** Shape and element type of the value. */
  readonly type: Type;
  /** Whether it is given for each run, kept in a store, or uploaded once. */
  readonly role: "input" | "variable" | "constant";
  /** Name in plans and messages; the path of a parameter. */
  label: string;
  /** Elements of a constant. */
  readonly data?: Float32Array | Int32Array | Uint32Array;
}

/** Inputs, variables and constants. */
export const leafOp: LeafOp<LeafAttrs> = {
  kind: "leaf",
  name: "leaf",
  infer: (_, attrs) => [attrs.type],
};

/** A node's attributes as those of a leaf, or undefined for any other operation. */
export function asLeaf(tensor: Tensor): LeafAttrs | undefined {
  return tensor.node.op.kind === "leaf" ? tensor.node.attrs as LeafAttrs : undefined;
}

/** The layer of a node's first variable, by the path before the last dot. */
function layerPath(inputs: readonly Tensor[]): string {
  for (const input of inputs) {
    const leaf = asLeaf(input);
    if (leaf?.role === "variable" && leaf.label.includes(".")) {
      return leaf.label.slice(0, leaf.label.lastIndexOf("."));
    }
  }
  return "";
}

/** Pointwise operations melt into what they follow, or would. */
function pathBefore({ kind }: Op, inputs: readonly Tensor[]): string {
  if (kind !== "map" && kind !== "view") return "";
  return inputs.find((t) => t.node.path)?.node.path ?? "";
}

/**
 * What `make` yields, with all nodes that were made for it belonging to one layer, but for those
 * whose variables name another.
 *
 * @param path of the layer; an empty one changes nothing
 */
export function atLayer<T extends readonly (Tensor | null)[]>(path: string, make: () => T): T {
  const first = created, results = make();
  if (path === "") return results;
  const seen = new Set<Node>(), pending = results.flatMap((t) => t?.node ?? []);
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (node.id < first || seen.has(node)) continue;
    seen.add(node);
    assign(node, path);
    for (const input of node.inputs) pending.push(input.node);
  }
  return results;
}

/** Nodes below `roots`, each once, inputs before users, in order of creation. */
export function ancestors(roots: readonly Tensor[]): Node[] {
  const seen = new Set<Node>(), pending = roots.map((t) => t.node);
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) pending.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** `conv2d of [8,16,16,64] and [3,3,64,128]`, for messages. */
export function describe(node: Node): string {
  return `${node.label} of ${node.inputs.map((t) => show(t.shape)).join(" and ")}`;
}
