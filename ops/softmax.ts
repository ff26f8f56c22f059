/** Softmax and its logarithm over the last axis. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, outputRef, reads, writes } from "../core/kernel.ts";
import { f32, sizeOf, type Type } from "../core/shape.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";
import { rowPass } from "./row_kernel.ts";

/** Which of the two it is. */
export interface SoftmaxAttrs {
  /** Whether the logarithm is taken. */
  readonly log: boolean;
}

/** Behind {@link softmax} and {@link logSoftmax}. */
export const softmaxOp: MacroOp<SoftmaxAttrs> = {
  kind: "macro",
  name: "softmax",
  infer([x], _, where) {
    checkDType("softmax", where, "x", x);
    if (x.shape.length === 0) {
      throw new ShapeError(`Cannot softmax${where}: x is a scalar, at least 1 axis is wanted`);
    }
    return [f32(x.shape)];
  },
  grad: (node, [dy]) => [dy ? applyOne(softmaxGradOp, [node.outputs[0], dy], node.attrs) : null],
  wasm({ inputs, attrs: { log } }) {
    const [rows, c] = rowsOf(inputs[0]);
    return { calls: [call("softmax", inputRef(0), outputRef(0), rows, c, Number(log))] };
  },
  wgsl({ inputs, attrs: { log } }) {
    const [rows, c] = rowsOf(inputs[0]);
    const pass = rowPass(log ? "log_softmax" : "softmax", rows, c, [reads("x", 0), writes("y")], (
      t,
    ) =>
      [
        t.reduce("top", "max", "x[at]"),
        t.reduce("total", "sum", "exp(x[at] - top)"),
        log
          ? `  let log_total = log(total);\n${t.each("y[at] = (x[at] - top) - log_total;")}`
          : t.each("y[at] = exp(x[at] - top) / total;"),
      ].join("\n"));
    return { passes: [pass] };
  },
};

/** From the result y: `dx = y·(dy − Σ dy·y)`, or `dy − eʸ·Σ dy` for the logarithm. */
const softmaxGradOp: MacroOp<SoftmaxAttrs> = {
  kind: "macro",
  name: "softmaxGrad",
  infer: ([y]) => [f32(y.shape)],
  wasm({ inputs, attrs: { log } }) {
    const [rows, c] = rowsOf(inputs[0]);
    return {
      calls: [
        call("softmax_grad", inputRef(0), inputRef(1), outputRef(0), rows, c, Number(log)),
      ],
    };
  },
  wgsl({ inputs, attrs: { log } }) {
    const [rows, c] = rowsOf(inputs[0]);
    const bindings = [reads("y", 0), reads("dy", 1), writes("dx")];
    const pass = rowPass(log ? "log_softmax_grad" : "softmax_grad", rows, c, bindings, (t) =>
      [
        t.reduce("total", "sum", log ? "dy[at]" : "dy[at] * y[at]"),
        t.each(
          log ? "dx[at] = dy[at] - exp(y[at]) * total;" : "dx[at] = y[at] * (dy[at] - total);",
        ),
      ].join("\n"));
    return { passes: [pass] };
  },
};

/** Rows and their length: all axes but the last, and the last. */
export function rowsOf(x: Type): readonly [rows: number, length: number] {
  const length = x.shape.at(-1) ?? 1;
  return [sizeOf(x.shape) / length, length];
}

/**
 * Softmax over the last axis: `y_j = e^(x_j) / Σ_k e^(x_k)`.
 *
 * Shapes: `[…,c]` → `[…,c]`. The largest element is subtracted first, so nothing overflows.
 *
 * @throws {ShapeError} when x is a scalar or no f32
 * @source Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs"
 */
export function softmax(x: Tensor): Tensor {
  return applyOne(softmaxOp, [x], { log: false });
}

/**
 * Logarithm of the softmax over the last axis: `y_j = x_j − log Σ_k e^(x_k)`; finite where
 * `log(softmax(x))` would not be.
 *
 * Shapes: `[…,c]` → `[…,c]`.
 *
 * @throws {ShapeError} when x is a scalar or no f32
 */
export function logSoftmax(x: Tensor): Tensor {
  return applyOne(softmaxOp, [x], { log: true });
}
