/** Laws of random numbers: the same bits everywhere. */
import * as fc from "npm:fast-check@4";
import { sizeOf } from "../../../core/shape.ts";
import { input } from "../../../core/structure.ts";
import { uniform } from "../../../ops/mod.ts";
import { keyOf, uniformAt } from "../../reference/uniform.ts";
import type { Instance, LawCase } from "../case.ts";

const upTo = (max: number, min = 1) => fc.integer({ min, max });
const word = fc.oneof(upTo(9, 0), upTo(2 ** 32 - 1, 0));

/** Vectors, images, and enough elements for several threads; counters up to the last. */
const shape = fc.oneof(
  fc.array(upTo(5), { maxLength: 4 }),
  fc.tuple(upTo(3), upTo(9_000, 5_000)),
);

const draw = fc.record({
  shape,
  seed: fc.maxSafeNat(),
  site: upTo(500, 0),
  step: word,
  first: word,
})
  .map(({ shape, seed, site, step, first }): Instance => {
    const key = keyOf(seed, site), each = BigInt(sizeOf(shape.slice(1)));
    const start = Number(BigInt(first) * each % 2n ** 32n);
    const data = Float64Array.from(
      { length: sizeOf(shape) },
      (_, i) => uniformAt(key, step, start + i),
    );
    return {
      label: `[${shape}] of seed ${seed}, place ${site}, step ${step}, from example ${first} on`,
      inputs: [{ shape: [2], dtype: "u32", values: [step, first] }],
      apply: ([counter]) => [uniform(shape, { seed, site, counter })],
      reference: () => [{ shape, data }],
      tolerance: [0, 0],
    };
  });

const site = { seed: 1, site: 0 };

/** Any shape, seed, place and counter. */
export const cases: readonly LawCase[] = [{
  covers: ["uniform"],
  name: "uniform",
  draw,
  refuses: [
    {
      call: () => uniform([0], { ...site, counter: input([2], "step", "u32") }),
      message: /Cannot draw uniform numbers: \[0\] has a size of 0/,
    },
    {
      call: () => uniform([2], { ...site, counter: input([2], "step") }),
      message: /counter \[2\] holds f32, u32 is wanted/,
    },
    {
      call: () => uniform([2], { ...site, counter: input([3], "step", "u32") }),
      message: /counter is \[3\], \[2\] is wanted/,
    },
  ],
}];
