/** Laws of matrix products. */
import * as fc from "npm:fast-check@4";
import { input } from "../../../core/structure.ts";
import { matmul } from "../../../ops/mod.ts";
import { matmul as reference } from "../../reference/matmul.ts";
import type { Instance, LawCase } from "../case.ts";

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const size = (max: number) => fc.integer({ min: 1, max });
const sizes = fc.oneof(
  fc.record({ m: size(6), n: size(9), k: size(9) }),
  // Multiples of 4 take the loads by four.
  fc.record({ m: size(3), n: size(3), k: size(3) }).map(({ m, n, k }) => ({
    m: 4 * m,
    n: 4 * n,
    k: 4 * k,
  })),
  fc.record({ m: size(40), n: size(40), k: size(40) }),
  // Few results of long sums: cut into parts.
  fc.record({ m: size(3), n: size(5), k: fc.integer({ min: 250, max: 2500 }) }),
);

/** Leading axes of a and b. */
const leads = fc.constantFrom<readonly [number[], number[]]>(
  [[], []],
  [[3], [3]],
  [[2, 3], [2, 3]],
  [[3], []],
  [[2, 2], []],
  [[], [3]],
  [[2], [1]],
  [[1], [3]],
);

function instance(
  { m, n, k }: Sizes,
  [leadA, leadB]: readonly [readonly number[], readonly number[]],
  transposeA: boolean,
  transposeB: boolean,
): Instance {
  const a = [...leadA, ...(transposeA ? [k, m] : [m, k])];
  const b = [...leadB, ...(transposeB ? [n, k] : [k, n])];
  return {
    label: `[${a}]${transposeA ? "ᵀ" : ""} · [${b}]${transposeB ? "ᵀ" : ""}`,
    inputs: [{ shape: a }, { shape: b }],
    apply: ([x, y]) => [matmul(x, y, { transposeA, transposeB })],
    reference: ([x, y]) => [reference(x, y, transposeA, transposeB)],
    linearIn: [0, 1],
    differentiableIn: [0, 1],
    // Rounding of f32 sums grows with their length.
    tolerance: [2e-5, 1e-5 + 3e-8 * k],
    special: { large: false },
  };
}

const of = (shape: number[]) => input(shape, "x");

/** One case: every transposition, batches, and each way of reading memory. */
export const cases: readonly LawCase[] = [
  {
    covers: ["matmul"],
    name: "matmul",
    draw: fc.tuple(sizes, leads, fc.boolean(), fc.boolean()).map((drawn) => instance(...drawn)),
    refuses: [
      {
        call: () => matmul(of([64, 512]), of([256, 10])),
        message:
          /Cannot matmul: inner sizes of \[64,512\] and \[256,10\] are 512 and 256; was flatten left out\?/,
      },
      {
        call: () => matmul(of([2, 3]), of([4, 3])),
        message: /inner sizes of \[2,3\] and \[4,3\] are 3 and 4/,
      },
      {
        call: () => matmul(of([2, 3]), of([4, 5]), { transposeB: true }),
        message: /inner sizes of \[2,3\] and \[4,5\] transposed are 3 and 5/,
      },
      { call: () => matmul(of([3]), of([3, 2])), message: /a \[3\] has 1 axes, at least 2/ },
      {
        call: () => matmul(of([2, 4, 3]), of([5, 3, 4])),
        message: /Cannot matmul: \[2\] and \[5\] differ in axis -1/,
      },
      {
        call: () => matmul(of([2, 1, 4, 3]), of([1, 5, 3, 4])),
        message: /leading axes of \[2,1,4,3\] and \[1,5,3,4\] each repeat along the other/,
      },
      {
        call: () => matmul(input([2, 3], "x", "i32"), of([3, 2])),
        message: /a \[2,3\] holds i32, f32 is wanted/,
      },
    ],
  },
  {
    covers: ["matmul"],
    name: "matmul over a very long sum",
    // One invocation would make more trips than old software Vulkan counts.
    draw: fc.tuple(fc.boolean(), fc.boolean(), fc.integer({ min: 66_000, max: 70_000 })).map(
      ([ta, tb, k]) => ({
        ...instance({ m: 1, n: 2, k }, [[], []], ta, tb),
        // The law of the adjoint says as much, and float64 takes its time here.
        differentiableIn: [],
      }),
    ),
  },
];
