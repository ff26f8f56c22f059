/** Shapes of operations over the last axis. */
import * as fc from "npm:fast-check@4";

const size = (max: number) => fc.integer({ min: 1, max });

/** `[…,c]` of rank 1 to 4; some rows are long enough for a workgroup each. */
export const rowShape: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(size(5), { minLength: 1, maxLength: 4 }),
  fc.tuple(size(70), size(20)),
  fc.tuple(size(3), fc.integer({ min: 250, max: 700 })),
);

/** A label of `0 … c−1` for each of the rows, or with some probability another number. */
export function labelsOf(rows: number, c: number, other?: number): fc.Arbitrary<number[]> {
  const label = fc.integer({ min: 0, max: c - 1 });
  const drawn = other === undefined
    ? label
    : fc.oneof({ arbitrary: label, weight: 4 }, { arbitrary: fc.constant(other), weight: 1 });
  return fc.array(drawn, { minLength: rows, maxLength: rows });
}
