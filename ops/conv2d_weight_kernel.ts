/**
 * WGSL of the gradient of convolution for the filters: few results, each a sum over all places of
 * all images. The sum is cut into parts of whole rows, whose results a second pass adds in order.
 */
import { outputRef, perElement, reads, scratchRef, type WgslProgram } from "../core/kernel.ts";
import { elementBytes } from "../core/shape.ts";
import { type ConvGeometry, convKey, groupOf, isDepthwise } from "./conv2d_kernel.ts";
import { sumPartsPass } from "./sum_parts.ts";
import { checkTrips, floats, lanesOf, lines, maxTrips, range } from "./window.ts";

/** Invocations that keep a large GPU busy. */
const wanted = 65_536;

/** Places of one part at least: below, the second pass costs more than the first gains. */
const leastPlaces = 256;

/** Parts at most: the second pass adds them one after the other. */
const mostParts = 1024;

/** Rows of dy that one part sums: enough parts to be parallel, none above the loop budget. */
function rowsPerPart(rows: number, columns: number, tiles: number): number {
  const useful = Math.min(
    Math.ceil(wanted / tiles),
    Math.ceil((rows * columns) / leastPlaces),
    mostParts,
  );
  const allowed = Math.max(1, Math.floor(maxTrips / (columns + 1)));
  return Math.min(allowed, Math.ceil(rows / Math.min(useful, rows)));
}

/** `dw[u,v,c,o] = Σ_{n,i,j} x[n, i·s+u·d−pt, j·s+v·d−pl, c] · dy[n,i,j,o]`. */
export function weightGradProgram(g: ConvGeometry): WgslProgram {
  const depthwise = isDepthwise(g), cin = g.cin / g.groups, cout = g.cout / g.groups;
  const lanes = lanesOf(depthwise ? g.cout : cout), vector = floats(lanes);
  const step = depthwise ? lanes : cin % 4 === 0 ? 4 : 1;
  const height = depthwise ? 1 : [4, 3, 2, 1].find((k) => cin % k === 0)!;
  const blocks = g.cout / lanes, bands = cin / height, taps = g.kh * g.kw, place = g.cin / step;
  const rows = g.n * g.oh, size = taps * cin * g.cout;
  const perPart = rowsPerPart(rows, g.ow, taps * bands * blocks);
  const parts = Math.ceil(rows / perPart), split = parts > 1 ? ` rows/${parts}` : "";
  const name = `conv2dWeightGrad/${depthwise ? "depthwise" : `tile${height}x`}${lanes}`;
  const label = `${name}[${convKey(g)}${split}]`;
  checkTrips(label, Math.max(perPart * (1 + g.ow), parts));

  const sums = range(height);
  const group = groupOf(g, "o", lanes, cout);
  const channel = depthwise ? "o" : `(${group} * ${bands}u + band) * ${height / step}u`;
  const value = (k: number) => step === 4 && !depthwise ? `xs.${"xyzw"[k]}` : `x[at + ${k}u]`;
  const { head, groups } = perElement(parts * taps * bands * blocks);
  const code = `${head}
  let o = i % ${blocks}u;
  let band = i / ${blocks}u % ${bands}u;
  let tap = i / ${blocks * bands}u % ${taps}u;
  let part = i / ${blocks * bands * taps}u;
  let channel = ${channel};
  let down = tap / ${g.kw}u * ${g.dh}u;
  let right = tap % ${g.kw}u * ${g.dw}u;
  // The columns of dy whose window has this tap inside the image.
  let first = (max(${g.pl}u, right) - right + ${g.sw - 1}u) / ${g.sw}u;
  let last = min(${g.ow}u, (max(${g.w + g.pl}u, right) - right + ${g.sw - 1}u) / ${g.sw}u);
${lines(2, sums.map((k) => `var s${k} = ${vector}();`))}
  for (var r = part * ${perPart}u; r < min(part * ${perPart}u + ${perPart}u, ${rows}u); r++) {
    let row = r % ${g.oh}u * ${g.sh}u + down - ${g.pt}u;
    if (row >= ${g.h}u) { continue; }
    let column = first * ${g.sw}u + right - ${g.pl}u;
    var at = ((r / ${g.oh}u * ${g.h}u + row) * ${g.w}u + column) * ${place}u + channel;
    var source = (r * ${g.ow}u + first) * ${blocks}u + o;
    for (var j = first; j < last; j++) {
      let d = dy[source];
      ${step === 4 && !depthwise ? "let xs = x[at];" : ""}
${lines(6, sums.map((k) => `s${k} += ${value(k)} * d;`))}
      at += ${g.sw * place}u;
      source += ${blocks}u;
    }
  }
  let to = ((part * ${taps}u + tap) * ${cin}u + band * ${height}u) * ${blocks}u + o;
${lines(2, sums.map((k) => `dw[to + ${k * blocks}u] = s${k};`))}
}`;
  const target = parts > 1 ? scratchRef(0) : outputRef(0);
  const bindings = [
    reads("x", 0, floats(step)),
    reads("dy", 1, vector),
    { name: "dw", ref: target, type: vector, access: "read_write" } as const,
  ];
  const pass = { label, code, bindings, groups };
  if (parts === 1) return { passes: [pass] };
  const sum = sumPartsPass("conv2dWeightGrad", parts, size, scratchRef(0), outputRef(0));
  return { scratch: [parts * size * elementBytes], passes: [pass, sum] };
}
