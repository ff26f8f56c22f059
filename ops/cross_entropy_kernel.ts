/** The WGSL of cross-entropy with labels. */
import { reads, type WgslPass, writes } from "../core/kernel.ts";
import { wgslNumber } from "../core/wgsl_floats.ts";
import { nanText, rowPass, type RowText } from "./row_kernel.ts";

/** What a kernel depends on. */
export interface CrossEntropyKey {
  readonly rows: number;
  readonly c: number;
  /** There are class weights. */
  readonly weighted: boolean;
  readonly smoothing: number;
  readonly ignoreIndex: number;
}

/** Reads the row's label; defines `label, ignored, valid, own_weight, top, total`. */
const start = ({ c, weighted, ignoreIndex }: CrossEntropyKey, t: RowText): string =>
  [
    `  let label = labels[row];
  let ignored = label == ${ignoreIndex};
  let valid = !ignored && label >= 0 && label < ${c};
  let own = select(0u, u32(label), valid);
  let own_weight = ${weighted ? "weights[own]" : "1.0"};`,
    t.reduce("top", "max", "x[at]"),
    t.reduce("total", "sum", "exp(x[at] - top)"),
  ].join("\n");

/** Inputs logits, labels, class weights; outputs loss and weight of each row. */
export function crossEntropyPass(key: CrossEntropyKey): WgslPass {
  const { rows, c, weighted, smoothing } = key;
  const weights = weighted ? [reads("weights", 2)] : [];
  const bindings = [
    reads("x", 0),
    reads("labels", 1, "i32"),
    ...weights,
    writes("loss", 0),
    writes("weight", 1),
  ];
  const share = wgslNumber(smoothing / c), factor = weighted ? "weights[j] * " : "";
  return rowPass(`cross_entropy${smoothing > 0 ? "_smooth" : ""}`, rows, c, bindings, (t) =>
    [
      start(key, t),
      "  let log_total = log(total);",
      smoothing > 0 ? t.reduce("spread", "sum", `${factor}(log_total - (x[at] - top))`) : "",
      t.once(`if (valid) {
    let own_loss = own_weight * (log_total - (x[base + own] - top));
    loss[row] = ${wgslNumber(1 - smoothing)} * own_loss${
        smoothing > 0 ? ` + ${share} * spread` : ""
      };
    weight[row] = own_weight;
  } else {
    let fault = ${nanText};
    loss[row] = select(fault, 0.0, ignored);
    weight[row] = select(fault, 0.0, ignored);
  }`),
    ].filter((line) => line).join("\n"));
}

/**
 * Inputs logits, labels, dloss, class weights; output
 * `dx_j = dloss · ((1−ε)·w_y·(p_j − [j = y]) + ε/c·(p_j·Σw − w_j))`.
 */
export function crossEntropyGradPass(key: CrossEntropyKey): WgslPass {
  const { rows, c, weighted, smoothing } = key;
  const weights = weighted ? [reads("weights", 3)] : [];
  const bindings = [
    reads("x", 0),
    reads("labels", 1, "i32"),
    reads("dloss", 2),
    ...weights,
    writes("dx"),
  ];
  const smooth = smoothing > 0, mass = weighted ? "mass" : wgslNumber(c);
  const spread = smooth
    ? ` + ${wgslNumber(smoothing / c)} * (p * ${mass} - ${weighted ? "weights[j]" : "1.0"})`
    : "";
  return rowPass(`cross_entropy_grad${smooth ? "_smooth" : ""}`, rows, c, bindings, (t) =>
    [
      start(key, t),
      smooth && weighted ? t.reduce("mass", "sum", "weights[j]") : "",
      `  let upstream = dloss[row];
  let fault = ${nanText};`,
      t.each(`let p = exp(x[at] - top) / total;
    let hit = select(0.0, 1.0, j == own);
    let d = upstream * (${wgslNumber(1 - smoothing)} * own_weight * (p - hit)${spread});
    dx[at] = select(select(fault, 0.0, ignored), d, valid);`),
    ].filter((line) => line).join("\n"));
}
