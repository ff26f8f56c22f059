/** Assertions on arrays of numbers that say where they fail and by how much. */

import { AssertionError } from "node:assert/strict";

/** How close is close: |actual − expected| ≤ atol + rtol·|expected|. */
export interface Tolerance {
  /** Relative to the expected value. */
  readonly rtol?: number;
  /** Absolute. */
  readonly atol?: number;
  /** What is compared, for the message. */
  readonly what?: string;
}

/**
 * Asserts that two arrays are close in every element. NaN is close to NaN alone, an infinity to
 * itself alone. Without tolerances the values must be equal (and 0 equals −0).
 *
 * @throws {AssertionError} naming the element that exceeds its tolerance by most
 */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 0, atol = 0, what = "the array" }: Tolerance = {},
): void {
  if (actual.length !== expected.length) {
    throw failure(`${what} has ${actual.length} elements, ${expected.length} are expected`);
  }
  let worst = -1;
  let worstExcess = 0;
  let count = 0;
  for (let at = 0; at < expected.length; at++) {
    const excess = excessOf(actual[at], expected[at], rtol, atol);
    if (excess <= 0) continue;
    count++;
    if (excess > worstExcess) [worst, worstExcess] = [at, excess];
  }
  if (count === 0) return;
  const difference = Math.abs(actual[worst] - expected[worst]);
  throw failure(
    `${what} is ${actual[worst]} at ${worst}, expected is ${expected[worst]}: the difference ` +
      `${difference.toPrecision(3)} exceeds rtol ${rtol}, atol ${atol}; ` +
      `${count} of ${expected.length} elements differ`,
  );
}

/** By how much the difference exceeds what is allowed; 0 or less where it does not. */
function excessOf(actual: number, expected: number, rtol: number, atol: number): number {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return 0;
  const excess = Math.abs(actual - expected) - (atol + rtol * Math.abs(expected));
  return Number.isFinite(expected) && Number.isFinite(actual) ? excess : Infinity;
}

function failure(message: string): AssertionError {
  return new AssertionError({ message, stackStartFn: assertClose });
}
