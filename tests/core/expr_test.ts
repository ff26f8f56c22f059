import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import { apply, arg, constant, constCode, primitives } from "../../core/expr.ts";
import { wgslFloat, wgslNumber } from "../../core/wgsl_floats.ts";
import { valueOf } from "../reference/primitives.ts";

Deno.test("every primitive has a code and a name of its own", () => {
  const all = Object.entries(primitives);
  for (const [key, { name }] of all) assert.equal(name, key);
  assert.equal(new Set([constCode, ...all.map(([, p]) => p.code)]).size, all.length + 1);
});

Deno.test("a primitive prints exactly its arguments", () => {
  for (const { name, arity, wgsl, preludes = [] } of Object.values(primitives)) {
    const text = wgsl("p1", arity > 1 ? "p2" : "", arity > 2 ? "p3" : "");
    const named = new Set(text.match(/\bp\d\b/g));
    assert.equal(named.size, arity, `${name}: ${text}`);
    const called = [text, ...preludes].join("\n").matchAll(/(?<!fn )\b(fovea_\w+)\(/g);
    for (const [, fn] of called) assert(preludes.some((p) => p.includes(`fn ${fn}(`)), fn);
  }
});

Deno.test("numbers become constants, trees are evaluated", () => {
  const tree = apply(primitives.add, apply(primitives.mul, arg(0), 3), constant(1));
  assert.equal(valueOf(tree, () => 5), 16);
});

Deno.test("a WGSL literal reads back as the same f32", () => {
  fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
    const text = wgslNumber(value);
    assert.match(text, /^-?\d+(\.\d+)?(e[+-]?\d+)?$/);
    assert.match(text, /[.e]/); // else it would be an integer
    assert(Math.fround(Number(text)) === value);
  }));
  assert.equal(wgslNumber(2), "2.0");
});

Deno.test("what no f32 holds is not printed", () => {
  for (const value of [NaN, Infinity, -Infinity, 1e39]) {
    assert.throws(() => wgslNumber(value), RangeError);
  }
});

Deno.test("any f32 has a WGSL text: a literal, or a call with its bits", () => {
  fc.assert(fc.property(fc.float(), (value) => {
    const text = wgslFloat(value), bits = text.match(/^fovea_float\((0x[0-9a-f]{8})u\)$/)?.[1];
    if (!bits) return assert.equal(text, wgslNumber(value));
    const [read] = new Float32Array(Uint32Array.of(Number(bits)).buffer);
    assert(Object.is(read, value) && !(Number.isFinite(value) && value !== 0), text);
  }));
  assert.equal(wgslFloat(1e39), wgslFloat(Infinity));
});
