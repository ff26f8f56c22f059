/** Laws of unpacking pixels. */
import * as fc from "npm:fast-check@4";
import { input } from "../../../core/structure.ts";
import { pixels } from "../../../ops/mod.ts";
import type { Instance, LawCase } from "../case.ts";

const size = (max: number) => fc.integer({ min: 1, max });
const level = fc.double({ min: 0, max: 1, noNaN: true });
const deviation = fc.double({ min: 0.1, max: 1, noNaN: true });
const list = (element: fc.Arbitrary<number>, length: number) =>
  fc.array(element, { minLength: length, maxLength: length });

const draw = fc.tuple(
  size(3),
  size(9),
  size(9),
  fc.constantFrom(1 as const, 3 as const, 4 as const),
)
  .chain(([n, h, w, channels]) =>
    fc.record({
      values: list(fc.integer({ min: 0, max: 0xffffffff }), n * h * w),
      mean: list(level, channels),
      std: list(deviation, channels),
    }).map(({ values, mean, std }): Instance => ({
      label: `[${n},${h},${w}], ${channels} channels, mean [${mean}], std [${std}]`,
      inputs: [{ shape: [n, h, w], dtype: "u32", values }],
      apply: ([x]) => [pixels(x, { channels, mean, std })],
      reference: ([x]) => {
        const data = new Float64Array(x.data.length * channels);
        for (let i = 0; i < data.length; i++) {
          const ch = i % channels, pixel = x.data[Math.floor(i / channels)];
          data[i] = ((Math.floor(pixel / 256 ** ch) % 256) / 255 - mean[ch]) / std[ch];
        }
        return [{ shape: [n, h, w, channels], data }];
      },
      tolerance: [2e-6, 2e-6],
    }))
  );

const x = input([1, 2, 2], "x", "u32");

/** All channel counts, any bytes. */
export const cases: readonly LawCase[] = [{
  covers: ["pixels"],
  name: "pixels",
  draw,
  refuses: [
    {
      call: () => pixels(input([1, 2, 2], "x"), { mean: [0, 0, 0], std: [1, 1, 1] }),
      message: /Cannot unpack pixels: x \[1,2,2\] holds f32, u32 is wanted/,
    },
    {
      call: () => pixels(x, { mean: [0.5], std: [1, 1, 1] }),
      message: /mean is \[0.5\], 3 finite numbers are wanted/,
    },
    {
      call: () => pixels(x, { channels: 1, mean: [0.5], std: [0] }),
      message: /std is \[0\], numbers above 0 are wanted/,
    },
  ],
}];
