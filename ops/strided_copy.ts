/** Copies between tensors of different strides: the kernels below slice, pad, concat, transpose. */
import {
  inputRef,
  outputRef,
  perElement,
  reads,
  type WasmCall,
  type WgslPass,
  writes,
} from "../core/kernel.ts";
import {
  type DType,
  mergeAxes,
  type Shape,
  show,
  sizeOf,
  stridesOf,
  type Type,
} from "../core/shape.ts";
import { floatFunction, wgslFloat } from "../core/wgsl_floats.ts";
import { call } from "./kernels.ts";
import { lines } from "./window.ts";

/** `y[toOffset + Σ iₖ·toₖ] = x[fromOffset + Σ iₖ·fromₖ]` over all indices of `dims`, in elements. */
export interface Copy {
  readonly dims: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly fromOffset: number;
  readonly toOffset: number;
}

/** The same copy over as few axes as it takes. */
function merged(copy: Copy): Copy {
  const { dims, strides: [from, to] } = mergeAxes(copy.dims, [copy.from, copy.to]);
  return { ...copy, dims, from, to };
}

/** The same copy by fours, where tensors and runs are whole and begin at multiples of four. */
function byFours(copy: Copy, x: Type, y: Type): Copy | undefined {
  const { dims, from, to, fromOffset, toOffset } = copy, last = dims.length - 1;
  if (from[last] !== 1 || to[last] !== 1) return undefined;
  const totals = [x, y].map((t) => sizeOf(t.shape));
  const numbers = [
    ...totals,
    dims[last],
    fromOffset,
    toOffset,
    ...from.slice(0, -1),
    ...to.slice(0, -1),
  ];
  if (numbers.some((v) => v % 4 !== 0)) return undefined;
  const quarter = (list: readonly number[], end: number) => [
    ...list.slice(0, -1).map((v) => v / 4),
    end,
  ];
  return {
    dims: [...dims.slice(0, -1), dims[last] / 4],
    from: quarter(from, 1),
    to: quarter(to, 1),
    fromOffset: fromOffset / 4,
    toOffset: toOffset / 4,
  };
}

const vectors: Readonly<Record<DType, string>> = { f32: "vec4f", i32: "vec4i", u32: "vec4u" };

/** WGSL that finds the index along each axis, `i0, i1, …`, of element `i`. */
function indices(dims: readonly number[]): string[] {
  const strides = stridesOf(dims);
  return dims.map((size, k) => {
    const whole = strides[k] === 1 ? "i" : `i / ${strides[k]}u`;
    return `let i${k} = ${k === 0 ? whole : `${whole} % ${size}u`};`;
  });
}

const weighted = (offset: number, strides: readonly number[], name = "i"): string =>
  [`${offset}u`, ...strides.map((stride, k) => `${name}${k} * ${stride}u`)].join(" + ");

/** A copy from x, the k-th input, to the output y. */
export function copyPass(name: string, k: number, x: Type, y: Type, copy: Copy): WgslPass {
  const one = merged(copy), four = byFours(one, x, y), { dims, from, to, ...offsets } = four ?? one;
  const type = four ? vectors[x.dtype] : x.dtype;
  const { head, groups } = perElement(sizeOf(dims));
  return {
    label: `${name}/copy${four ? 4 : 1}[${show(copy.dims)}]`,
    bindings: [reads("x", k, type), writes("y", 0, type)],
    groups,
    code: `${head}
${lines(2, indices(dims))}
  y[${weighted(offsets.toOffset, to)}] = x[${weighted(offsets.fromOffset, from)}];
}`,
  };
}

/** The same by the tensor module. */
export function copyCall(input: number, copy: Copy): WasmCall {
  const { dims, from, to, fromOffset, toOffset } = merged(copy);
  const geom = { ints: [...dims, ...from, ...to] };
  const [x, y] = [inputRef(input), outputRef(0)];
  return call("copy_strided", x, y, dims.length, geom, fromOffset, toOffset, 0);
}

/** Margins of one value around a tensor. */
export function padPass(
  x: Shape,
  margins: readonly (readonly [before: number, after: number])[],
  value: number,
): WgslPass {
  // Not `mergeAxes`: a pad is no walk with strides, and here two axes are one where neither the
  // source nor the result has a margin between them, whatever their strides.
  const sizes: number[] = [], before: number[] = [], whole: number[] = [];
  for (const [k, size] of x.entries()) {
    const [first, after] = margins[k], last = sizes.length - 1;
    if (last >= 0 && first === 0 && after === 0) {
      for (const list of [sizes, before, whole]) list[last] *= size;
    } else {
      sizes.push(size);
      before.push(first);
      whole.push(first + size + after);
    }
  }
  const last = sizes.length - 1;
  const four = last >= 0 && [sizes, before, whole].every((list) => list[last] % 4 === 0);
  if (four) { for (const list of [sizes, before, whole]) list[last] /= 4; }
  const type = four ? "vec4f" : "f32", { head, groups } = perElement(sizeOf(whole));
  const places = sizes.map((_, k) => `let p${k} = i${k} - ${before[k]}u;`);
  const inside = sizes.map((size, k) => `p${k} < ${size}u`).join(" && ");
  return {
    label: `pad/margins${four ? 4 : 1}[${show(x)}]`,
    bindings: [reads("x", 0, type), writes("y", 0, type)],
    groups,
    code: `${floatFunction}
${head}
${lines(2, [...indices(whole), ...places])}
  let inside = ${inside || "true"};
  y[i] = select(${type}(${wgslFloat(value)}), x[${weighted(0, stridesOf(sizes), "p")}], inside);
}`,
  };
}
