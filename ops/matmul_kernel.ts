/** The WGSL of matrix products: a tile of up to 4×4 results per invocation, held in registers. */
import { type Binding, perElement, reads, type WgslPass } from "../core/kernel.ts";

/** A batch of products `y = a·b` of one size; strides in elements, 0 repeats the matrix. */
export interface Product {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** a is `[k,m]`. */
  readonly transposeA: boolean;
  /** b is `[n,k]`. */
  readonly transposeB: boolean;
  readonly strideA: number;
  readonly strideB: number;
}

/** Results per invocation across, and steps of k per trip of the loop. */
const across = 4, unroll = 4;

/** Invocations that keep a GPU busy, the shortest sum worth splitting off, and the most parts. */
const wanted = 4096, leastK = 128, mostParts = 256;

/** Longest sum of one invocation: 16,384 trips, well below the 65,535 of old software Vulkan. */
const mostK = 65_536;

const rowsPerTile = (m: number): number => m >= 3 ? 4 : m;

const tilesOf = ({ m, n }: Product): readonly [down: number, across: number] => [
  Math.ceil(m / rowsPerTile(m)),
  Math.ceil(n / across),
];

const chunkOf = (k: number, parts: number): number => Math.ceil(k / parts / unroll) * unroll;

/**
 * In how many parts the sum over k is cut. Weight gradients have few results and a long k: one
 * invocation per tile would leave most of a GPU idle.
 */
export function splitK(p: Product): number {
  const [down, right] = tilesOf(p);
  const idle = Math.ceil(wanted / (down * right * p.batch));
  const parts = Math.min(idle, Math.max(1, Math.floor(p.k / leastK)), mostParts);
  const enough = Math.max(parts, Math.ceil(p.k / mostK));
  return Math.ceil(p.k / chunkOf(p.k, enough));
}

/** Results of one part of k each: `to[part, batch, m, n]`. */
export function matmulPass(p: Product, parts: number, to: Binding["ref"]): WgslPass {
  const { batch, m, n, k } = p;
  const rows = range(rowsPerTile(m)), [down, right] = tilesOf(p);
  const chunk = chunkOf(k, parts), tiles = down * right;
  const { head, groups } = perElement(tiles * batch * parts);
  const a = loadA(p, rows), b = loadB(p);
  const multiply = (steps: readonly number[]): string =>
    [...a.loads(steps), ...b.loads(steps)].join("\n    ") + "\n    " +
    steps.flatMap((u) => rows.map((r) => `acc${r} += ${a.value(r, u)} * ${b.value(u)};`))
      .join("\n    ");
  const tail = k % unroll === 0 ? "" : `
  for (; k < last; k++) {
    ${multiply([0])}
  }`;
  const flags = `${p.transposeA ? "t" : "n"}${p.transposeB ? "t" : "n"}`;
  const split = parts > 1 ? ` k/${parts}` : "";
  return {
    label: `matmul/tile${rows.length}x4[${batch}x${m}x${n}x${k} ${flags}${split}]`,
    bindings: [
      reads("a", 0, a.type),
      reads("b", 1, b.type),
      { name: "y", ref: to, type: n % 4 === 0 ? "vec4f" : "f32", access: "read_write" },
    ],
    groups,
    code: `${head}
  let column = (i % ${right}u) * ${across}u;
  let row = (i / ${right}u % ${down}u) * ${rows.length}u;
  let product = i / ${tiles}u;
  let at_a = (product % ${batch}u) * ${p.strideA}u;
  let at_b = (product % ${batch}u) * ${p.strideB}u;
  var k = (product / ${batch}u) * ${chunk}u;
  let last = min(k + ${chunk}u, ${k}u);
  ${[...a.setup, ...b.setup, ...rows.map((r) => `var acc${r} = vec4f();`)].join("\n  ")}
  for (; k + ${unroll}u <= last; k += ${unroll}u) {
    ${multiply(range(unroll))}
  }${tail}
  let to = (product * ${m}u + row) * ${n}u + column;
  ${rows.map((r) => store(p, r)).join("\n  ")}
}`,
  };
}

/** How an operand is read: element type, lines before the loop, loads of some steps, values. */
interface Loader<V> {
  readonly type: string;
  readonly setup: readonly string[];
  loads(steps: readonly number[]): string[];
  readonly value: V;
}

/** Rows of a: beyond the last row that row is read again, and its result is not stored. */
function loadA(
  { m, k, transposeA }: Product,
  rows: readonly number[],
): Loader<(r: number, u: number) => string> {
  if (transposeA && m % 4 === 0) {
    return {
      type: "vec4f",
      setup: [],
      loads: (steps) =>
        steps.map((u) => `let a_${u} = a[(at_a + (k + ${u}u) * ${m}u + row) >> 2u];`),
      value: (r, u) => `a_${u}.${axis(r)}`,
    };
  }
  const setup = rows.map((r) =>
    `let row${r} = at_a + min(row + ${r}u, ${m - 1}u)${transposeA ? "" : ` * ${k}u`};`
  );
  if (!transposeA && k % unroll === 0) {
    return {
      type: "vec4f",
      setup,
      loads: () => rows.map((r) => `let a_${r} = a[(row${r} + k) >> 2u];`),
      value: (r, u) => `a_${r}.${axis(u)}`,
    };
  }
  const step = transposeA ? ` * ${m}u` : "";
  return {
    type: "f32",
    setup,
    loads: (steps) =>
      steps.flatMap((u) => rows.map((r) => `let a_${r}_${u} = a[row${r} + (k + ${u}u)${step}];`)),
    value: (r, u) => `a_${r}_${u}`,
  };
}

/** Four columns of b at one step of k; beyond the last column as with rows of a. */
function loadB({ n, k, transposeB }: Product): Loader<(u: number) => string> {
  if (!transposeB && n % 4 === 0) {
    return {
      type: "vec4f",
      setup: [],
      loads: (steps) =>
        steps.map((u) => `let b_${u} = b[(at_b + (k + ${u}u) * ${n}u + column) >> 2u];`),
      value: (u) => `b_${u}`,
    };
  }
  const columns = range(across);
  const setup = columns.map((c) =>
    `let column${c} = at_b + min(column + ${c}u, ${n - 1}u)${transposeB ? ` * ${k}u` : ""};`
  );
  if (transposeB && k % unroll === 0) {
    return {
      type: "vec4f",
      setup,
      loads: () => columns.map((c) => `let b_${c} = b[(column${c} + k) >> 2u];`),
      value: (u) => `vec4f(${columns.map((c) => `b_${c}.${axis(u)}`).join(", ")})`,
    };
  }
  const step = transposeB ? "" : ` * ${n}u`;
  return {
    type: "f32",
    setup,
    loads: (steps) =>
      steps.map((u) =>
        `let b_${u} = vec4f(${
          columns.map((c) => `b[column${c} + (k + ${u}u)${step}]`).join(", ")
        });`
      ),
    value: (u) => `b_${u}`,
  };
}

function store({ m, n }: Product, r: number): string {
  const inRows = `row + ${r}u < ${m}u`;
  if (n % 4 === 0) return `if (${inRows}) { y[(to + ${r * n}u) >> 2u] = acc${r}; }`;
  return range(across).map((c) =>
    `if (${inRows} && column + ${c}u < ${n}u) { y[to + ${r * n + c}u] = acc${r}.${axis(c)}; }`
  ).join("\n  ");
}

const axis = (k: number): string => "xyzw"[k];

const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);
