/** What a model costs, counted from its graph. */
import { ancestors, type Node } from "../core/graph.ts";
import { sizeOf } from "../core/shape.ts";
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

const multiplyAddsOf = (node: Node): number =>
  node.op.kind === "macro" ? node.op.multiplyAdds?.(node) ?? 0 : 0;

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
