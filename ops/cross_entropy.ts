/** Softmax cross-entropy over the last axis, with labels or with probabilities as target. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, applyOp, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, outputRef } from "../core/kernel.ts";
import { f32, show, sizeOf, type Type } from "../core/shape.ts";
import { checkDType } from "./check.ts";
import { crossEntropyGradPass, crossEntropyPass } from "./cross_entropy_kernel.ts";
import { call } from "./kernels.ts";
import { checkIgnoreIndex, checkLabels } from "./labels.ts";
import { add, div, greater, mul, where as choose } from "./pointwise.ts";
import { mean, sum } from "./reduce.ts";
import { softCrossEntropy } from "./soft_cross_entropy.ts";
import { rowsOf } from "./softmax.ts";

/** What becomes of the losses of the rows. */
export type LossReduction = "mean" | "sum" | "none";

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Rows with this label count neither in the sum nor in the mean (default −100). */
  readonly ignoreIndex?: number;
  /** Weight of each class, f32 `[c]` (default all 1); it has no gradient. */
  readonly classWeights?: Tensor;
  /** Share ε of the target that is spread evenly over all classes (default 0). */
  readonly labelSmoothing?: number;
  /** `mean` (default) divides by the sum of the rows' weights, as PyTorch does. */
  readonly reduction?: LossReduction;
}

interface CrossEntropyAttrs {
  readonly smoothing: number;
  readonly ignoreIndex: number;
}

/** Inputs: logits, labels, class weights if any. Outputs: weighted loss and weight of each row. */
const crossEntropyOp: MacroOp<CrossEntropyAttrs> = {
  kind: "macro",
  name: "crossEntropy",
  infer([logits, labels, weights], { ignoreIndex }, where) {
    checkLabels("crossEntropy", where, logits, labels);
    checkIgnoreIndex("crossEntropy", where, ignoreIndex);
    if (weights) checkWeights(where, logits, weights);
    return [f32(labels.shape), f32(labels.shape)];
  },
  grad(node, [dloss]) {
    // The rows' weights do not depend on the logits: only the losses bring a gradient.
    const [logits, labels, ...weights] = node.inputs, none = weights.map(() => null);
    if (!dloss) return [null, null, ...none];
    const inputs = [logits, labels, dloss, ...weights];
    return [applyOne(crossEntropyGradOp, inputs, node.attrs), null, ...none];
  },
  wasm({ inputs, attrs: { smoothing, ignoreIndex } }) {
    const [rows, c] = rowsOf(inputs[0]), [logits, labels] = [0, 1].map(inputRef);
    const weights = inputs.length > 2 ? inputRef(2) : 0, [loss, weight] = [0, 1].map(outputRef);
    return {
      calls: [
        call(
          "cross_entropy",
          logits,
          labels,
          weights,
          loss,
          weight,
          rows,
          c,
          smoothing,
          ignoreIndex,
        ),
      ],
    };
  },
  wgsl({ inputs, attrs }) {
    const [rows, c] = rowsOf(inputs[0]);
    return { passes: [crossEntropyPass({ rows, c, weighted: inputs.length > 2, ...attrs })] };
  },
};

/** Inputs: logits, labels, dloss, class weights if any. */
const crossEntropyGradOp: MacroOp<CrossEntropyAttrs> = {
  kind: "macro",
  name: "crossEntropyGrad",
  infer: ([logits]) => [f32(logits.shape)],
  wasm({ inputs, attrs: { smoothing, ignoreIndex } }) {
    const [rows, c] = rowsOf(inputs[0]), [logits, labels, dloss] = [0, 1, 2].map(inputRef);
    const weights = inputs.length > 3 ? inputRef(3) : 0, dlogits = outputRef(0);
    return {
      calls: [
        call(
          "cross_entropy_grad",
          logits,
          labels,
          weights,
          dloss,
          dlogits,
          rows,
          c,
          smoothing,
          ignoreIndex,
        ),
      ],
    };
  },
  wgsl({ inputs, attrs }) {
    const [rows, c] = rowsOf(inputs[0]);
    return { passes: [crossEntropyGradPass({ rows, c, weighted: inputs.length > 3, ...attrs })] };
  },
};

function checkWeights(where: string, logits: Type, weights: Type): void {
  checkDType("crossEntropy", where, "classWeights", weights);
  const c = logits.shape.at(-1);
  if (weights.shape.length === 1 && weights.shape[0] === c) return;
  throw new ShapeError(
    `Cannot crossEntropy${where}: classWeights are ${show(weights.shape)} but logits ${
      show(logits.shape)
    } have ${c} classes, [${c}] is wanted`,
  );
}

/**
 * Softmax cross-entropy over the last axis, computed from logits without overflow.
 *
 * With labels y, class weights w and smoothing ε the loss of a row is
 * `(1−ε)·w_y·(−log p_y) + ε/c · Σ_j w_j·(−log p_j)`, `p = softmax(logits)`; the mean divides by
 * `Σ w_y` over the rows that are not ignored (0 if there is none). With probabilities t it is
 * `Σ_j t'_j·(−log p_j)`, `t' = (1−ε)·t + ε/c`; the mean divides by the number of rows; a
 * probability of 0 at a logit of −∞ gives NaN. All as PyTorch's `CrossEntropyLoss`, with classes in
 * the last axis.
 *
 * Shapes: logits `[…,c]`; target i32 labels `[…]`, or f32 probabilities `[…,c]` → scalar, or `[…]`
 * for `none`. A label that is no class gives NaN. Labels and class weights have no gradient.
 *
 * @throws {ShapeError} when shapes do not fit, the smoothing is not from 0 to 1, or `classWeights`
 *   or `ignoreIndex` meets probabilities
 * @source Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, §7, for label smoothing
 * @example
 * ```ts
 * import { openDevice, ops, tensor } from "../mod.ts";
 * using device = await openDevice("wasm");
 * const logits = tensor([2, 1, 0, 0, 0, 0], [2, 3]), labels = tensor(Int32Array.of(0, 2));
 * console.log(await device.read(ops.crossEntropy(logits, labels))); // Float32Array [0.7531092]
 * ```
 */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const { labelSmoothing: smoothing = 0, reduction = "mean" } = options;
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new ShapeError(
      `Cannot crossEntropy: labelSmoothing is ${smoothing}, a number from 0 to 1 is wanted`,
    );
  }
  if (target.dtype === "f32") return softLoss(logits, target, smoothing, options);
  const { ignoreIndex = -100, classWeights } = options;
  const inputs = classWeights ? [logits, target, classWeights] : [logits, target];
  const [loss, weight] = applyOp(crossEntropyOp, inputs, { smoothing, ignoreIndex });
  if (reduction === "none") return loss;
  const total = sum(loss);
  if (reduction === "sum") return total;
  const totalWeight = sum(weight);
  return div(total, choose(greater(totalWeight, 0), totalWeight, 1));
}

function softLoss(
  logits: Tensor,
  target: Tensor,
  smoothing: number,
  { ignoreIndex, classWeights, reduction = "mean" }: CrossEntropyOptions,
): Tensor {
  const refused = classWeights ? "classWeights" : ignoreIndex !== undefined ? "ignoreIndex" : "";
  if (refused) {
    throw new ShapeError(
      `Cannot crossEntropy: target ${show(target.shape)} holds f32 probabilities, ` +
        `${refused} works with i32 labels only`,
    );
  }
  const c = logits.shape.at(-1) ?? 1;
  const mixed = smoothing === 0 ? target : add(mul(target, 1 - smoothing), smoothing / c);
  const loss = softCrossEntropy(logits, mixed);
  if (reduction === "none") return loss;
  return reduction === "sum" || sizeOf(loss.shape) === 1 ? sum(loss) : mean(loss);
}
