/** Matrix products, plain and batched. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, outputRef, scratchRef, type WgslProgram } from "../core/kernel.ts";
import {
  broadcastShapes,
  elementBytes,
  f32,
  type Shape,
  show,
  sizeOf,
  type Type,
} from "../core/shape.ts";
import { reshape } from "../core/structure.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";
import { matmulPass, type Product, splitK } from "./matmul_kernel.ts";
import { sumTo } from "./reduce.ts";
import { sumPartsPass } from "./sum_parts.ts";

/** Options of {@link matmul}. */
export interface MatmulOptions {
  /** The last two axes of `a` are `[k,m]` (default false). */
  readonly transposeA?: boolean;
  /** The last two axes of `b` are `[n,k]` (default false). */
  readonly transposeB?: boolean;
}

/** Checked options of {@link matmul}. */
export type MatmulAttrs = Required<MatmulOptions>;

/** Behind {@link matmul}: a and b. */
export const matmulOp: MacroOp<MatmulAttrs> = {
  kind: "macro",
  name: "matmul",
  infer([a, b], attrs, where) {
    checkDType("matmul", where, "a", a);
    checkDType("matmul", where, "b", b);
    const [am, ak] = matrixOf(a, attrs.transposeA, "a", where);
    const [bn, bk] = matrixOf(b, !attrs.transposeB, "b", where);
    if (ak !== bk) {
      const note = (transposed: boolean) => transposed ? " transposed" : "";
      throw new ShapeError(
        `Cannot matmul${where}: inner sizes of ${show(a.shape)}${note(attrs.transposeA)} and ${
          show(b.shape)
        }${note(attrs.transposeB)} are ${ak} and ${bk}; was flatten left out?`,
      );
    }
    return [f32([...leadOf(a.shape, b.shape, where), am, bn])];
  },
  grad({ inputs: [a, b], attrs: { transposeA, transposeB } }, [dy]) {
    if (!dy) return [null, null];
    const da = transposeA
      ? matmul(b, dy, { transposeA: transposeB, transposeB: true })
      : matmul(dy, b, { transposeB: !transposeB });
    return [sumTo(da, a.shape), gradientOfB(a, b, dy, { transposeA, transposeB })];
  },
  multiplyAdds({ inputs: [a, b], attrs }) {
    const { batch, m, n, k } = productOf(a, b, attrs);
    return batch * m * n * k;
  },
  wasm({ inputs: [a, b], attrs }) {
    const p = productOf(a, b, attrs);
    const geometry = [
      p.batch,
      p.m,
      p.n,
      p.k,
      Number(p.transposeA),
      Number(p.transposeB),
      p.strideA,
      p.strideB,
    ];
    return { calls: [call("matmul", inputRef(0), inputRef(1), outputRef(0), { ints: geometry })] };
  },
  wgsl({ inputs: [a, b], attrs }): WgslProgram {
    const p = productOf(a, b, attrs), parts = splitK(p);
    if (parts === 1) return { passes: [matmulPass(p, 1, outputRef(0))] };
    const total = p.batch * p.m * p.n;
    return {
      scratch: [parts * total * elementBytes],
      passes: [
        matmulPass(p, parts, scratchRef(0)),
        sumPartsPass("matmul", parts, total, scratchRef(0), outputRef(0)),
      ],
    };
  },
};

/** Where b is one matrix for a whole batch, the batch is part of the sum: no sum is left to do. */
function gradientOfB(a: Tensor, b: Tensor, dy: Tensor, attrs: MatmulAttrs): Tensor {
  const { transposeA, transposeB } = attrs;
  const merged = !transposeA && sizeOf(b.shape.slice(0, -2)) === 1;
  const [x, g] = merged ? [a, dy].map((t) => reshape(t, [-1, t.shape.at(-1)!])) : [a, dy];
  const db = transposeB
    ? matmul(g, x, { transposeA: true, transposeB: transposeA })
    : matmul(x, g, { transposeA: !transposeA });
  return merged ? reshape(db, b.shape) : sumTo(db, b.shape);
}

/** Sizes of the last two axes, swapped where asked. */
function matrixOf(
  { shape }: Type,
  swap: boolean,
  name: string,
  where: string,
): readonly [outer: number, inner: number] {
  if (shape.length < 2) {
    throw new ShapeError(
      `Cannot matmul${where}: ${name} ${show(shape)} has ${shape.length} axes, ` +
        "at least 2 are wanted",
    );
  }
  const [rows, columns] = shape.slice(-2);
  return swap ? [columns, rows] : [rows, columns];
}

/** Leading axes of the result; one of the two batches may be a single matrix. */
function leadOf(a: Shape, b: Shape, where: string): Shape {
  const [leadA, leadB] = [a.slice(0, -2), b.slice(0, -2)];
  const lead = broadcastShapes(`matmul${where}`, leadA, leadB), size = sizeOf(lead);
  if ([leadA, leadB].some((s) => sizeOf(s) !== 1 && sizeOf(s) !== size)) {
    throw new ShapeError(
      `Cannot matmul${where}: leading axes of ${show(a)} and ${show(b)} each repeat along the ` +
        "other, equal ones or a single matrix are wanted",
    );
  }
  return lead;
}

function productOf(a: Type, b: Type, { transposeA, transposeB }: MatmulAttrs): Product {
  const [m, k] = matrixOf(a, transposeA, "a", ""), [n] = matrixOf(b, !transposeB, "b", "");
  const batchA = sizeOf(a.shape.slice(0, -2)), batchB = sizeOf(b.shape.slice(0, -2));
  const common = { n, k, transposeA, transposeB };
  // Rows of a batch lie one below the other: with a single b they are rows of one matrix.
  if (batchB === 1 && !transposeA) {
    return { ...common, batch: 1, m: batchA * m, strideA: 0, strideB: 0 };
  }
  return {
    ...common,
    m,
    batch: Math.max(batchA, batchB),
    strideA: batchA === 1 ? 0 : m * k,
    strideB: batchB === 1 ? 0 : k * n,
  };
}

/**
 * Matrix product `y[…,i,j] = Σ_k a[…,i,k] · b[…,k,j]`.
 *
 * Shapes: a `[…,m,k]` (or `[…,k,m]` with `transposeA`), b `[…,k,n]` (or `[…,n,k]` with
 * `transposeB`) → `[…,m,n]`. Leading axes are equal, or one of the two is a single matrix that is
 * used for the whole batch. Cost: 2·m·n·k flops a matrix. Accuracy: f32 sums.
 *
 * @throws {ShapeError} when inner sizes or leading axes differ, one of the two has fewer than 2
 *   axes, or one is no f32
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  return applyOne(matmulOp, [a, b], { transposeA, transposeB });
}
