/** Cross-entropy against probabilities: mixed labels, distillation. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, outputRef, reads, writes } from "../core/kernel.ts";
import { f32, sameShape, show } from "../core/shape.ts";
import { reshape } from "../core/structure.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";
import { mul, neg } from "./pointwise.ts";
import { rowPass } from "./row_kernel.ts";
import { logSoftmax, rowsOf } from "./softmax.ts";

const softCrossEntropyOp: MacroOp<void> = {
  kind: "macro",
  name: "softCrossEntropy",
  infer([logits, target], _, where) {
    checkDType("crossEntropy", where, "logits", logits);
    checkDType("crossEntropy", where, "target", target);
    if (logits.shape.length === 0 || !sameShape(logits.shape, target.shape)) {
      throw new ShapeError(
        `Cannot crossEntropy${where}: target ${show(target.shape)} of probabilities does not ` +
          `fit logits ${show(logits.shape)}, equal shapes are wanted (labels are i32)`,
      );
    }
    return [f32(logits.shape.slice(0, -1))];
  },
  grad(node, [dloss]) {
    if (!dloss) return [null, null];
    const [logits, target] = node.inputs;
    const perRow = reshape(dloss, [...dloss.shape, 1]);
    return [
      applyOne(softCrossEntropyGradOp, [logits, target, dloss], undefined),
      neg(mul(perRow, logSoftmax(logits))),
    ];
  },
  wasm({ inputs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const [logits, target] = [0, 1].map(inputRef);
    return { calls: [call("soft_cross_entropy", logits, target, outputRef(0), rows, c)] };
  },
  wgsl({ inputs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const bindings = [reads("x", 0), reads("target_", 1), writes("loss")];
    const pass = rowPass("soft_cross_entropy", rows, c, bindings, (t) =>
      [
        t.reduce("top", "max", "x[at]"),
        t.reduce("total", "sum", "exp(x[at] - top)"),
        "  let log_total = log(total);",
        t.reduce("result", "sum", "target_[at] * (log_total - (x[at] - top))"),
        t.once("loss[row] = result;"),
      ].join("\n"));
    return { passes: [pass] };
  },
};

/** `dx_j = dloss · (p_j·Σt − t_j)`. */
const softCrossEntropyGradOp: MacroOp<void> = {
  kind: "macro",
  name: "softCrossEntropyGrad",
  infer: ([logits]) => [f32(logits.shape)],
  wasm({ inputs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const [logits, target, dloss] = [0, 1, 2].map(inputRef);
    return {
      calls: [call("soft_cross_entropy_grad", logits, target, dloss, outputRef(0), rows, c)],
    };
  },
  wgsl({ inputs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const bindings = [reads("x", 0), reads("target_", 1), reads("dloss", 2), writes("dx")];
    const pass = rowPass("soft_cross_entropy_grad", rows, c, bindings, (t) =>
      [
        t.reduce("top", "max", "x[at]"),
        t.reduce("total", "sum", "exp(x[at] - top)"),
        t.reduce("mass", "sum", "target_[at]"),
        "  let upstream = dloss[row];",
        t.each("dx[at] = upstream * (exp(x[at] - top) / total * mass - target_[at]);"),
      ].join("\n"));
    return { passes: [pass] };
  },
};

/** `loss = Σ_j t_j·(−log softmax(x)_j)` of each row: logits and target `[…,c]` → `[…]`. */
export function softCrossEntropy(logits: Tensor, target: Tensor): Tensor {
  return applyOne(softCrossEntropyOp, [logits, target], undefined);
}
