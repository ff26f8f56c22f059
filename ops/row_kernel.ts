/**
 * WGSL kernels over the rows of a matrix, such as softmax: reductions over a row, then a value for
 * each of its elements. One invocation takes a short row, one workgroup a long row.
 */
import type { Binding, WgslPass } from "../core/kernel.ts";
import { perElement } from "../core/kernel.ts";
import { floatFunction, isNan, isNotFinite, wgslFloat } from "../core/wgsl_floats.ts";

/** Prints the parts of a row kernel; all expressions may use `row`, `base` (= row · length). */
export interface RowText {
  /** Defines `name`: the sum or maximum over the row of an expression in `j` and `at` (= base + j). */
  reduce(name: string, kind: "sum" | "max", value: string): string;
  /** Statements for every element of the row, in `j` and `at`. */
  each(statements: string): string;
  /** Statements run once a row. */
  once(statements: string): string;
}

/** Rows from this length on get a workgroup each: one invocation would wait for memory too long. */
const longRow = 256;

/** Invocations that share a long row. */
const lanes = 64;

/** NaN for a row, so that a label outside the classes cannot pass unseen. */
export const nanText: string = wgslFloat(NaN);

/** Most workgroups along one axis that WebGPU promises. */
const maxGroups = 65_535;

/** One pass over `rows` rows of `length` elements each. */
export function rowPass(
  label: string,
  rows: number,
  length: number,
  bindings: readonly Binding[],
  body: (text: RowText) => string,
): WgslPass {
  const key = `${rows}x${length}`;
  if (length < longRow) {
    const { head, groups } = perElement(rows, lanes);
    const code = `${floatFunction}
${head}
  let row = i;
  let base = row * ${length}u;
${body(shortText(length))}
}`;
    return { label: `${label}/row[${key}]`, bindings, groups, code };
  }
  const down = Math.ceil(rows / maxGroups), across = Math.ceil(rows / down);
  const code = `${floatFunction}
var<workgroup> lane_values: array<f32, ${lanes}>;
${treeOf("sum", "lane_values[lane] + lane_values[lane + s]")}
${treeOf("max", "max(lane_values[lane], lane_values[lane + s])")}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * ${across}u;
  if (row >= ${rows}u) { return; }
  let base = row * ${length}u;
${body(longText(length))}
}`;
  return { label: `${label}/long_row[${key}]`, bindings, groups: [across, down, 1], code };
}

/**
 * A loop that folds `value` into `total`; every lane of a long row walks every 64th element. The
 * maximum may drop a NaN: what is summed after it, the exponentials of the row, brings it again.
 */
function fold(kind: "sum" | "max", value: string, total: string, loop: string): string {
  const start = kind === "sum" ? "0.0" : wgslFloat(-Infinity);
  const next = kind === "sum" ? `${total} + v` : `max(${total}, v)`;
  return `  var ${total} = ${start};
  ${loop} {
    let at = base + j;
    let v = ${value};
    ${total} = ${next};
  }`;
}

function shortText(length: number): RowText {
  const loop = `for (var j = 0u; j < ${length}u; j++)`;
  return {
    reduce: (name, kind, value) => {
      const total = `${name}_`;
      // In a row of one element compilers take x − x for 0, and log(exp(x)) − x: a choice by bits
      // is nothing that they look through.
      const isBad = kind === "max" ? isNotFinite(total) : isNan(total);
      const result = length === 1 ? `select(${total}, ${nanText}, ${isBad})` : total;
      return `${fold(kind, value, total, loop)}\n  let ${name} = ${result};`;
    },
    each: (statements) => `  ${loop} {\n    let at = base + j;\n    ${statements}\n  }`,
    once: (statements) => `  ${statements}`,
  };
}

function longText(length: number): RowText {
  const loop = `for (var j = lane; j < ${length}u; j += ${lanes}u)`;
  return {
    reduce: (name, kind, value) =>
      `${fold(kind, value, `${name}_`, loop)}\n  let ${name} = ${kind}_of_lanes(lane, ${name}_);`,
    each: (statements) => `  ${loop} {\n    let at = base + j;\n    ${statements}\n  }`,
    once: (statements) => `  if (lane == 0u) {\n    ${statements}\n  }`,
  };
}

/** A tree over the lanes; the last barrier lets the next reduction write again. */
const treeOf = (kind: string, step: string): string =>
  `fn ${kind}_of_lanes(lane: u32, value: f32) -> f32 {
  lane_values[lane] = value;
  workgroupBarrier();
  for (var s = ${lanes / 2}u; s > 0u; s >>= 1u) {
    if (lane < s) { lane_values[lane] = ${step}; }
    workgroupBarrier();
  }
  let result = lane_values[0];
  workgroupBarrier();
  return result;
}`;
