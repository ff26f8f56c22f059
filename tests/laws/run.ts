/**
 * The laws of an operation, checked for one drawn instance on one device. One plan computes the
 * results and their gradients for all laws; a second one, unfused, must agree with it.
 */
import assert from "node:assert/strict";
import type { Device, Plan } from "../../core/device.ts";
import { grad } from "../../core/grad.ts";
import type { Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { sameShape, show } from "../../core/shape.ts";
import { input } from "../../core/structure.ts";
import { add, mul, sum } from "../../ops/mod.ts";
import { assertClose } from "../assert.ts";
import type { Instance, NdArray } from "./case.ts";
import { elementsOf, fill, type Filling } from "./fill.ts";
import { checkSpecial, type Filler, valuesFor, withoutLargest } from "./special.ts";

/** Which laws to check beside shape and value. */
export interface LawOptions {
  /** Compile a second time without fusion and compare. */
  readonly unfused: boolean;
  /** What inputs are filled with for the law of special values; by default it is left out. */
  readonly special?: readonly Filler[];
}

/** An instance as a graph: `Σ_j ⟨out_j, y_j⟩` is differentiated, with `y` as inputs. */
interface Graph {
  readonly instance: Instance;
  readonly xs: readonly Tensor[];
  readonly ys: readonly Tensor[];
  readonly outs: readonly Tensor[];
  /** Inputs with a gradient, by number, and their gradients. */
  readonly wrt: readonly number[];
  readonly grads: readonly Tensor[];
}

/** What went in and what came out. */
interface Run {
  readonly xs: readonly NdArray[];
  readonly ys: readonly NdArray[];
  readonly outs: readonly NdArray[];
  readonly grads: readonly NdArray[];
}

/** Checks all laws; an assertion names the law, the element and both numbers. */
export async function checkLaws(
  device: Device,
  instance: Instance,
  seed: number,
  options: LawOptions,
): Promise<void> {
  const graph = graphOf(instance), outputs = [...graph.outs, ...graph.grads];
  using plan = await device.compile({ outputs });
  const drawn = await runOn(plan, graph, seed, "random");
  checkValue(instance, drawn);
  checkDirection(instance, graph, drawn, new Random(seed, "direction"));
  if (instance.linearIn) {
    const whole = await runOn(plan, graph, seed, "integers");
    checkIntegers(instance, whole);
    for (const k of instance.linearIn) {
      checkAdjoint(graph, whole, await runOn(plan, graph, seed, "integers", k), k);
    }
  }
  for (const filler of instance.special && options.special || []) {
    checkSpecial(instance, await runOn(plan, graph, seed, valuesFor(instance, filler)));
  }
  if (!options.unfused) return;
  using apart = await device.compile({ outputs }, { fuse: false });
  checkFusion(drawn, await runOn(apart, graph, seed, "random"));
}

function graphOf(instance: Instance): Graph {
  const xs = instance.inputs.map((spec, k) => input(spec.shape, `x${k}`, spec.dtype));
  const outs = instance.apply(xs), ys = outs.map((out, j) => input(out.shape, `y${j}`));
  const { linearIn = [], differentiableIn = [] } = instance;
  const wrt = [...new Set([...linearIn, ...differentiableIn])];
  const terms = outs.flatMap((out, j) => out.dtype === "f32" ? [sum(mul(out, ys[j]))] : []);
  const grads = wrt.length > 0 ? grad(terms.reduce(add), wrt.map((k) => xs[k])) : [];
  return { instance, xs, ys, outs, wrt, grads };
}

/** Fills the inputs from the seed, the k-th with zeros where `zero` is k, and runs. */
async function runOn(
  plan: Plan,
  graph: Graph,
  seed: number,
  filling: Filling,
  zero = -1,
): Promise<Run> {
  const { instance, outs, grads } = graph, random = new Random(seed, `${filling}`);
  const forYs = typeof filling === "string" ? filling : withoutLargest(filling);
  const xs = instance.inputs.map((spec, k) => {
    const x = fill(spec, random, filling);
    return k === zero ? { ...x, data: x.data.map(() => 0) } : x;
  });
  const ys = graph.ys.map((y) => fill(y, random, forYs));
  const feeds = [
    ...graph.xs.map((x, k) => [x, elementsOf(xs[k], x.dtype)] as const),
    ...graph.ys.map((y, j) => [y, elementsOf(ys[j])] as const),
  ];
  plan.run(feeds.filter(([t]) => plan.inputs.includes(t)));
  const read = async (t: Tensor): Promise<NdArray> => ({
    shape: t.shape,
    data: Float64Array.from(await plan.read(t)),
  });
  return {
    xs,
    ys,
    outs: await Promise.all(outs.map(read)),
    grads: await Promise.all(grads.map(read)),
  };
}

/** Shapes are those of the reference, values close to it. */
function checkValue(instance: Instance, { xs, outs }: Run): void {
  const wanted = instance.reference(xs), [relative, absolute] = toleranceOf(instance);
  assert.equal(outs.length, wanted.length, "law of shape: number of results");
  for (const [j, out] of outs.entries()) {
    assert(
      sameShape(out.shape, wanted[j].shape),
      `law of shape: result ${j} is ${show(out.shape)}, ${show(wanted[j].shape)} is wanted`,
    );
    const what = `law of value: result ${j} ${show(out.shape)}`;
    assertClose(out.data, wanted[j].data, { rtol: relative, atol: absolute, what });
  }
}

const toleranceOf = ({ tolerance }: Instance): readonly [number, number] =>
  tolerance ?? [2e-5, 2e-5];

/** Sums of small integers are exact in any order: nothing may differ by a bit. */
function checkIntegers(instance: Instance, { xs, outs }: Run): void {
  const wanted = instance.reference(xs);
  for (const [j, out] of outs.entries()) {
    assertClose(out.data, wanted[j].data, { what: `law of small integers: result ${j}` });
  }
}

/**
 * `⟨A x, y⟩ = ⟨x, Aᵀ y⟩` for the input k, exactly. Other inputs may add a part of their own (a bias
 * does): it is what is left with zeros for x.
 */
function checkAdjoint({ wrt }: Graph, run: Run, rest: Run, k: number): void {
  const pairing = ({ outs, ys }: Run): number =>
    outs.reduce((total, out, j) => total + inner(out, ys[j]), 0);
  assert.equal(
    inner(run.xs[k], run.grads[wrt.indexOf(k)]),
    pairing(run) - pairing(rest),
    `law of the adjoint, input ${k}: ⟨x, Aᵀ y⟩ is not ⟨A x, y⟩`,
  );
}

/** Central differences of the reference along a random direction, against `⟨∇f, v⟩`. */
function checkDirection(instance: Instance, { wrt }: Graph, run: Run, random: Random): void {
  const { differentiableIn = [] } = instance, [relative, absolute] = toleranceOf(instance);
  if (differentiableIn.length === 0) return;
  const v = run.xs.map((x, k): NdArray => ({
    shape: x.shape,
    data: x.data.map(() => differentiableIn.includes(k) ? 2 * random.uniform() - 1 : 0),
  }));
  const f = (step: number): number => {
    const moved = run.xs.map((x, k) => ({
      shape: x.shape,
      data: x.data.map((value, i) => value + step * v[k].data[i]),
    }));
    const outs = instance.reference(moved);
    return outs.reduce((total, out, j) => total + inner(out, run.ys[j]), 0);
  };
  const slope = (step: number): number => (f(step) - f(-step)) / (2 * step);
  const step = stepOf(instance), coarse = slope(step), fine = slope(step / 2);
  let claimed = 0, size = 0, length = 0;
  for (const k of differentiableIn) {
    const g = run.grads[wrt.indexOf(k)];
    claimed += inner(g, v[k]);
    size += g.data.reduce((total, value, i) => total + Math.abs(value * v[k].data[i]), 0);
    length += v[k].data.reduce((total, value) => total + Math.abs(value), 0);
  }
  // Gradients are products of a few f32 values, each as good as the operation itself.
  const noise = 4 * (Math.max(relative, 1e-5) * size + Math.max(absolute, 1e-6) * length);
  const said = `⟨∇f, v⟩ is ${claimed}, differences give ${coarse} and ${fine}`;
  const limit = (4 * fine - coarse) / 3;
  assert(Math.abs(claimed - limit) <= noise, `law of direction: ${said}, ± ${noise} is allowed`);
  assert(
    Math.abs(fine - claimed) <= 0.3 * Math.abs(coarse - claimed) + noise,
    `law of direction: ${said}, the error does not fall by four`,
  );
}

/** Small enough to cross no kink and to change no order. */
function stepOf({ inputs }: Instance): number {
  return Math.min(2e-3, ...inputs.flatMap((x) => [(x.kinks?.margin ?? 1) / 2, (x.apart ?? 1) / 4]));
}

/** Melting operations into one kernel changes at most the last bits. */
function checkFusion(fused: Run, apart: Run): void {
  for (const name of ["outs", "grads"] as const) {
    for (const [j, out] of fused[name].entries()) {
      const { data } = apart[name][j], what = `law of fusion: ${name} ${j}`;
      const scale = data.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
      assertClose(out.data, data, { rtol: 1e-6, atol: 1e-6 * scale, what });
    }
  }
}

function inner(a: NdArray, b: NdArray): number {
  return a.data.reduce((total, value, i) => total + value * b.data[i], 0);
}
