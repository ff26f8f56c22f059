/**
 * WGSL of convolution and of its gradient for the images. An invocation holds a run of up to four
 * neighbouring results times a vector of up to four channels in registers, so that each load of
 * filters serves the whole run.
 */
import { perElement, reads, type WgslProgram, writes } from "../core/kernel.ts";
import {
  checkTrips,
  floats,
  lanesOf,
  lines,
  overhangs,
  range,
  windowAt,
  type WindowGeometry,
} from "./window.ts";

/** A convolution in numbers: images, windows and channels. */
export interface ConvGeometry extends WindowGeometry {
  readonly cin: number;
  readonly cout: number;
  readonly groups: number;
}

/** Sums over channels up to this length are written out, longer ones loop. */
const mostUnrolled = 8;

/** `3x3 s1 16→16`, for kernel labels. */
export function convKey(g: ConvGeometry): string {
  const pair = (a: number, b: number) => a === b ? `${a}` : `${a}x${b}`;
  const dilation = g.dh * g.dw > 1 ? ` d${pair(g.dh, g.dw)}` : "";
  const groups = g.groups > 1 ? ` g${g.groups}` : "";
  return `${g.kh}x${g.kw} s${pair(g.sh, g.sw)}${dilation}${groups} ${g.cin}→${g.cout}`;
}

/** Whether every channel has one filter of its own: then vectors of channels multiply lane by lane. */
export const isDepthwise = (g: ConvGeometry): boolean =>
  g.groups > 1 && g.groups === g.cin && g.groups === g.cout;

/** WGSL for the number of the group of the block of `lanes` channels that `block` counts. */
export function groupOf(g: ConvGeometry, block: string, lanes: number, channels: number): string {
  return g.groups === 1 ? "0u" : `(${block} * ${lanes}u / ${channels}u)`;
}

/** A 1×1 filter without stride sees single places: all images are then one long row. */
function asOneRow(g: ConvGeometry): ConvGeometry {
  const pointwise = g.kh * g.kw * g.sh * g.sw === 1 && !overhangs(g, 0) && !overhangs(g, 1) &&
    g.h === g.oh && g.w === g.ow;
  const length = g.n * g.h * g.w;
  return pointwise ? { ...g, n: 1, h: 1, w: length, oh: 1, ow: length } : g;
}

/** Results in a row that one invocation makes: as many as waste few at the end of the row. */
function runLength(row: number): number {
  const wasted = (run: number) => Math.ceil(row / run) * run - row;
  return [4, 3, 2, 1].find((run) => run <= row && wasted(run) * 4 <= row) ?? 1;
}

/** A body repeated over channels, written out where short; and the trips that takes. */
function overChannels(count: number, unrolled: number, body: string[]): [string[], number] {
  const block = (head: string) => [`${head}{`, ...body.map((line) => `  ${line}`), "}"];
  if (count > unrolled) return [block(`for (var c = 0u; c < ${count}u; c++) `), count];
  return [range(count).flatMap(() => block("")), 0];
}

/** `y[n,i,j,o] = Σ_{u,v,c} x[n, i·s+u·d−pt, j·s+v·d−pl, c] · w[u,v,c,o]`. */
export function forwardProgram(geometry: ConvGeometry): WgslProgram {
  const g = asOneRow(geometry), depthwise = isDepthwise(g);
  const cin = g.cin / g.groups, cout = g.cout / g.groups;
  const lanes = lanesOf(depthwise ? g.cout : cout), vector = floats(lanes);
  const step = depthwise ? lanes : cin % 4 === 0 ? 4 : 1, unit = floats(step);
  const steps = depthwise ? 1 : cin / step;
  const blocks = g.cout / lanes, place = g.cin / step;
  const run = runLength(g.ow), runs = Math.ceil(g.ow / run), results = range(run);
  const label = `conv2d/${depthwise ? "depthwise" : "direct"}${lanes}[${convKey(g)}]`;

  const masked = overhangs(g, 1);
  const load = (p: number) => {
    const value = `x[at + ${p * g.sw * place}u]`;
    return masked ? `select(${unit}(), ${value}, in${p})` : value;
  };
  const dot = step === 4 && !depthwise;
  const [sums, trips] = overChannels(steps, dot ? 1 : mostUnrolled, [
    ...range(dot ? 4 : 1).map((c) => `let w${c} = w[wt + ${c * blocks}u];`),
    ...results.map((p) => `let x${p} = ${load(p)};`),
    ...results.map((p) =>
      dot
        ? `y${p} += x${p}.x * w0 + x${p}.y * w1 + x${p}.z * w2 + x${p}.w * w3;`
        : `y${p} += x${p} * w0;`
    ),
    "at += 1u;",
    `wt += ${(dot ? 4 : 1) * blocks}u;`,
  ]);
  checkTrips(label, g.kh * (1 + g.kw * (1 + trips)));

  const channel = depthwise ? "o" : `${groupOf(g, "o", lanes, cout)} * ${cin / step}u`;
  const { head, groups } = perElement(g.n * g.oh * runs * blocks);
  const code = `${head}
  let o = i % ${blocks}u;
  let j = (i / ${blocks}u) % ${runs}u * ${run}u;
  let line = i / ${blocks * runs}u;
  let channel = ${channel};
${lines(2, results.map((p) => `var y${p} = ${vector}();`))}
  for (var u = 0u; u < ${g.kh}u; u++) {
    let row = line % ${g.oh}u * ${g.sh}u + u * ${g.dh}u - ${g.pt}u;
    ${overhangs(g, 0) ? `if (row >= ${g.h}u) { continue; }` : ""}
    for (var v = 0u; v < ${g.kw}u; v++) {
      let column = j * ${g.sw}u + v * ${g.dw}u - ${g.pl}u;
      var at = ((line / ${g.oh}u * ${g.h}u + row) * ${g.w}u + column) * ${place}u + channel;
      var wt = (u * ${g.kw}u + v) * ${(depthwise ? 1 : cin) * blocks}u + o;
${lines(6, masked ? results.map((p) => `let in${p} = column + ${p * g.sw}u < ${g.w}u;`) : [])}
${lines(6, sums)}
    }
  }
  let to = (line * ${g.ow}u + j) * ${blocks}u + o;
${lines(2, results.map((p) => store("y", p, blocks, g.ow % run === 0, `j + ${p}u < ${g.ow}u`)))}
}`;
  const bindings = [reads("x", 0, unit), reads("w", 1, vector), writes("y", 0, vector)];
  return { passes: [{ label, code, bindings, groups }] };
}

/** Stores one result of a run, unless it lies behind the end of its row. */
function store(name: string, p: number, step: number, always: boolean, inRow: string): string {
  const statement = `${name}[to + ${p * step}u] = ${name}${p};`;
  return always ? statement : `if (${inRow}) { ${statement} }`;
}

/** The sum over output channels, four at a time where they allow it, for a run of results. */
function gatherSums(
  g: ConvGeometry,
  steps: number,
  run: number,
  lanes: 1 | 2 | 4,
  place: number,
): [string[], number] {
  const depthwise = isDepthwise(g), results = range(run), rows = range(depthwise ? 1 : lanes);
  const dot = !depthwise && g.cout === place * 4;
  const unit = floats(dot ? 4 : depthwise ? lanes : 1);
  const filters = rows.map((k) => `w[wt + ${k * place}u]`);
  const vector = (list: readonly string[]) =>
    list.length === 1 ? list[0] : `${floats(lanes)}(${list.join(", ")})`;
  return overChannels(steps, dot ? 1 : mostUnrolled, [
    ...(dot ? rows.map((k) => `let w${k} = ${filters[k]};`) : [`let ws = ${vector(filters)};`]),
    ...results.map((p) => `let d${p} = select(${unit}(), dy[at + ${p * place}u], in${p});`),
    ...results.map((p) =>
      `dx${p} += ${dot ? vector(rows.map((k) => `dot(d${p}, w${k})`)) : `d${p} * ws`};`
    ),
    "at += 1u;",
    "wt += 1u;",
  ]);
}

/**
 * `dx[n,y,x,c] = Σ_{u,v,o} dy[n,i,j,o] · w[u,v,c,o]` over the windows (i,j) that see (y,x) through
 * their tap (u,v). The results of a run lie one stride apart, so that they share their taps.
 */
export function inputGradProgram(name: string, geometry: ConvGeometry): WgslProgram {
  const g = asOneRow(geometry), depthwise = isDepthwise(g);
  const cin = g.cin / g.groups, cout = g.cout / g.groups;
  const lanes = lanesOf(depthwise ? g.cin : cin), vector = floats(lanes);
  const step = depthwise ? lanes : cout % 4 === 0 ? 4 : 1, unit = floats(step);
  const steps = depthwise ? 1 : cout / step;
  const blocks = g.cin / lanes, place = g.cout / step;
  const perPhase = Math.ceil(g.w / g.sw), run = runLength(perPhase), results = range(run);
  const runs = Math.ceil(perPhase / run) * g.sw;
  const label = `${name}/${depthwise ? "depthwise" : "gather"}${lanes}[${convKey(g)}]`;

  const [sums, trips] = gatherSums(g, steps, run, lanes, place);
  checkTrips(label, g.kh * (1 + g.kw * (1 + trips)));

  const { head, groups } = perElement(g.n * g.h * runs * blocks);
  const first = depthwise ? "c" : `${groupOf(g, "c", lanes, cin)} * ${steps}u`;
  const filter = depthwise ? "c" : `c * ${lanes}u % ${cin}u * ${place}u + channel`;
  const tapSize = (depthwise ? 1 : cin) * place;
  const whole = perPhase % run === 0 && g.w % g.sw === 0;
  const ends = (p: number) => `column + ${p * g.sw}u < ${g.w}u`;
  const vertical = { stride: g.sh, dilation: g.dh, before: g.pt, taps: g.kh };
  const horizontal = { stride: g.sw, dilation: g.dw, before: g.pl, taps: g.kw };
  const code = `${head}
  let c = i % ${blocks}u;
  let phase = (i / ${blocks}u) % ${runs}u;
  let column = phase / ${g.sw}u * ${run * g.sw}u + phase % ${g.sw}u;
  let line = i / ${blocks * runs}u;
  let channel = ${first};
${lines(2, results.map((p) => `var dx${p} = ${vector}();`))}
  for (var u = 0u; u < ${g.kh}u; u++) {
${lines(4, windowAt("row", `line % ${g.h}u`, "u", vertical))}
    if (row >= ${g.oh}u) { continue; }
    for (var v = 0u; v < ${g.kw}u; v++) {
${lines(6, windowAt("j", "column", "v", horizontal))}
      var at = ((line / ${g.h}u * ${g.oh}u + row) * ${g.ow}u + j) * ${place}u + channel;
      var wt = (u * ${g.kw}u + v) * ${tapSize}u + ${filter};
${lines(6, results.map((p) => `let in${p} = j + ${p}u < ${g.ow}u;`))}
${lines(6, sums)}
    }
  }
  let to = (line * ${g.w}u + column) * ${blocks}u + c;
${lines(2, results.map((p) => store("dx", p, g.sw * blocks, whole, ends(p))))}
}`;
  const bindings = [reads("dy", 0, unit), reads("w", 1, unit), writes("dx", 0, vector)];
  return { passes: [{ label, code, bindings, groups }] };
}
