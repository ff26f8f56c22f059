/** What a model costs, counted from its graph. */
import { ancestors, type Node } from "../core/graph.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import { input } from "../core/structure.ts";
import type { Model } from "./model.ts";
import { asParameter, parametersOf } from "./parameter.ts";
import { Pass } from "./pass.ts";

/** Sizes of a model. */
export interface ModelDescription {
  /** Trainable elements: what papers call its parameters. */
  readonly parameters: number;
  /** Elements of running statistics. */
  readonly statistics: number;
  /**
   * Multiplications with additions for one picture, of convolutions and matrix products alone, as
   * papers count them.
   */
  readonly multiplyAdds: number;
}

/** Of one node; of a convolution each element of the result, or of what it spreads, takes a filter. */
function multiplyAddsOf({ op, inputs, outputs }: Node): number {
  const [x, w] = inputs, [y] = outputs, filter = (shape: Shape) => sizeOf(shape.slice(0, 3));
  if (op.name === "conv2d") return sizeOf(y.shape) * filter(w.shape);
  if (op.name === "convTranspose2d") return sizeOf(x.shape) * filter(w.shape);
  // An element of the result [m,n] takes as many as a has in a row: its elements over m.
  if (op.name === "matmul") return sizeOf(y.shape) * sizeOf(x.shape.slice(-2)) / y.shape.at(-2)!;
  return 0;
}

/**
 * Counts a model's elements and what it computes for one picture in evaluation. Nothing is run.
 *
 * @param size height and width of the picture (default: the model's own)
 * @throws {ShapeError} when the model does not take pictures of that size
 */
export function describeModel(
  model: Model,
  size: readonly [height: number, width: number] = [model.inputSize, model.inputSize],
): ModelDescription {
  const elements = [...parametersOf(model).values()];
  const total = (trainable: boolean): number =>
    elements.filter((t) => asParameter(t)!.trainable === trainable)
      .reduce((sum, t) => sum + sizeOf(t.shape), 0);
  const x = input([1, ...size, model.channels], "picture");
  const logits = model.forward(x, new Pass({ train: false }));
  return {
    parameters: total(true),
    statistics: total(false),
    multiplyAdds: ancestors([logits]).reduce((sum, node) => sum + multiplyAddsOf(node), 0),
  };
}
