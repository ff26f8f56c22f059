/** The laws can fail: operations with one fault each, found by the law that is meant for it. */
import * as fc from "npm:fast-check@4";
import { deviceOn } from "../../core/device.ts";
import { apply, arg, type Expr, primitives as p } from "../../core/expr.ts";
import { applyOne, type MapOp, type Tensor } from "../../core/graph.ts";
import { reshape } from "../../core/structure.ts";
import { greater, greaterEqual, mul, sum, where } from "../../ops/mod.ts";
import { assertRejects } from "../core/support.ts";
import { FakeBackend } from "../core/fake_backend.ts";
import assert from "node:assert/strict";
import type { Instance, NdArray } from "./case.ts";
import { checkLaws } from "./run.ts";

const device = deviceOn(new FakeBackend());
const check = (instance: Instance): Promise<void> =>
  checkLaws(device, instance, 7, { unfused: true });
const map = (f: (...values: number[]) => number) => ([a, b]: readonly NdArray[]): NdArray[] => [
  { shape: a.shape, data: a.data.map((v, i) => f(v, b?.data[i])) },
];

/** `x³`, with a gradient that a fault may spoil. */
const cube = (gradient: (x: Tensor, dy: Tensor) => Tensor) => {
  const op: MapOp<void> = {
    kind: "map",
    name: "cube",
    infer: ([x]) => [x],
    expr: () => apply(p.mul, arg(0), apply(p.mul, arg(0), arg(0))),
    grad: ({ inputs: [x] }, [dy]) => [dy ? gradient(x, dy) : null],
  };
  return (x: Tensor): Tensor => applyOne(op, [x], undefined);
};
const right = cube((x, dy) => mul(dy, mul(3, mul(x, x))));

const cubes: Instance = {
  label: "cube",
  inputs: [{ shape: [3, 2] }],
  apply: ([x]) => [right(x)],
  reference: map((v) => v ** 3),
  differentiableIn: [0],
};

const products: Instance = {
  label: "product",
  inputs: [{ shape: [4] }, { shape: [4] }],
  apply: ([a, b]) => [mul(a, b)],
  reference: map((a, b) => a * b),
  linearIn: [0, 1],
};

Deno.test("laws: right operations pass", async () => {
  await check(cubes);
  await check(products);
});

Deno.test("laws: a wrong shape is found", async () => {
  const apply = ([x]: readonly Tensor[]) => [reshape(right(x), [2, 3])];
  await assertRejects(
    check({ ...cubes, apply }),
    assert.AssertionError,
    "law of shape: result 0 is [2,3], [3,2] is wanted",
  );
});

Deno.test("laws: a wrong element is found, NaN included", async () => {
  const wrong = (spoil: (v: number) => number): Instance => ({
    ...cubes,
    reference: ([x]) => [{ ...x, data: x.data.map((v, i) => i === 4 ? spoil(v ** 3) : v ** 3) }],
  });
  for (const spoil of [(v: number) => v * 1.01 + 1e-3, () => NaN]) {
    await assertRejects(
      check(wrong(spoil)),
      assert.AssertionError,
      /law of value: result 0 \[3,2\].*\b4\b/s,
    );
  }
});

Deno.test("laws: a wrong gradient is found", async () => {
  const spoilt = [
    cube((x, dy) => mul(dy, mul(3.01, mul(x, x)))),
    cube((x, dy) => mul(dy, mul(3, x))),
    cube((_, dy) => dy),
  ];
  for (const op of spoilt) {
    const apply = ([x]: readonly Tensor[]) => [op(x)];
    await assertRejects(check({ ...cubes, apply }), assert.AssertionError, /law of direction/);
  }
});

Deno.test("laws: rounding that tolerances would hide is found with integers", async () => {
  const apply = ([a, b]: readonly Tensor[]) => [mul(mul(a, b), 1 + 2 ** -20)];
  await assertRejects(
    check({ ...products, apply }),
    assert.AssertionError,
    /law of small integers/,
  );
});

Deno.test("laws: a wrong adjoint is found", async () => {
  const op: MapOp<void> = {
    kind: "map",
    name: "double",
    infer: ([x]) => [x],
    expr: () => apply(p.mul, arg(0), 2),
    grad: (_, [dy]) => [dy ? mul(dy, sum(mul(dy, 0.5))) : null],
  };
  const doubled: Instance = {
    ...products,
    inputs: [{ shape: [4] }],
    apply: ([x]) => [applyOne(op, [x], undefined)],
    reference: map((v) => 2 * v),
    linearIn: [0],
  };
  await assertRejects(check(doubled), assert.AssertionError, /law of the adjoint, input 0/);
});

Deno.test("laws: a NaN or an infinity that is lost is found", async () => {
  const rectifier = (expr: Expr, gradient: (x: Tensor, dy: Tensor) => Tensor): Instance => {
    const op: MapOp<void> = {
      kind: "map",
      name: "rectifier",
      infer: ([x]) => [x],
      expr: () => expr,
      grad: ({ inputs: [x] }, [dy]) => [dy ? gradient(x, dy) : null],
    };
    return {
      label: "rectifier",
      inputs: [{ shape: [40], kinks: { at: [0], margin: 0.05 } }],
      apply: ([x]) => [applyOne(op, [x], undefined)],
      reference: map((v) => Math.max(v, 0)),
      differentiableIn: [0],
      special: {
        gradient: ([x], [dy]) => [{ ...x, data: dy.data.map((g, i) => x.data[i] <= 0 ? 0 : g) }],
      },
    };
  };
  const special = [[NaN, Infinity, -Infinity, 0, 1]];
  const law = (instance: Instance) => checkLaws(device, instance, 7, { unfused: true, special });
  const right = apply(p.max, arg(0), 0),
    dropsNaN = apply(p.select, apply(p.gt, arg(0), 0), arg(0), 0);
  const gate = (x: Tensor, dy: Tensor) => where(greaterEqual(0, x), 0, dy);
  await law(rectifier(right, gate));
  await assertRejects(
    law(rectifier(dropsNaN, gate)),
    assert.AssertionError,
    /law of special values: result 0 of \[.*is 0 at \d+, expected is NaN/,
  );
  await assertRejects(
    law(rectifier(right, (x, dy) => mul(dy, greater(x, 0)))),
    assert.AssertionError,
    /law of special values: gradient 0 of/,
  );
});

Deno.test("laws: filled inputs keep to their specs", async () => {
  const { fill } = await import("./fill.ts");
  const { Random } = await import("../../core/rng.ts");
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 40 }), (seed, n) => {
    const random = new Random(seed), shape = [n];
    const away = fill(
      { shape, range: [-1, 2], kinks: { at: [0, 1], margin: 0.1 } },
      random,
      "random",
    );
    for (const v of away.data) {
      assert(v >= -1 && v <= 2 && Math.abs(v) > 0.099 && Math.abs(v - 1) > 0.099);
    }
    const spread = fill({ shape, apart: 0.05 }, random, "random").data.toSorted();
    for (let k = 1; k < n; k++) assert(spread[k] - spread[k - 1] > 0.049);
    const whole = fill({ shape }, random, "integers").data;
    assert(whole.every((v) => Number.isInteger(v) && Math.abs(v) <= 8));
    const words = fill({ shape, dtype: "u32" }, random, "random").data;
    assert(words.every((v) => v >>> 0 === v));
  }));
});
