/**
 * The WGSL of batch normalisation: sums over rows in two dispatches, or in one where rows are few.
 *
 * A workgroup is 16 channels wide and 16 rows deep: neighbours read neighbouring channels, and each
 * invocation walks every 16th row of its chunk. Mean first and squared deviations after, since
 * `E[x²] − E[x]²` cancels.
 */
import { wgslNumber } from "../core/expr.ts";
import {
  type Binding,
  perElement,
  reads,
  scratchRef,
  type WgslPass,
  type WgslProgram,
  writes,
} from "../core/kernel.ts";
import { elementBytes } from "../core/shape.ts";

/** Channels and rows of a workgroup. */
const wide = 16, deep = 16;
/** Up to so many rows one dispatch does it all; more are cut into chunks. */
const fewRows = 8192;
/** Fewest rows of a chunk, and most chunks while the loop limit allows. */
const leastRows = 1024, mostChunks = 128;
/** Most rows of a chunk: two walks of every 16th stay far below 65,535 trips. */
const mostRows = 262_144;

interface Cut {
  readonly rows: number;
  readonly c: number;
  readonly chunk: number;
  readonly chunks: number;
}

function cutRows(rows: number, c: number): Cut {
  if (rows <= fewRows) return { rows, c, chunk: rows, chunks: 1 };
  const chunk = Math.min(mostRows, Math.max(leastRows, Math.ceil(rows / mostChunks)));
  return { rows, c, chunk, chunks: Math.ceil(rows / chunk) };
}

const float = (count: number): string => wgslNumber(count);

/** Pairs of sums per chunk and channel, between the two dispatches; one buffer, for eight are few. */
const sums = (access: Binding["access"]): Binding => ({
  name: "sums",
  ref: scratchRef(0),
  type: "vec2f",
  access,
});

/** Inputs x, gamma, beta; outputs mean, invStd, variance, scale, shift. */
export function statisticsProgram(rows: number, c: number, eps: number): WgslProgram {
  const cut = cutRows(rows, c), label = `batch_statistics[${rows}x${c}]`;
  const results = [
    reads("gamma", 1),
    reads("beta", 2),
    ...["mean", "inv_std", "variance", "scale", "shift"].map((name, k) => writes(name, k)),
  ];
  const finish = `let inverse = inverseSqrt(squares / ${float(rows)} + ${wgslNumber(eps)});
    let factor = gamma[c] * inverse;
    mean[c] = center;
    inv_std[c] = inverse;
    variance[c] = squares / ${float(rows - 1)};
    scale[c] = factor;
    shift[c] = beta[c] - center * factor;`;
  const values: RowSums = {
    first: "x[at]",
    between: `let center = sum / f32(last - first);`,
    second: "(x[at] - center) * (x[at] - center)",
  };
  const x = reads("x", 0);
  if (cut.chunks === 1) {
    const whole = `let squares = sum;\n    ${finish}`;
    return { passes: [sumRows(label, cut, [x, ...results], values, whole)] };
  }
  const combine = `var total = 0.0;
  for (var k = 0u; k < ${cut.chunks}u; k++) { total += size(k) * sums[k * ${c}u + c].x; }
  let center = total / ${float(rows)};
  var squares = 0.0;
  for (var k = 0u; k < ${cut.chunks}u; k++) {
    let own = sums[k * ${c}u + c];
    squares += own.y + size(k) * (own.x - center) * (own.x - center);
  }
  ${finish}`;
  const store = `sums[chunk * ${c}u + c] = vec2f(center, sum);`;
  return twoPasses(label, cut, [x], values, store, results, combine);
}

/**
 * Inputs x, dy, mean, invStd, scale; outputs dgamma, dbeta, and the slope in
 * `dx = scale·(dy − dbeta/rows) + slope·(x − mean)`. More would be too many buffers for a kernel.
 */
export function gradSumsProgram(rows: number, c: number): WgslProgram {
  const cut = cutRows(rows, c), label = `batch_norm_grad[${rows}x${c}]`;
  const given = [reads("x", 0), reads("dy", 1), reads("mean", 2)];
  const results = [
    reads("inv_std", 3),
    reads("scale", 4),
    ...["dgamma", "dbeta", "slope"].map((name, k) => writes(name, k)),
  ];
  const finish = `let normal = dot * inv_std[c];
    dgamma[c] = normal;
    dbeta[c] = total;
    slope[c] = -scale[c] * inv_std[c] * normal / ${float(rows)};`;
  const values: RowSums = {
    first: "dy[at]",
    between: "let total = sum;",
    second: "dy[at] * (x[at] - mean[c])",
  };
  if (cut.chunks === 1) {
    const whole = `let dot = sum;\n    ${finish}`;
    return { passes: [sumRows(label, cut, [...given, ...results], values, whole)] };
  }
  const store = `sums[chunk * ${c}u + c] = vec2f(total, sum);`;
  const combine = `var total = 0.0;
  var dot = 0.0;
  for (var k = 0u; k < ${cut.chunks}u; k++) {
    total += sums[k * ${c}u + c].x;
    dot += sums[k * ${c}u + c].y;
  }
  ${finish}`;
  return twoPasses(label, cut, given, values, store, results, combine);
}

/** What is summed over rows: a first value, then a second one that may use the first sum. */
interface RowSums {
  readonly first: string;
  readonly between: string;
  readonly second: string;
}

/** Sums over chunks, then over the sums of all chunks. */
function twoPasses(
  label: string,
  cut: Cut,
  inputs: readonly Binding[],
  values: RowSums,
  store: string,
  results: readonly Binding[],
  combine: string,
): WgslProgram {
  const { rows, c, chunk, chunks } = cut;
  const { head, groups } = perElement(c);
  return {
    scratch: [2 * chunks * c * elementBytes],
    passes: [
      sumRows(
        label,
        cut,
        [...inputs, sums("read_write")],
        values,
        store,
      ),
      {
        label: `${label}/combine`,
        bindings: [sums("read"), ...results],
        groups,
        code: `fn size(k: u32) -> f32 { return f32(min(${chunk}u, ${rows}u - k * ${chunk}u)); }
${head}
  let c = i;
  ${combine}
}`,
      },
    ],
  };
}

/** Two sums over a chunk of rows, one after the other; `store` runs once per channel `c`. */
function sumRows(
  label: string,
  { rows, c, chunk, chunks }: Cut,
  bindings: readonly Binding[],
  { first, between, second }: RowSums,
  store: string,
): WgslPass {
  const size = wide * deep;
  const halvings = [deep / 2, deep / 4, deep / 8, deep / 16].map((step) => `
  if (y < ${step}u) { part[li] += part[li + ${step * wide}u]; }
  workgroupBarrier();`).join("");
  const walk = (value: string): string =>
    `if (c < CHANNELS) {
    for (var row = first + y; row < last; row += ${deep}u) {
      let at = row * CHANNELS + c;
      own += ${value};
    }
  }
  part[li] = own;
  workgroupBarrier();${halvings}`;
  return {
    label: `${label}/sum_rows`,
    bindings,
    groups: [Math.ceil(c / wide), chunks, 1],
    code: `const CHANNELS = ${c}u;
var<workgroup> part: array<f32, ${size}>;

@compute @workgroup_size(${size})
fn main(@builtin(local_invocation_index) li: u32, @builtin(workgroup_id) group: vec3u) {
  let y = li / ${wide}u;
  let c = group.x * ${wide}u + li % ${wide}u;
  let chunk = group.y;
  let first = chunk * ${chunk}u;
  let last = min(first + ${chunk}u, ${rows}u);
  var own = 0.0;
  ${walk(first)}
  var sum = part[li % ${wide}u];
  workgroupBarrier();
  ${between}
  own = 0.0;
  ${walk(second)}
  sum = part[li];
  if (y == 0u && c < CHANNELS) {
    ${store}
  }
}`,
  };
}
