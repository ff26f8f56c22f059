/**
 * The byte code of pointwise chains. The interpreter here is written from the layout that
 * `wasm/tensor/src/map.rs` documents, so that the compiler is tested without the machine.
 */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { apply, arg, constant, type Expr, primitives as p } from "../../core/expr.ts";
import type { BufferRange } from "../../core/plan/buffer_range.ts";
import type { MapStep } from "../../core/plan/steps.ts";
import { mapProgram } from "../../wasm/map_program.ts";
import { assertClose } from "../assert.ts";
import { meaning, valueOf } from "../reference/primitives.ts";

const range = (buffer: number): BufferRange => ({ buffer, offset: 0, bytes: 0 });

/** A step over arguments in buffers 0, 1 …, with outputs in the buffers given. */
function stepOf(
  dims: readonly number[],
  strides: readonly (readonly number[])[],
  outputs: readonly (readonly [expr: Expr, buffer: number])[],
): MapStep {
  return {
    kind: "map",
    label: "map",
    dims,
    size: dims.reduce((a, b) => a * b, 1),
    args: strides.map((s, k) => ({ range: range(k), dtype: "f32", strides: s })),
    outputs: outputs.map(([expr, buffer]) => ({ range: range(buffer), expr })),
  };
}

/** Assembles with address 1000 for buffer 0, 1001 for buffer 1, and so on. */
const assemble = (step: MapStep): Uint32Array =>
  mapProgram(
    step,
    (k) => 1000 + step.args[k].range.buffer,
    (k) => 1000 + step.outputs[k].range.buffer,
  );

const byCode = new Map(Object.values(p).map((fn) => [fn.code, fn]));
const floatOf = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0];

/** Runs a program; `memory` holds each tensor at its address. */
function interpret(words: Uint32Array, memory: ReadonlyMap<number, Float64Array>): void {
  let at = 0;
  const take = (count: number): number[] => [...words.subarray(at, at += count)];
  const [size, rank, loadCount, opCount, storeCount, registers] = take(6), dims = take(rank);
  const loads = Array.from({ length: loadCount }, () => take(3 + rank));
  const ops = Array.from({ length: opCount }, () => take(5));
  const stores = Array.from({ length: storeCount }, () => take(2));
  const stored = new Set(stores.map(([, from]) => from));
  assert.equal(at, words.length, "the header tells the program's length");
  for (let i = 0; i < size; i++) {
    // A register names where its value lies: a load in order points at the tensor itself, but one
    // that is also stored is copied.
    const file = new Array<() => number>(registers).fill(() => NaN);
    for (const [address, to, kind, ...strides] of loads) {
      const tensor = memory.get(address)!;
      let rest = i, offset = 0;
      for (let d = rank - 1; d >= 0; d--) {
        offset += rest % dims[d] * strides[d];
        rest = Math.floor(rest / dims[d]);
      }
      const value = tensor[[i, 0, offset][kind]];
      file[to] = kind === 0 && !stored.has(to) ? () => tensor[i] : () => value;
    }
    for (const [code, to, a, b, c] of ops) {
      assert(to < registers, `register ${to} of ${registers}`);
      const fn = byCode.get(code);
      const value = fn ? meaning(fn, file[a](), file[b](), file[c]()) : floatOf(a);
      file[to] = () => value;
    }
    for (const [address, from] of stores) memory.get(address)![i] = file[from]();
  }
}

Deno.test("map program: the words of a chain", () => {
  const expr = apply(p.max, apply(p.add, apply(p.mul, arg(0), arg(1)), 1.5), 0);
  const words = assemble(stepOf([2, 3], [[3, 1], [0, 1]], [[expr, 7]]));
  // Which registers is the compiler's business; the next test tells good choices from bad ones.
  const [product, half, sum, zero, result] = [19, 24, 29, 34, 39].map((at) => words[at]);
  assert.deepEqual([...words], [
    ...[6, 2, 2, 5, 1, 4], // elements, rank, loads, operations, stores, registers
    ...[2, 3],
    ...[1000, 0, 0, 3, 1], // contiguous
    ...[1001, 1, 2, 0, 1], // strided
    ...[4, product, 0, 1, 0],
    ...[1, half, 0x3fc00000, 0, 0], // 1.5
    ...[2, sum, product, half, 0],
    ...[1, zero, 0, 0, 0],
    ...[7, result, sum, zero, 0],
    ...[1007, result],
  ]);
});

Deno.test("map program: a long chain needs no more registers than a short one", () => {
  let expr: Expr = arg(0);
  for (let k = 0; k < 100; k++) expr = apply(p.tanh, apply(p.add, expr, arg(1)));
  const words = assemble(stepOf([4], [[1], [1]], [[expr, 2]]));
  assert.equal(words[3], 200);
  assert(words[5] <= 4, `${words[5]} registers`);
});

Deno.test("map program: a value used twice is computed once", () => {
  const shared = apply(p.exp, arg(0));
  const words = assemble(stepOf([4], [[1]], [[apply(p.mul, shared, shared), 1], [shared, 2]]));
  assert.equal(words[3], 2);
});

Deno.test("map program: how an argument is read", () => {
  const kinds: [dims: number[], strides: number[], kind: number][] = [
    [[6], [1], 0],
    [[2, 3], [3, 1], 0],
    [[1], [0], 0],
    [[6], [0], 1],
    [[2, 3], [0, 0], 1],
    [[6], [2], 2],
    [[2, 3], [0, 1], 2],
    [[2, 3], [1, 0], 2],
    [[2, 3], [1, 2], 2],
  ];
  for (const [dims, strides, kind] of kinds) {
    const words = assemble(stepOf(dims, [strides], [[apply(p.neg, arg(0)), 1]]));
    assert.deepEqual([...words.subarray(6 + dims.length, 9 + dims.length)], [1000, 0, kind]);
  }
});

/** A random program: expressions that share parts, over arguments of every kind. */
interface Drawn {
  readonly strides: readonly (readonly number[])[];
  readonly steps: readonly (readonly [fn: number, a: number, b: number, c: number])[];
  /** Which values are stored, and whether over an argument that is read in order. */
  readonly stored: readonly (readonly [value: number, inPlace: boolean])[];
}

const dims = [3, 4], inOrder = [4, 1], otherwise = [[0, 0], [0, 1], [1, 0], [1, 3]];
const small = fc.nat({ max: 1000 });
const drawn: fc.Arbitrary<Drawn> = fc.record({
  strides: fc.array(fc.constantFrom(inOrder, inOrder, inOrder, ...otherwise), { maxLength: 4 }),
  steps: fc.array(fc.tuple(small, small, small, small), { minLength: 1, maxLength: 25 }),
  stored: fc.array(fc.tuple(small, fc.boolean()), { minLength: 1, maxLength: 4 }),
});

function expressionsOf({ strides, steps }: Drawn): Expr[] {
  const values: Expr[] = [...strides.map((_, k) => arg(k)), constant(0.5), constant(-2)];
  const functions = Object.values(p),
    pick = <T>(list: readonly T[], n: number): T => list[n % list.length];
  for (const [n, ...args] of steps) {
    const fn = pick(functions, n);
    // Mostly recent values, so that chains grow deep, and now and then one from far back.
    const near = args.map((a) => a % 3 === 0 ? pick(values, a) : pick(values.slice(-3), a));
    values.push(apply(fn, ...near.slice(0, fn.arity)));
  }
  return values;
}

/** The expressions to be stored, and where: over an argument read in order, or beside it. */
function outputsOf(d: Drawn): (readonly [expr: Expr, buffer: number])[] {
  const values = expressionsOf(d).toReversed();
  const free = d.strides.flatMap((s, k) => s === inOrder ? [k] : []);
  // The planner stores arguments too: `expand` to as many elements is one.
  return d.stored.map(([n, inPlace], k) => [
    values[n % values.length],
    inPlace && free.length > 0 ? free.pop()! : 100 + k,
  ]);
}

Deno.test("map program: no value is overwritten while it is still needed", () => {
  const size = 12,
    fill = (f: (i: number) => number) => Float64Array.from({ length: size }, (_, i) => f(i));
  let overwriting = 0;
  fc.assert(
    fc.property(drawn, (d) => {
      const outputs = outputsOf(d), memory = new Map<number, Float64Array>();
      const args = d.strides.map((_, k) => fill((i) => Math.fround(Math.sin(13 * k + 7 * i + 1))));
      for (const [, buffer] of outputs) memory.set(1000 + buffer, new Float64Array(size));
      for (const [k, data] of args.entries()) memory.set(1000 + k, data.slice());
      interpret(assemble(stepOf(dims, d.strides, outputs)), memory);
      for (const [expr, buffer] of outputs) {
        if (buffer < 100) overwriting++;
        const at = (k: number, i: number): number =>
          args[k][Math.floor(i / 4) * d.strides[k][0] + i % 4 * d.strides[k][1]];
        const expected = fill((i) => valueOf(expr, (k) => at(k, i)));
        assertClose(memory.get(1000 + buffer)!, expected, { what: `buffer ${buffer}` });
      }
    }),
    { numRuns: 1000 },
  );
  assert(overwriting > 100, `${overwriting} stores over an argument`);
});
