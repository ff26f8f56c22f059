/** At which place the label stands among the logits: what top-k accuracy counts. */
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, outputRef, reads, writes } from "../core/kernel.ts";
import { f32 } from "../core/shape.ts";
import { isNan } from "../core/wgsl_floats.ts";
import { call } from "./kernels.ts";
import { checkIgnoreIndex, checkLabels } from "./labels.ts";
import { greater, greaterEqual, mul } from "./pointwise.ts";
import { sum } from "./reduce.ts";
import { nanText, rowPass } from "./row_kernel.ts";
import { rowsOf } from "./softmax.ts";

/** Options of {@link labelRank} and {@link topKHits}. */
export interface LabelRankOptions {
  /** Rows with this label do not count (default −100). */
  readonly ignoreIndex?: number;
}

interface LabelRankAttrs {
  readonly ignoreIndex: number;
}

const labelRankOp: MacroOp<LabelRankAttrs> = {
  kind: "macro",
  name: "labelRank",
  infer([logits, labels], { ignoreIndex }, where) {
    checkLabels("labelRank", where, logits, labels);
    checkIgnoreIndex("labelRank", where, ignoreIndex);
    return [f32(labels.shape)];
  },
  grad: () => [null, null],
  wasm({ inputs, attrs }) {
    const [rows, c] = rowsOf(inputs[0]);
    const [logits, labels] = [0, 1].map(inputRef);
    return {
      calls: [call("label_rank", logits, labels, outputRef(0), rows, c, attrs.ignoreIndex)],
    };
  },
  wgsl({ inputs, attrs: { ignoreIndex } }) {
    const [rows, c] = rowsOf(inputs[0]);
    const bindings = [reads("x", 0), reads("labels", 1, "i32"), writes("rank")];
    const pass = rowPass("label_rank", rows, c, bindings, (t) =>
      [
        `  let label = labels[row];
  let ignored = label == ${ignoreIndex};
  let valid = !ignored && label >= 0 && label < ${c};
  let own_class = select(0u, u32(label), valid);
  let own = x[base + own_class];
  let own_last = ${isNan("own")};
  let fault = ${nanText};`,
        t.reduce(
          "beaten",
          "sum",
          `select(0.0, 1.0, j != own_class && (own_last || ${isNan("x[at]")} || x[at] > own ||
      (x[at] == own && j < own_class)))`,
        ),
        t.once("rank[row] = select(select(fault, -1.0, ignored), beaten, valid);"),
      ].join("\n"));
    return { passes: [pass] };
  },
};

/**
 * How many classes beat the label of each row: 0 where the label has the greatest logit. Of equal
 * logits the first class counts as greater, as `argmax` takes it. A NaN beats every number, and a
 * label whose own logit is NaN comes last: a diverged model has no hits.
 *
 * Shapes: logits `[…,c]`, i32 labels `[…]` → f32 `[…]`; −1 where the label is `ignoreIndex`, NaN
 * where it is no class. No gradient.
 *
 * @throws {ShapeError} when the shapes do not fit or the labels are no i32
 */
export function labelRank(logits: Tensor, labels: Tensor, options: LabelRankOptions = {}): Tensor {
  return applyOne(labelRankOp, [logits, labels], { ignoreIndex: options.ignoreIndex ?? -100 });
}

/**
 * Number of rows whose label is among the k greatest logits; summed over batches and divided by the
 * rows it is top-k accuracy.
 *
 * Shapes: logits `[…,c]`, i32 labels `[…]` → scalar. Rows whose label is `ignoreIndex` or no class
 * never count. No gradient.
 *
 * @param k from 1; with `k ≥ c` every valid label is a hit
 * @throws {ShapeError} when the shapes do not fit or the labels are no i32
 */
export function topKHits(
  logits: Tensor,
  labels: Tensor,
  k: number,
  options: LabelRankOptions = {},
): Tensor {
  const rank = labelRank(logits, labels, options);
  return sum(mul(greaterEqual(rank, 0), greater(k, rank)));
}
