import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { assertClose } from "../assert.ts";

Deno.test("assertClose: names the worst element with both values", () => {
  assert.throws(
    () => assertClose([1, 2.1, 3.5], [1, 2, 3], { atol: 0.05, what: "dx" }),
    { message: /^dx is 3\.5 at 2, expected is 3: the difference 0\.500 .*; 2 of 3 elements/ },
  );
  assert.throws(() => assertClose([1], [1, 2]), { message: /1 elements, 2 are expected/ });
});

Deno.test("assertClose: NaN and infinities are close to themselves alone", () => {
  assertClose([NaN, Infinity, -Infinity, 0], [NaN, Infinity, -Infinity, -0]);
  for (const [actual, expected] of [[NaN, 0], [0, NaN], [Infinity, 1], [1, -Infinity]]) {
    assert.throws(() => assertClose([actual], [expected], { rtol: 1, atol: 1e30 }));
  }
});

Deno.test("assertClose: accepts what is within the tolerance, refuses what is beyond it", () => {
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const tolerance = fc.double({ min: 1e-6, max: 0.1, noNaN: true });
  fc.assert(fc.property(value, tolerance, tolerance, (expected, rtol, atol) => {
    const allowed = atol + rtol * Math.abs(expected);
    assertClose([expected + 0.99 * allowed], [expected], { rtol, atol });
    assert.throws(() => assertClose([expected - 1.01 * allowed], [expected], { rtol, atol }));
  }));
});
