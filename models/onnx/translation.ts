/**
 * From tensors to ONNX values. Ours have channels last, ONNX's first: a {@link Placed} value says how
 * its elements lie, and is only reordered for a reader that wants them otherwise.
 */
import { asLeaf, type Tensor } from "../../core/graph.ts";
import { literalValue } from "../../core/structure.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import { toHalf } from "../checkpoint/stored_tensor.ts";
import { permuted } from "../layout.ts";
import {
  type OnnxConstant,
  onnxIntegers,
  type OnnxNode,
  onnxNode,
  onnxScalar,
  type OnnxValue,
} from "./graph.ts";
import { type Size, type TracedPass, unfit } from "./sizes.ts";

/**
 * How the elements of a tensor lie in an ONNX value.
 *
 * - `plain`: as here
 * - `channelsFirst`: the last axis comes second, `[n,h,w,c]` → `[n,c,h,w]`
 * - `flattened`: `[n,h·w·c]`, in the order of `[n,c,h,w]`
 */
export type Layout = "plain" | "channelsFirst" | {
  readonly flattened: readonly [h: number, w: number, c: number];
};

/**
 * A convolution or matrix product by constant weights, which can still take a factor and a summand for
 * each channel of its result.
 */
export interface Product {
  /** What its weights are called. */
  readonly label: string;
  /** Sizes in ONNX's order. */
  readonly shape: Shape;
  /** Its weights in that order. */
  readonly elements: () => Float32Array;
  /** Which channel of the result element k of the weights belongs to. */
  readonly channelOf: (k: number) => number;
  /** Channels of the result. */
  readonly channels: number;
  /** A summand for each channel, in float64: it is rounded when it is written. */
  readonly bias?: { readonly label: string; readonly elements: Float64Array };
  /** The operation for its weights, and its bias where there is one. */
  readonly write: (...weights: readonly OnnxValue[]) => OnnxValue;
}

/** A value, and how a tensor's elements lie in it. */
export interface Placed {
  readonly value: OnnxValue;
  readonly layout: Layout;
  /** Where it is a product by weights: what else can be put into them. */
  readonly product?: Product;
}

/** Axes with the last one second: `[n,h,w,c]` → `[n,c,h,w]`. */
export function channelsSecond<T>(axes: readonly T[]): T[] {
  return [axes[0], axes[axes.length - 1], ...axes.slice(1, -1)];
}

const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

/** Axes `[n,c,h,w]` → `[n,h,w,c]`. */
const channelsLast = (rank: number): number[] => [0, ...numbersTo(rank).slice(2), 1];

/** What the translators of operations are given: tensors that were placed before, and constants. */
export class Translation {
  readonly #placed = new Map<Tensor, Placed>();
  readonly #moved = new Map<Tensor, Map<string, OnnxValue>>();
  readonly #numbers = new Map<number, OnnxValue>();

  /**
   * Begins a translation.
   *
   * @param name of the model, for messages
   * @param weights elements of the model's parameters
   * @param half whether weights are kept as f16
   */
  constructor(
    readonly name: string,
    readonly pass: TracedPass,
    readonly weights: ReadonlyMap<Tensor, Float32Array>,
    readonly half: boolean,
  ) {}

  /** Notes where a tensor is. */
  place(t: Tensor, placed: Placed): void {
    this.#placed.set(t, placed);
  }

  /** Sizes of a tensor for any batch. */
  sizesOf(t: Tensor): readonly Size[] {
    return this.pass.sizesOf(t);
  }

  /** Elements of a weight or constant in our order; undefined for what is computed. */
  constantOf(t: Tensor): Float32Array | undefined {
    const found = this.weights.get(t);
    if (found !== undefined) return found;
    const { data } = asLeaf(t) ?? {};
    return data instanceof Float32Array ? data : undefined;
  }

  /** Where a tensor is. */
  placed(t: Tensor): Placed {
    const known = this.#placed.get(t);
    if (known !== undefined) return known;
    const placed: Placed = { value: this.#constant(t, t.shape), layout: "plain" };
    this.#placed.set(t, placed);
    return placed;
  }

  /** A tensor with its elements in our order. */
  plain(t: Tensor): OnnxValue {
    const { value, layout } = this.placed(t), rank = t.shape.length;
    if (layout === "plain") return value;
    return this.#once(t, "plain", () => {
      if (layout === "channelsFirst") return transposed(value, channelsLast(rank));
      const [h, w, c] = layout.flattened, [n] = this.sizesOf(t);
      const images = this.reshaped(value, [n, c, h, w]);
      return this.reshaped(transposed(images, channelsLast(4)), this.sizesOf(t));
    });
  }

  /**
   * A tensor with its channels in the second axis.
   *
   * @param rank number of axes that it broadcasts to, from 3; its own come last
   */
  channelsFirst(t: Tensor, rank = t.shape.length): OnnxValue {
    const { value, layout } = this.placed(t);
    if (layout === "channelsFirst") return value;
    // One number fits everywhere, however many axes it has.
    if (sizeOf(t.shape) === 1 && t.shape.length <= 1) return value;
    return this.#once(t, `channelsFirst${rank}`, () => {
      const missing = rank - t.shape.length, ones = new Array<number>(missing).fill(1);
      if (this.constantOf(t) && literalValue(t) === undefined) {
        return this.#constant(t, channelsSecond([...ones, ...t.shape]), [...ones, ...t.shape]);
      }
      const own = this.plain(t);
      const whole = missing > 0 ? this.reshaped(own, [...ones, ...this.sizesOf(t)]) : own;
      return transposed(whole, channelsSecond(numbersTo(rank)));
    });
  }

  /**
   * The same elements in the same order under other sizes, for any batch.
   *
   * @throws {UsageError} when several sizes grow with the batch
   */
  reshaped(value: OnnxValue, sizes: readonly Size[], path = ""): OnnxNode {
    if (sizes.filter((size) => typeof size === "object").length > 1) {
      throw unfit(this.name, `${path || "a reshape"} has several axes that grow with the batch`);
    }
    const list = sizes.map((size) => typeof size === "number" ? size : -1);
    return onnxNode("Reshape", [value, onnxIntegers("shape", list)], path);
  }

  /** A number, as one constant for all that read it. */
  number(value: number): OnnxValue {
    const known = this.#numbers.get(value) ?? onnxScalar(value);
    this.#numbers.set(value, known);
    return known;
  }

  /** A weight of the file, in f16 where that is asked for and it is no vector. */
  weight(label: string, shape: Shape, elements: () => Float32Array): OnnxValue {
    const full: OnnxConstant = { kind: "constant", label, shape, elements };
    if (!this.half || shape.length < 2) return full;
    const half: OnnxConstant = { ...full, elements: () => halved(label, shape, elements()) };
    return onnxNode("Cast", [half], label, { to: 1 });
  }

  /** A constant tensor, perhaps in another order of its axes. */
  #constant(t: Tensor, shape: Shape, before?: Shape): OnnxValue {
    const literal = literalValue(t), elements = this.constantOf(t), { path } = t.node;
    const isFixed = this.sizesOf(t).every((size) => typeof size === "number");
    if (!isFixed || (literal === undefined && elements === undefined)) {
      throw unfit(this.name, `${t.node.label} is no constant of floats for every batch`);
    }
    if (literal !== undefined) {
      if (t.shape.length === 0) return this.number(literal);
      const filled = (): Float32Array => new Float32Array(sizeOf(shape)).fill(literal);
      return { kind: "constant", label: path || "number", shape, elements: filled };
    }
    const label = asLeaf(t)?.label || "constant";
    return this.weight(label, shape, () => {
      return before
        ? permuted(elements!, before, channelsSecond(numbersTo(before.length)))
        : elements!;
    });
  }

  #once(t: Tensor, key: string, make: () => OnnxValue): OnnxValue {
    const known = this.#moved.get(t) ?? new Map<string, OnnxValue>();
    this.#moved.set(t, known);
    const value = known.get(key) ?? make();
    known.set(key, value);
    return value;
  }
}

/** @throws {CheckpointError} when a number is too large */
function halved(label: string, shape: Shape, elements: Float32Array): Float16Array {
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  const half = toHalf(label, { dtype: "F32", shape, bytes }).bytes;
  return new Float16Array(half.buffer, half.byteOffset, elements.length);
}

/** A value with its axes in another order. */
export function transposed(value: OnnxValue, order: readonly number[], path = ""): OnnxNode {
  return onnxNode("Transpose", [value], path, { perm: order });
}
