/**
 * An operation of your own: one expression serves every backend and melts into its neighbours'
 * kernel, its gradient is made of other operations.
 *
 *     deno run examples/custom_operation.ts
 */
import { apply, applyOne, arg, grad, type MapOp, openDevice, ops, primitives } from "../mod.ts";
import { type Tensor, tensor } from "../mod.ts";

/** `x · min(max(x + 3, 0), 6) / 6`: Howard et al. 2019, "Searching for MobileNetV3". */
const hardSwishOp: MapOp<void> = {
  kind: "map",
  name: "hardSwish",
  infer: ([x]) => [x],
  expr() {
    const { add, max, min, mul } = primitives, x = arg(0);
    const gate = apply(min, apply(max, apply(add, x, 3), 0), 6);
    return apply(mul, apply(mul, x, gate), 1 / 6);
  },
  // 0 below −3, 1 above 3, (2x + 3) / 6 between.
  grad({ inputs: [x] }, [dy]) {
    if (!dy) return [null];
    const between = ops.div(ops.add(ops.mul(x, 2), 3), 6);
    const slope = ops.where(ops.greater(x, -3), ops.where(ops.greater(x, 3), 1, between), 0);
    return [ops.mul(dy, slope)];
  },
};

/** Applies it to every element. */
function hardSwish(x: Tensor): Tensor {
  return applyOne(hardSwishOp, [x], undefined);
}

using device = await openDevice();
const x = tensor([-4, -2, -1, 0, 1, 2, 4]);
const y = hardSwish(x);
const [slope] = grad(ops.sum(y), [x]);

// The gradient beside a difference quotient: a wrong one shows.
const step = 0.01;
const rise = ops.sub(hardSwish(ops.add(x, step)), hardSwish(ops.sub(x, step)));
const columns = [x, y, slope, ops.div(rise, 2 * step)].map((t) => device.read(t));
const [values, results, slopes, quotients] = await Promise.all(columns);
console.log("     x  hardSwish  gradient  quotient");
values.forEach((value, k) => {
  const cells = [results[k], slopes[k], quotients[k]].map((cell) => cell.toFixed(4).padStart(9));
  console.log(`${value.toFixed(0).padStart(6)} ${cells.join(" ")}`);
});

using plan = await device.compile({ outputs: [ops.mul(hardSwish(ops.add(x, 1)), 2)] });
console.log(`\nthree operations, one kernel:\n${plan.explain()}`);
