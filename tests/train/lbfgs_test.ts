/** L-BFGS: known minima, and convex problems against their exact answers. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { UsageError } from "../../core/errors.ts";
import { minimize, type Smooth } from "../../train/lbfgs.ts";
import { assertClose } from "../assert.ts";

/** Rosenbrock's valley in n dimensions; its least value is 0 at 1, 1, …. */
const valley: Smooth = (x) => {
  const gradient = new Float64Array(x.length);
  let value = 0;
  for (let k = 0; k + 1 < x.length; k++) {
    const a = x[k + 1] - x[k] ** 2, b = 1 - x[k];
    value += 100 * a * a + b * b;
    gradient[k] += -400 * x[k] * a - 2 * b;
    gradient[k + 1] += 200 * a;
  }
  return { value, gradient };
};

Deno.test("L-BFGS: the bottom of Rosenbrock's valley, from the usual start", async () => {
  for (const n of [2, 10]) {
    const start = Float64Array.from({ length: n }, (_, k) => k % 2 ? 1 : -1.2);
    const { x, value, converged, steps } = await minimize(valley, start, { tolerance: 1e-8 });
    assert(converged && steps < 150, `${steps} steps`);
    assert(value < 1e-14, `${value}`);
    if (n === 2) assertClose(x, [1, 1], { atol: 1e-6 });
  }
});

Deno.test("L-BFGS: a quadratic bowl of any shape ends at its solution", async () => {
  const number = fc.double({ min: -3, max: 3, noNaN: true });
  const bowls = fc.integer({ min: 1, max: 8 }).chain((n) =>
    fc.record({
      scales: fc.array(fc.double({ min: 0.1, max: 50, noNaN: true }), {
        minLength: n,
        maxLength: n,
      }),
      centre: fc.array(number, { minLength: n, maxLength: n }),
      start: fc.array(number, { minLength: n, maxLength: n }),
    })
  );
  await fc.assert(fc.asyncProperty(bowls, async ({ scales, centre, start }) => {
    const f: Smooth = (x) => ({
      value: scales.reduce((s, a, k) => s + a / 2 * (x[k] - centre[k]) ** 2, 0),
      gradient: Float64Array.from(scales, (a, k) => a * (x[k] - centre[k])),
    });
    const { x, converged } = await minimize(f, Float64Array.from(start), { tolerance: 1e-9 });
    assert(converged);
    assertClose(x, centre, { atol: 1e-7 });
  }));
});

Deno.test("L-BFGS: it never climbs, ends where it is told, and leaves its start alone", async () => {
  const start = Float64Array.of(-1.2, 1), values: number[] = [];
  const first = await minimize(valley, start, { steps: 3 });
  assert.deepEqual([first.steps, first.converged, [...start]], [3, false, [-1.2, 1]]);
  for (const steps of [0, 1, 2, 5, 20]) {
    values.push((await minimize(valley, start, { steps })).value);
  }
  assert.deepEqual(values, values.toSorted((a, b) => b - a));
  const stopped = await minimize(valley, start, { signal: AbortSignal.abort() });
  assert.equal(stopped.steps, 0);
  const broken: Smooth = (x) => ({ value: NaN, gradient: x });
  await assert.rejects(minimize(broken, start), UsageError);
});
