/** What an operation hands to the laws: how to draw an instance, and what it should give. */
import type * as fc from "npm:fast-check@4";
import type { Tensor } from "../../core/graph.ts";
import type { DType, Shape } from "../../core/shape.ts";

/** Elements in float64: what the reference computes with. */
export interface NdArray {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** An input to be filled by the laws: random values within a range, or given whole numbers. */
export interface InputSpec {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Range of random values (default −1 … 1). */
  readonly range?: readonly [low: number, high: number];
  /** Exact elements instead of random ones: labels, masks, pixels. */
  readonly values?: readonly number[];
  /** Keeps random values this far from each of the kinks (such as 0 for relu). */
  readonly kinks?: { readonly at: readonly number[]; readonly margin: number };
  /** Random values all different by at least this much (for max pooling). */
  readonly apart?: number;
  /** Filled as ever by the law of special values. */
  readonly isOrdinary?: boolean;
}

/** What the law of special values asks of an operation, see `special.ts`. */
export interface Special {
  /** Draws ±3.4e38 too (default true); sums overflow or not by the order of their terms. */
  readonly large?: boolean;
  /** Gradients of the differentiable inputs as PyTorch gives them, from inputs and `dy`s. */
  gradient?(inputs: readonly NdArray[], dys: readonly NdArray[]): readonly NdArray[];
}

/** One drawn instance of an operation: shapes and attributes are fixed, values are not. */
export interface Instance {
  /** Shapes and attributes in words, for messages. */
  readonly label: string;
  readonly inputs: readonly InputSpec[];
  /** The operation as users call it; one tensor per result. */
  apply(inputs: readonly Tensor[]): readonly Tensor[];
  /** The same in plain float64, at most 25 lines an operation. */
  reference(inputs: readonly NdArray[]): readonly NdArray[];
  /**
   * Inputs in each of which (the others fixed) the operation is linear. The laws then ask for
   * bit-equal results from small integers on every backend, and for the adjoint identity.
   */
  readonly linearIn?: readonly number[];
  /** Inputs with a gradient; the law of the directional derivative runs over them. */
  readonly differentiableIn?: readonly number[];
  /** Relative and absolute tolerance of f32 against the reference (default 2e-5, 2e-5). */
  readonly tolerance?: readonly [relative: number, absolute: number];
  /** The reference holds for NaN and infinities too; what that asks beside. */
  readonly special?: Special;
}

/** The laws of one operation. */
export interface LawCase {
  /** Names of the exports of `ops/mod.ts` that this case exercises. */
  readonly covers: readonly string[];
  readonly name: string;
  readonly draw: fc.Arbitrary<Instance>;
  /** Calls that must throw a ShapeError, with a part of its message. */
  readonly refuses?: readonly { readonly call: () => unknown; readonly message: RegExp }[];
}
