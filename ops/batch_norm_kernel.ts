/**
 * The WGSL of batch normalisation: sums over rows in chunks, then over chunks, then a value for
 * each element. Mean first and squared deviations after, since `E[x²] − E[x]²` cancels.
 */
import { wgslNumber } from "../core/expr.ts";
import {
  type Binding,
  outputRef,
  perElement,
  reads,
  type Ref,
  scratchRef,
  type WgslPass,
  type WgslProgram,
  writes,
} from "../core/kernel.ts";
import { elementBytes } from "../core/shape.ts";

/** Fewest and most rows of a chunk, and most chunks while those limits allow. */
const leastRows = 64, mostRows = 16_384, mostChunks = 256;

/** How rows are cut: a chunk is one invocation's loop, so it stays below 65,535 trips. */
interface Cut {
  readonly rows: number;
  readonly c: number;
  readonly chunk: number;
  readonly chunks: number;
}

function cutRows(rows: number, c: number): Cut {
  const chunk = Math.min(mostRows, Math.max(leastRows, Math.ceil(rows / mostChunks)));
  return { rows, c, chunk, chunks: Math.ceil(rows / chunk) };
}

const scratch = (name: string, ref: Ref, access: Binding["access"]): Binding => ({
  name,
  ref,
  type: "f32",
  access,
});

/** Inputs x, gamma, beta; outputs y, mean, invStd, variance. */
export function batchNormProgram(rows: number, c: number, eps: number): WgslProgram {
  const cut = cutRows(rows, c), label = `batch_norm[${rows}x${c}]`;
  const x = reads("x", 0), sums = scratchRef(0);
  const mean = scratch("mean", outputRef(1), "read");
  const passes = [
    sumRows(label, cut, [x], [sums], ["x[at]"]),
    sumChunks(label, cut, [sums], [writes("mean", 1)], `mean[i] = sum0 / ${float(rows)};`),
    sumRows(label, cut, [x, mean], [sums], ["(x[at] - mean[c]) * (x[at] - mean[c])"]),
    sumChunks(
      label,
      cut,
      [sums],
      [writes("inv_std", 2), writes("variance", 3)],
      `inv_std[i] = inverseSqrt(sum0 / ${float(rows)} + ${wgslNumber(eps)});
  variance[i] = sum0 / ${float(rows - 1)};`,
    ),
    perValue(
      label,
      cut,
      [
        x,
        reads("gamma", 1),
        reads("beta", 2),
        mean,
        scratch("inv_std", outputRef(2), "read"),
        writes("y", 0),
      ],
      "y[i] = (x[i] - mean[c]) * inv_std[c] * gamma[c] + beta[c];",
    ),
  ];
  return { scratch: [cut.chunks * c * elementBytes], passes };
}

/**
 * Inputs x, dy, gamma, mean, invStd; outputs dx, dgamma, dbeta. With x̂ the normalised x:
 * `dbeta = Σ dy`, `dgamma = Σ dy·x̂`, `dx = gamma·invStd·(dy − dbeta/rows − x̂·dgamma/rows)`.
 */
export function batchNormGradProgram(rows: number, c: number): WgslProgram {
  const cut = cutRows(rows, c), label = `batch_norm_grad[${rows}x${c}]`;
  const given = [reads("x", 0), reads("dy", 1), reads("mean", 3), reads("inv_std", 4)];
  const normal = (at: string, ch: string): string => `(x[${at}] - mean[${ch}]) * inv_std[${ch}]`;
  const passes = [
    sumRows(label, cut, given, [scratchRef(0), scratchRef(1)], [
      "dy[at]",
      `dy[at] * (${normal("at", "c")})`,
    ]),
    sumChunks(
      label,
      cut,
      [scratchRef(0), scratchRef(1)],
      [writes("dbeta", 2), writes("dgamma", 1)],
      "dbeta[i] = sum0;\n  dgamma[i] = sum1;",
    ),
    perValue(
      label,
      cut,
      [
        ...given,
        reads("gamma", 2),
        scratch("dgamma", outputRef(1), "read"),
        scratch("dbeta", outputRef(2), "read"),
        writes("dx", 0),
      ],
      `dx[i] = gamma[c] * inv_std[c] *
    (dy[i] - (dbeta[c] + ${normal("i", "c")} * dgamma[c]) / ${float(rows)});`,
    ),
  ];
  const bytes = cut.chunks * c * elementBytes;
  return { scratch: [bytes, bytes], passes };
}

const float = (count: number): string => wgslNumber(count);

/** `sums[chunk, c] = Σ` of each value over the rows of a chunk; values use `at` and `c`. */
function sumRows(
  label: string,
  { rows, c, chunk, chunks }: Cut,
  inputs: readonly Binding[],
  sums: readonly Ref[],
  values: readonly string[],
): WgslPass {
  const { head, groups } = perElement(chunks * c);
  const each = (print: (k: number) => string): string => sums.map((_, k) => print(k)).join("\n  ");
  return {
    label: `${label}/sum_rows`,
    bindings: [...inputs, ...sums.map((ref, k) => scratch(`sums${k}`, ref, "read_write"))],
    groups,
    code: `${head}
  let c = i % ${c}u;
  let first = (i / ${c}u) * ${chunk}u;
  let last = min(first + ${chunk}u, ${rows}u);
  ${each((k) => `var s${k} = 0.0;`)}
  for (var row = first; row < last; row++) {
    let at = row * ${c}u + c;
    ${each((k) => `s${k} += ${values[k]};`)}
  }
  ${each((k) => `sums${k}[i] = s${k};`)}
}`,
  };
}

/** Adds the chunks of each channel `i` to `sum0`, `sum1`, …, then runs the statements. */
function sumChunks(
  label: string,
  { c, chunks }: Cut,
  sums: readonly Ref[],
  outputs: readonly Binding[],
  statements: string,
): WgslPass {
  const { head, groups } = perElement(c);
  const each = (print: (k: number) => string): string => sums.map((_, k) => print(k)).join("\n  ");
  return {
    label: `${label}/sum_chunks`,
    bindings: [...sums.map((ref, k) => scratch(`sums${k}`, ref, "read")), ...outputs],
    groups,
    code: `${head}
  ${each((k) => `var sum${k} = 0.0;`)}
  for (var chunk = 0u; chunk < ${chunks}u; chunk++) {
    ${each((k) => `sum${k} += sums${k}[chunk * ${c}u + i];`)}
  }
  ${statements}
}`,
  };
}

/** Statements for every element `i` of channel `c`. */
function perValue(
  label: string,
  { rows, c }: Cut,
  bindings: readonly Binding[],
  statements: string,
): WgslPass {
  const { head, groups } = perElement(rows * c);
  return {
    label: `${label}/normalize`,
    bindings,
    groups,
    code: `${head}
  let c = i % ${c}u;
  ${statements}
}`,
  };
}
