/** WGSL of pooling: one invocation per window or image place, and vector of channels. */
import {
  type Binding,
  inputRef,
  perElement,
  reads,
  scratchRef,
  type WgslPass,
  type WgslProgram,
  writes,
} from "../core/kernel.ts";
import { elementBytes } from "../core/shape.ts";
import { extremeFunction, floatFunction, isNan, wgslFloat, wgslNumber } from "../core/wgsl_floats.ts";
import {
  checkTrips,
  floats,
  lanesOf,
  lines,
  overhangs,
  windowAt,
  type WindowGeometry,
} from "./window.ts";

/** Pooling in numbers: images, windows and channels. */
export interface PoolGeometry extends WindowGeometry {
  readonly c: number;
}

/** What each place adds to a mean, as the tensor module computes it. */
const share = (g: PoolGeometry): string => wgslNumber(1 / (g.kh * g.kw));

const keyOf = (g: PoolGeometry): string => `${g.kh}x${g.kw} s${g.sh}x${g.sw} c${g.c}`;

/** The start of `main` over windows, and a loop over the places that one sees: `x[at]` at `tap`. */
function overPlaces(
  label: string,
  g: PoolGeometry,
  body: { readonly before?: string; readonly start: string; readonly each: string; readonly end: string },
): Pick<WgslPass, "label" | "code" | "groups"> {
  const blocks = g.c / lanesOf(g.c);
  checkTrips(label, g.kh * (1 + g.kw));
  const { head, groups } = perElement(g.n * g.oh * g.ow * blocks);
  const code = `${body.before ?? ""}${head}
  let c = i % ${blocks}u;
  let j = i / ${blocks}u % ${g.ow}u;
  let line = i / ${blocks * g.ow}u;
  ${body.start}
  for (var u = 0u; u < ${g.kh}u; u++) {
    let row = line % ${g.oh}u * ${g.sh}u + u * ${g.dh}u - ${g.pt}u;
    ${overhangs(g, 0) ? `if (row >= ${g.h}u) { continue; }` : ""}
    for (var v = 0u; v < ${g.kw}u; v++) {
      let column = j * ${g.sw}u + v * ${g.dw}u - ${g.pl}u;
      ${overhangs(g, 1) ? `if (column >= ${g.w}u) { continue; }` : ""}
      let at = ((line / ${g.oh}u * ${g.h}u + row) * ${g.w}u + column) * ${blocks}u + c;
      ${body.each}
    }
  }
  ${body.end}
}`;
  return { label, code, groups };
}

/** The start of `main` over image places, and a sum over the windows that see one: `at`, by `tap`. */
function overWindows(
  label: string,
  g: PoolGeometry,
  bindings: readonly Binding[],
  term: string,
): WgslPass {
  const lanes = lanesOf(g.c), blocks = g.c / lanes;
  checkTrips(label, g.kh * (1 + g.kw));
  const { head, groups } = perElement(g.n * g.h * g.w * blocks);
  const vertical = { stride: g.sh, dilation: g.dh, before: g.pt, taps: g.kh };
  const horizontal = { stride: g.sw, dilation: g.dw, before: g.pl, taps: g.kw };
  const code = `${head}
  let c = i % ${blocks}u;
  let column = i / ${blocks}u % ${g.w}u;
  let line = i / ${blocks * g.w}u;
  var s = ${floats(lanes)}();
  for (var u = 0u; u < ${g.kh}u; u++) {
${lines(4, windowAt("row", `line % ${g.h}u`, "u", vertical))}
    if (row >= ${g.oh}u) { continue; }
    for (var v = 0u; v < ${g.kw}u; v++) {
${lines(6, windowAt("j", "column", "v", horizontal))}
      if (j >= ${g.ow}u) { continue; }
      let at = ((line / ${g.h}u * ${g.oh}u + row) * ${g.ow}u + j) * ${blocks}u + c;
      s += ${term};
    }
  }
  dx[i] = s;
}`;
  return { label, code, bindings, groups };
}

/** The largest value, or the sum over kh·kw, of every window. */
export function poolProgram(kind: "max" | "mean", g: PoolGeometry): WgslProgram {
  const vector = floats(lanesOf(g.c));
  const bindings = [reads("x", 0, vector), writes("y", 0, vector)];
  const pass = kind === "max"
    ? overPlaces(`maxPool2d/window[${keyOf(g)}]`, g, {
      before: `${floatFunction}\n${extremeFunction("max", vector)}\n`,
      start: `var s = ${vector}(${wgslFloat(-Infinity)});`,
      each: "s = fovea_max(s, x[at]);",
      end: "y[i] = s;",
    })
    : overPlaces(`avgPool2d/window[${keyOf(g)}]`, g, {
      start: `var s = ${vector}();`,
      each: "s += x[at];",
      end: `y[i] = s * ${share(g)};`,
    });
  return { passes: [{ ...pass, bindings }] };
}

/** The gradient of a mean: every window hands an equal share to all its places. */
export function meanGradProgram(g: PoolGeometry): WgslProgram {
  const vector = floats(lanesOf(g.c));
  const bindings = [reads("dy", 0, vector), writes("dx", 0, vector)];
  const label = `avgPool2dGrad/gather[${keyOf(g)}]`;
  return { passes: [overWindows(label, g, bindings, `dy[at] * ${share(g)}`)] };
}

/**
 * The gradient of a maximum: a first pass finds the tap of every window's first maximum; as in
 * PyTorch a NaN is more than everything, and the last one wins.
 */
export function maxGradProgram(g: PoolGeometry): WgslProgram {
  const lanes = lanesOf(g.c), vector = floats(lanes);
  const numbers = lanes === 1 ? "u32" : `vec${lanes}u`, ref = scratchRef(0);
  const tap = `${numbers}(u * ${g.kw}u + v)`, none = `${numbers}(0xffffffffu)`;
  const find = overPlaces(`maxPool2dGrad/find[${keyOf(g)}]`, g, {
    start: `var s = ${vector}();\n  var k = ${none};`,
    each: `let value = x[at];
      let wins = (k == ${none}) | ((value > s) & !${isNan("s", vector)}) |
        ${isNan("value", vector)};
      k = select(k, ${tap}, wins);
      s = select(s, value, wins);`,
    end: "taken[i] = k;",
  });
  const bindings = [
    reads("x", 0, vector),
    { name: "taken", ref, type: numbers, access: "read_write" } as const,
  ];
  const gather = overWindows(
    `maxPool2dGrad/gather[${keyOf(g)}]`,
    g,
    [
      { name: "taken", ref, type: numbers, access: "read" },
      { name: "dy", ref: inputRef(1), type: vector, access: "read" },
      writes("dx", 0, vector),
    ],
    `select(${vector}(), dy[at], taken[at] == ${tap})`,
  );
  return {
    scratch: [g.n * g.oh * g.ow * g.c * elementBytes],
    passes: [{ ...find, bindings }, gather],
  };
}
