/**
 * The WGSL of batch normalisation: sums over rows in two dispatches, or in one where rows are few.
 *
 * A workgroup is 16 channels wide and 16 rows deep: neighbours read neighbouring channels, and each
 * invocation walks every 16th row of its chunk. Mean first and deviations after, since
 * `E[x²] − E[x]²` cancels; the mean is kept in two parts, of which the second is the mean of the
 * deviations from the first.
 */
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
import { wgslNumber } from "../core/wgsl_floats.ts";

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

/** Inputs x, gamma, beta; outputs mean, inner, variance, scale, shift, as the operation has them. */
export function statisticsProgram(rows: number, c: number, eps: number): WgslProgram {
  const cut = cutRows(rows, c), label = `batch_statistics[${rows}x${c}]`;
  const outputs = ["mean", "inner", "variance", "scale", "shift"].map((name, k) => writes(name, k));
  const values: RowSums = {
    walks: [
      { name: "sum", type: "f32", value: "x[at]" },
      { name: "off", type: "vec2f", value: "vec2f(x[at] - center, pow2(x[at] - center))" },
    ],
    between: `let center = sum / f32(last - first);`,
    after: `let more = off.x / f32(last - first);
    let squares = off.y - more * off.x;`,
  };
  return rowSumsProgram(label, cut, {
    x: [reads("x", 0)],
    others: [reads("gamma", 1), reads("beta", 2), ...outputs],
    values,
    part: { type: "vec4f", text: "vec4f(center, more, squares, 0.0)" },
    // Relative to the first chunk's center, since means that are large and alike would cancel.
    combine: `let center = parts[c].x;
  var total = 0.0;
  for (var k = 0u; k < ${cut.chunks}u; k++) {
    let own = parts[k * ${c}u + c];
    total += size(k) * ((own.x - center) + own.y);
  }
  let more = total / ${float(rows)};
  var squares = 0.0;
  for (var k = 0u; k < ${cut.chunks}u; k++) {
    let own = parts[k * ${c}u + c];
    squares += own.z + size(k) * pow2(((own.x - center) + own.y) - more);
  }`,
    finish: `let rounded = center + more;
    let rest = (center - rounded) + more;
    let inverse = inverseSqrt(squares / ${float(rows)} + ${wgslNumber(eps)});
    let factor = gamma[c] * inverse;
    mean[c] = rounded;
    inner[c] = inverse;
    inner[c + ${c}u] = rest;
    variance[c] = squares / ${float(rows - 1)};
    scale[c] = factor;
    shift[c] = beta[c] - rest * factor;`,
  });
}

/**
 * Inputs x, dy, mean, inner; outputs dgamma, dbeta, and slope and offset in
 * `dx = scale·(dy + slope·(x − mean) + offset)`. More would be too many buffers for a kernel.
 */
export function gradSumsProgram(rows: number, c: number): WgslProgram {
  const outputs = ["dgamma", "dbeta", "slope", "offset"].map((name, k) => writes(name, k));
  const cut = cutRows(rows, c);
  return rowSumsProgram(`batch_norm_grad[${rows}x${c}]`, cut, {
    x: [reads("x", 0), reads("dy", 1), reads("mean", 2)],
    others: [reads("inner", 3), ...outputs],
    values: {
      walks: [{ name: "sum", type: "vec2f", value: "vec2f(dy[at], dy[at] * (x[at] - mean[c]))" }],
      between: "",
      after: "",
    },
    part: { type: "vec2f", text: "sum" },
    combine: `var sum = vec2f();
  for (var k = 0u; k < ${cut.chunks}u; k++) { sum += parts[k * ${c}u + c]; }`,
    finish: `let inverse = inner[c];
    let rest = inner[c + ${c}u];
    let normal = (sum.y - rest * sum.x) * inverse;
    let fall = -normal * inverse / ${float(rows)};
    dgamma[c] = normal;
    dbeta[c] = sum.x;
    slope[c] = fall;
    offset[c] = -sum.x / ${float(rows)} - fall * rest;`,
  });
}

/** A sum over rows of a value in `at`, the place of an element of channel `c`. */
interface Walk {
  readonly name: string;
  readonly type: "f32" | "vec2f";
  readonly value: string;
}

/** One walk, or a second one whose value uses what `between` makes of the first. */
interface RowSums {
  readonly walks: readonly Walk[];
  readonly between: string;
  /** Statements that may use the sum of the last walk; run by the invocations of the first row. */
  readonly after: string;
}

interface RowSumsText {
  /** What the walks read. */
  readonly x: readonly Binding[];
  /** What `finish` reads and writes beside. */
  readonly others: readonly Binding[];
  readonly values: RowSums;
  /** What a chunk hands on per channel; one buffer, for eight are few. */
  readonly part: { readonly type: "vec2f" | "vec4f"; readonly text: string };
  /** Defines from the parts of all chunks what a single chunk would have defined. */
  readonly combine: string;
  /** Results of channel `c`. */
  readonly finish: string;
}

const partBytes = { vec2f: 2 * elementBytes, vec4f: 4 * elementBytes } as const;

/** Sums over all rows at once, or over chunks and then over the sums of all chunks. */
function rowSumsProgram(label: string, cut: Cut, text: RowSumsText): WgslProgram {
  const { rows, c, chunk, chunks } = cut, { type } = text.part;
  if (chunks === 1) {
    return { passes: [sumRows(label, cut, [...text.x, ...text.others], text.values, text.finish)] };
  }
  const parts = (access: Binding["access"]): Binding => ({
    name: "parts",
    ref: scratchRef(0),
    type,
    access,
  });
  const store = `parts[chunk * ${c}u + c] = ${text.part.text};`, { head, groups } = perElement(c);
  return {
    scratch: [chunks * c * partBytes[type]],
    passes: [
      sumRows(label, cut, [...text.x, parts("read_write")], text.values, store),
      {
        label: `${label}/combine`,
        bindings: [parts("read"), ...text.others],
        groups,
        code: `${square}
fn size(k: u32) -> f32 { return f32(min(${chunk}u, ${rows}u - k * ${chunk}u)); }
${head}
  let c = i;
  ${text.combine}
  ${text.finish}
}`,
      },
    ],
  };
}

const square = "fn pow2(x: f32) -> f32 { return x * x; }";

/** Sums over a chunk of rows, one after the other; `store` runs once per channel `c`. */
function sumRows(
  label: string,
  { rows, c, chunk, chunks }: Cut,
  bindings: readonly Binding[],
  { walks, between, after }: RowSums,
  store: string,
): WgslPass {
  const size = wide * deep;
  const shared = walks.map(({ name, type }) =>
    `var<workgroup> ${name}_parts: array<${type}, ${size}>;`
  );
  return {
    label: `${label}/sum_rows`,
    bindings,
    groups: [Math.ceil(c / wide), chunks, 1],
    code: `const CHANNELS = ${c}u;
${shared.join("\n")}
${square}

@compute @workgroup_size(${size})
fn main(@builtin(local_invocation_index) li: u32, @builtin(workgroup_id) group: vec3u) {
  let y = li / ${wide}u;
  let c = group.x * ${wide}u + li % ${wide}u;
  let chunk = group.y;
  let first = chunk * ${chunk}u;
  let last = min(first + ${chunk}u, ${rows}u);
  ${walks.map(walkText).join(`\n  ${between}\n  `)}
  if (y == 0u && c < CHANNELS) {
    ${after}
    ${store}
  }
}`,
  };
}

/** Rows that an invocation sums up before it adds: a long sum of squares in f32 loses digits. */
const shortSum = 32;

/** Sums by invocation, then over the rows of the workgroup, as a tree. */
function walkText({ name, type, value }: Walk): string {
  const parts = `${name}_parts`;
  const halvings = [deep / 2, deep / 4, deep / 8, deep / 16].map((step) => `
  if (y < ${step}u) { ${parts}[li] += ${parts}[li + ${step * wide}u]; }
  workgroupBarrier();`).join("");
  return `var own_${name} = ${type}();
  if (c < CHANNELS) {
    for (var start = first + y; start < last; start += ${shortSum * deep}u) {
      var some = ${type}();
      let end = min(start + ${shortSum * deep}u, last);
      for (var row = start; row < end; row += ${deep}u) {
        let at = row * CHANNELS + c;
        some += ${value};
      }
      own_${name} += some;
    }
  }
  ${parts}[li] = own_${name};
  workgroupBarrier();${halvings}
  let ${name} = ${parts}[li % ${wide}u];`;
}
