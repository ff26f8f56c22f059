/** Values for the inputs that an instance asks for. */
import type { Random } from "../../core/rng.ts";
import { type DType, sizeOf } from "../../core/shape.ts";
import type { InputSpec, NdArray } from "./case.ts";

/**
 * `random`: as the spec says; `integers`: whole numbers of at most 8, where values are free; a list:
 * any of its numbers for f32.
 */
export type Filling = "random" | "integers" | readonly number[];

/** Elements of an input, exact in f32. */
export function fill(spec: InputSpec, random: Random, filling: Filling): NdArray {
  const { shape, values, dtype = "f32" } = spec, size = sizeOf(shape);
  if (typeof filling !== "string" && dtype === "f32" && !spec.isOrdinary) {
    const data = Float64Array.from({ length: size }, () => filling[random.below(filling.length)]);
    return { shape, data };
  }
  if (values && values.length !== size) throw new Error(`${values.length} values for [${shape}]`);
  const draw = values
    ? (k: number) => values[k]
    : dtype !== "f32"
    ? () => wholeNumber(spec, random, dtype)
    : filling === "integers"
    ? () => random.below(17) - 8
    : spec.apart
    ? spreadNumbers(spec, random)
    : () => smoothNumber(spec, random);
  return { shape, data: Float64Array.from({ length: size }, (_, k) => asStored(draw(k), dtype)) };
}

const asStored = (value: number, dtype: DType): number =>
  dtype === "f32" ? Math.fround(value) : value;

function wholeNumber({ range }: InputSpec, random: Random, dtype: DType): number {
  const [low, high] = range ?? (dtype === "u32" ? [0, 2 ** 32 - 1] : [-8, 8]);
  return low + random.below(high - low + 1);
}

/** Uniform within the range, away from the kinks. */
function smoothNumber({ range = [-1, 1], kinks }: InputSpec, random: Random): number {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const value = range[0] + (range[1] - range[0]) * random.uniform();
    if (!kinks?.at.some((kink) => Math.abs(value - kink) < kinks.margin)) return value;
  }
  throw new Error("the kinks leave no room in the range");
}

/** Different by at least `apart` each, in random order. */
function spreadNumbers({ shape, range = [-1, 1], apart = 0 }: InputSpec, random: Random) {
  const size = sizeOf(shape), order = random.permutation(size);
  const pitch = Math.max(2 * apart, (range[1] - range[0]) / size);
  return (k: number): number => {
    const jitter = (pitch - apart) * random.uniform();
    return (range[0] + range[1]) / 2 + (order[k] - size / 2) * pitch + jitter;
  };
}

/** The same elements as a device takes them. */
export function elementsOf(
  { data }: NdArray,
  dtype: DType = "f32",
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  if (dtype === "f32") return Float32Array.from(data);
  return dtype === "i32" ? Int32Array.from(data) : Uint32Array.from(data);
}
