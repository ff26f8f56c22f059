/**
 * The law of special values: with NaN, infinities, zeros of both signs and the largest numbers in
 * its inputs an operation gives what the reference gives in float64, and PyTorch on a CPU: NaN for
 * NaN, an infinity for an infinity. Bits of a NaN, the sign of a zero result and numbers below
 * 1.2e-38 are left open.
 *
 * WGSL lets a driver take it that there is no NaN and no infinity. What asks for NaN here does so by
 * its bits, which held on every driver seen (lavapipe under Deno's naga and under Dawn). It is no
 * promise where shaders are compiled with fast mathematics, as Metal's are: there a NaN that was
 * computed, not loaded, may be lost, and an infinity may come out as NaN. Mesa takes a product with
 * a literal 0 for 0, and no driver needs to keep sin, cos and pow exact for numbers of 1e38.
 */
import * as fc from "npm:fast-check@4";
import { assertClose } from "../assert.ts";
import type { Instance, NdArray } from "./case.ts";

/** Largest finite f32. */
const largest = 3.4028234663852886e38;

/** What inputs are filled with at random. */
export type Filler = readonly number[];

const special = fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, largest, -largest);
const ordinary = fc.constantFrom(1, -1, 0.5, -2.5, 3, 6, 7.25);

/** One or two special values among ordinary ones: a NaN beside every infinity would hide it. */
const filler: fc.Arbitrary<Filler> = fc.tuple(
  fc.array(special, { minLength: 1, maxLength: 2 }),
  fc.array(ordinary, { maxLength: 3 }),
).map(([some, others]) => [...some, ...others]);

/** Fillings for one compiled plan, one after the other. */
export const fillers: fc.Arbitrary<readonly Filler[]> = fc.array(filler, {
  minLength: 8,
  maxLength: 8,
});

/** Those of the values that an instance is filled with; one at least. */
export function valuesFor({ special }: Instance, drawn: Filler): Filler {
  const fit = special?.large === false ? withoutLargest(drawn) : drawn;
  return fit.length > 0 ? fit : [NaN];
}

/** The same for the gradients of results, which are summed over repetitions. */
export function withoutLargest(drawn: Filler): Filler {
  const fit = drawn.filter((v) => Math.abs(v) !== largest);
  return fit.length > 0 ? fit : [1];
}

/** What a run on special values took and gave. */
interface SpecialRun {
  readonly xs: readonly NdArray[];
  readonly ys: readonly NdArray[];
  readonly outs: readonly NdArray[];
  /** In the order of the instance's differentiable inputs. */
  readonly grads: readonly NdArray[];
}

/** @throws {AssertionError} naming the result, the element and both numbers */
export function checkSpecial(instance: Instance, { xs, ys, outs, grads }: SpecialRun): void {
  const [rtol, atol] = instance.tolerance ?? [2e-5, 2e-5];
  const given = xs.map((x) => `[${x.data.slice(0, 12).join(",")}]`).join(" ");
  const check = (name: string, found: readonly NdArray[], wanted: readonly NdArray[]): void => {
    for (const [k, { data }] of wanted.entries()) {
      const what = `law of special values: ${name} ${k} of ${given}`;
      assertClose(found[k].data, data.map(Math.fround), { rtol, atol, what });
    }
  };
  check("result", outs, instance.reference(xs));
  const { gradient } = instance.special ?? {};
  if (gradient) check("gradient", grads, gradient(xs, ys));
}
