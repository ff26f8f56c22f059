import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import { hashText, Random, threefry } from "../../core/rng.ts";

Deno.test("threefry gives the known answers of its authors", () => {
  // Threefry-2x32 with 20 rounds, from the file kat_vectors of Random123.
  const answers = [
    [[0, 0], [0, 0], [0x6b200159, 0x99ba4efe]],
    [[0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x1cb996fc, 0xbb002be7]],
    [[0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3], [0xc4923a9c, 0x483df7a0]],
  ];
  for (const [key, counter, wanted] of answers) {
    assert.deepEqual(threefry(key[0], key[1], counter[0], counter[1]), wanted);
  }
});

Deno.test("hashText is FNV-1a", () => {
  // Test vectors of the FNV authors for one-byte characters.
  assert.equal(hashText(""), 0x811c9dc5);
  assert.equal(hashText("a"), 0xe40c292c);
  assert.equal(hashText("foobar"), 0xbf9cf968);
});

const draws = (random: Random, count: number): number[] =>
  Array.from({ length: count }, () => random.word());

Deno.test("equal arguments give equal streams, different ones different streams", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.string(), fc.nat(), (seed, site, index) => {
    const first = draws(new Random(seed, site, index), 5);
    assert.deepEqual(draws(new Random(seed, site, index), 5), first);
    const others = [
      new Random(seed + 1, site, index),
      new Random(seed, `${site}'`, index),
      new Random(seed, site, index + 1),
      new Random(seed ^ 2 ** 31, site, index),
      new Random(seed < 2 ** 40 ? seed + 2 ** 32 : seed - 2 ** 32, site, index),
    ];
    for (const other of others) assert.notDeepEqual(draws(other, 5), first);
  }));
});

Deno.test("a stream has no short cycle", () => {
  const words = draws(new Random(3), 20_000);
  // 20,000 of 2³² meet by chance about 0.05 times.
  assert(new Set(words).size >= words.length - 2);
});

/** χ² of counts against equal expectation; its mean is the number of bins − 1. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((a, b) => a + b, 0) / counts.length;
  return counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
}

Deno.test("uniform numbers are uniform and exact in f32", () => {
  const random = new Random(11, "uniform"), counts = new Array<number>(64).fill(0);
  for (let k = 0; k < 64_000; k++) {
    const u = random.uniform();
    assert(u >= 0 && u < 1 && Math.fround(u) === u);
    counts[Math.floor(u * 64)]++;
  }
  const chi = chiSquare(counts);
  assert(chi > 25 && chi < 120, `χ² ${chi} of 63`); // six standard deviations either way
});

Deno.test("below is uniform over any range", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.nat(), (n, seed) => {
    const value = new Random(seed).below(n);
    assert(Number.isInteger(value) && value >= 0 && value < n);
  }));
  const random = new Random(5), counts = new Array<number>(7).fill(0);
  for (let k = 0; k < 70_000; k++) counts[random.below(7)]++;
  assert(chiSquare(counts) < 30, `χ² ${chiSquare(counts)} of 6`);
  // With n just above 2³¹ a plain remainder would favour the low half two to one.
  const n = 2 ** 31 + 2 ** 30;
  let low = 0;
  for (let k = 0; k < 20_000; k++) if (random.below(n) < n / 2) low++;
  assert(Math.abs(low - 10_000) < 400, `${low} of 20,000 in the lower half`);
});

Deno.test("normal deviates have the moments of a normal distribution", () => {
  const random = new Random(8, "normal"), n = 60_000;
  const values = Array.from({ length: n }, () => random.normal());
  assert(values.every(Number.isFinite));
  const moment = (k: number): number => values.reduce((sum, v) => sum + v ** k, 0) / n;
  // Standard errors of the moments: 1, √2, √15, √96 over √n.
  for (const [k, wanted, error] of [[1, 0, 1], [2, 1, 1.42], [3, 0, 3.88], [4, 3, 9.8]]) {
    assert(Math.abs(moment(k) - wanted) < 4.5 * error / Math.sqrt(n), `moment ${k}: ${moment(k)}`);
  }
});

Deno.test("a permutation holds each number once", () => {
  fc.assert(fc.property(fc.nat({ max: 300 }), fc.nat(), (n, seed) => {
    const order = new Random(seed, "shuffle").permutation(n);
    assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: n }, (_, i) => i));
  }));
});

Deno.test("all permutations of four are as frequent", () => {
  const random = new Random(2), counts = new Map<string, number>();
  for (let k = 0; k < 24_000; k++) {
    const order = random.permutation(4).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 24);
  assert(chiSquare([...counts.values()]) < 65, "χ² of 23");
});
