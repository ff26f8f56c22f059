import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { deviation, median, type Sample, spread, summarise } from "../../bench/statistics.ts";

const number = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
const numbers = fc.array(number, { minLength: 1, maxLength: 30 });
const samplesOf = (walls: readonly number[]): Sample[] =>
  walls.map((wallMs) => ({ wallMs, cpuMs: 2 * wallMs }));

Deno.test("statistics: the median of odd and even numbers of values", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([10, 9, 1]), 9);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("statistics: a median has as many values above as below, and changes nothing", () => {
  fc.assert(fc.property(numbers, (values) => {
    const before = [...values], middle = median(values);
    assert.deepEqual(values, before);
    assert(values.filter((v) => v < middle).length <= values.length / 2);
    assert(values.filter((v) => v > middle).length <= values.length / 2);
  }));
});

Deno.test("statistics: a summary is ordered, whatever the order of its timings", () => {
  fc.assert(fc.property(numbers, (values) => {
    const one = summarise(samplesOf(values)), other = summarise(samplesOf(values.toReversed()));
    assert.deepEqual(one, other);
    assert(one.minMs <= one.medianMs && one.medianMs <= one.maxMs);
    assert.equal(one.samples, values.length);
    assert.equal(one.cpuMs, 2 * one.medianMs);
  }));
});

Deno.test("statistics: the spread is relative to the median", () => {
  assert.equal(spread(summarise(samplesOf([2, 2, 2]))), 0);
  assert.equal(spread(summarise(samplesOf([1, 2, 4]))), 1.5);
  assert.equal(spread(summarise(samplesOf([100, 200, 400]))), 1.5);
});

Deno.test("statistics: deviations are relative to the largest value, and never hide a NaN", () => {
  assert.equal(deviation([1, 2], [1, 2]), 0);
  assert.equal(deviation([0, 0], [0, 0]), 0);
  assert.equal(deviation([1, 9], [1, 10]), 0.1);
  assert.equal(deviation([0.5, 10], [0, 10]), 0.05);
  assert.equal(deviation([1, 2, 3], [1, 2]), Infinity);
  assert.equal(deviation([], []), Infinity);
  assert.equal(deviation([NaN], [1]), Infinity);
  assert.equal(deviation([1], [NaN]), Infinity);
});
