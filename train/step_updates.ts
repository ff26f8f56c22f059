/** The updates of a training step: gradients, weights, running statistics. */
import { grad } from "../core/grad.ts";
import type { Tensor } from "../core/graph.ts";
import type { Update } from "../core/plan/program.ts";
import type { Block, Store } from "../core/store.ts";
import { full, pack } from "../core/structure.ts";
import type { Pass } from "../models/pass.ts";
import { add, minimum, mul, rsqrt, square, sub } from "../ops/pointwise.ts";
import { sum } from "../ops/reduce.ts";
import type { Optimizer } from "./optimizer.ts";

/** Gradients of a loss, one vector per block of weights, laid out as the block is. */
export function blockGradients(loss: Tensor, weights: Store): Tensor[] {
  const grads = grad(loss, weights.blocks.flatMap((b) => b.variables));
  let taken = 0;
  return weights.blocks.map((b) => {
    const own = grads.slice(taken, taken += b.variables.length);
    return pack(own, b.offsets, b.size);
  });
}

/** New weights and moments, from gradients that are clipped first if asked for. */
export function weightUpdates(
  gradients: readonly Tensor[],
  weights: Store,
  optimizer: Optimizer,
  moments: readonly Store[],
  clipNorm?: number,
): Update[] {
  const clipped = clipNorm === undefined ? gradients : clip(gradients, clipNorm);
  return weights.blocks.flatMap((block, k) =>
    optimizer.update({
      weights: block.whole,
      gradient: clipped[k],
      moments: moments.map((store) => store.blocks[k].variables[0]),
    })
  );
}

function clip(gradients: readonly Tensor[], norm: number): Tensor[] {
  const squares = gradients.map((g) => sum(square(g))).reduce((a, b) => add(a, b));
  const scale = minimum(1, mul(norm, rsqrt(add(squares, 1e-12))));
  return gradients.map((g) => mul(g, scale));
}

/** Adds a share of a micro-batch's gradients to sums. */
export function gradientSums(gradients: readonly Tensor[], sums: Store, share: number): Update[] {
  return sums.blocks.map((block, k): Update => {
    const [total] = block.variables;
    return [total, add(total, mul(gradients[k], share))];
  });
}

/** Sets sums back to 0. */
export function clearSums(sums: Store): Update[] {
  return sums.blocks.map(({ variables: [total] }): Update => [total, full(0, total.shape)]);
}

/** Running statistics move towards the batch's: one kernel per block where all move alike. */
export function statisticUpdates(pass: Pass, statistics: Store): Update[] {
  const observed = new Map(pass.observed.map((o) => [o.statistic, o]));
  return statistics.blocks.flatMap((block) => blockUpdates(block, observed));
}

function blockUpdates(
  block: Block,
  observed: ReadonlyMap<Tensor, { value: Tensor; momentum: number }>,
): Update[] {
  const found = block.variables.map((v) => observed.get(v));
  const all = found.filter((o) => o !== undefined);
  const momentum = all[0]?.momentum ?? 0;
  const alike = all.length === found.length && all.every((o) => o.momentum === momentum);
  const moved = (from: Tensor, to: Tensor, by: number): Tensor => add(from, mul(sub(to, from), by));
  if (alike && all.length > 0) {
    const batch = pack(all.map((o) => o.value), block.offsets, block.size);
    return [[block.whole, moved(block.whole, batch, momentum)]];
  }
  return block.variables.flatMap((v): Update[] => {
    const o = observed.get(v);
    return o ? [[v, moved(v, o.value, o.momentum)]] : [];
  });
}
