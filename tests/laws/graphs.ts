/** Random programs over a small pool of operations, with state in a store that updates change. */
import * as fc from "npm:fast-check@4";
import type { Tensor } from "../../core/graph.ts";
import { asLeaf } from "../../core/graph.ts";
import type { Program, Update } from "../../core/plan/program.ts";
import { baseOf } from "../../core/plan/buffers.ts";
import { sameShape, type Shape, sizeOf } from "../../core/shape.ts";
import { alignBlock, full, input, pack, reshape, variable } from "../../core/structure.ts";
import * as ops from "../../ops/mod.ts";

/** One step in making a graph; numbers choose among what there is. */
export type Instruction = readonly [kind: number, a: number, b: number, c: number];

/** A program as numbers, which fast-check shrinks. */
export interface Recipe {
  readonly instructions: readonly Instruction[];
  /** Values to read. */
  readonly outputs: readonly number[];
  /** One new value per variable, or none (negative). */
  readonly updates: readonly number[];
  /** Update the first block as a whole instead of its variables. */
  readonly whole: boolean;
}

const small = fc.nat({ max: 60 });

/** Recipes of up to `length` instructions. */
export function recipes(length: number): fc.Arbitrary<Recipe> {
  return fc.record({
    instructions: fc.array(fc.tuple(small, small, small, small), { maxLength: length }),
    outputs: fc.array(small, { minLength: 1, maxLength: 4 }),
    updates: fc.array(fc.integer({ min: -20, max: 60 }), { minLength: 4, maxLength: 4 }),
    whole: fc.boolean(),
  });
}

/** The leaves of every graph. */
export interface Leaves {
  readonly inputs: readonly Tensor[];
  readonly variables: readonly Tensor[];
}

/** Two inputs and four variables, of which two have one shape. */
export function makeLeaves(): Leaves {
  return {
    inputs: [input([4], "x"), input([3, 4], "y")],
    variables: [
      variable([4], "layer.a"),
      variable([3, 4], "layer.b"),
      variable([3, 4], "layer.c"),
      variable([65], "layer.d"),
    ],
  };
}

/** The first block of the store. */
export interface Leading {
  readonly whole: Tensor;
  readonly variables: readonly Tensor[];
}

/** Operations beyond the portable ones; each takes one or two values of one shape. */
export type Extra = (a: Tensor, b: Tensor) => readonly Tensor[];

/**
 * Builds the program of a recipe. Every operation keeps values within a few units.
 *
 * @param first the store's first block
 */
export function makeProgram(
  recipe: Recipe,
  { inputs, variables }: Leaves,
  first: Leading,
  extra?: Extra,
): Program {
  const pool = [...inputs, ...variables, first.whole, full(0.25, [4]), full(-0.5)];
  for (const instruction of recipe.instructions) {
    pool.push(...apply(instruction, pool, extra).filter((t) => sizeOf(t.shape) <= 800));
  }
  const computed = pool.filter((t) => asLeaf(baseOf(t)) === undefined);
  const outputs = [...new Set(recipe.outputs.map((n) => computed[n % computed.length]))];
  return { outputs, updates: makeUpdates(recipe, variables, first, pool) };
}

function apply([kind, a, b, c]: Instruction, pool: readonly Tensor[], extra?: Extra): Tensor[] {
  const x = pick(pool, a), kinds = extra ? 10 : 9;
  switch (kind % kinds) {
    case 0:
      return [unary[c % unary.length](x)];
    case 1:
    case 2:
      return [binary[c % binary.length](x, pick(fitting(pool, x.shape), b))];
    case 3:
      return [reduceSome(x, b, c)];
    case 4:
      return [reshape(x, shapesOf(sizeOf(x.shape))[b % shapesOf(sizeOf(x.shape)).length])];
    case 5:
      return [product(x, pool, b)];
    case 6:
      return [packed([x, pick(pool, b), pick(pool, c)].slice(0, 1 + c % 3), b)];
    case 7:
      return [ops.expand(x, [2, ...x.shape].slice(-4))].filter((t) => t !== x);
    case 8:
      return [ops.where(ops.full(c % 2), x, ops.mul(x, -0.5))];
    default:
      return [...extra!(x, pick(pool.filter((t) => sameShape(t.shape, x.shape)), b))];
  }
}

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length];

const unary: readonly ((x: Tensor) => Tensor)[] = [
  ops.tanh,
  ops.sin,
  ops.neg,
  ops.relu,
  (x) => ops.mul(x, 0.75),
  (x) => ops.sub(1, ops.abs(x)),
];

const binary: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => ops.mul(0.5, ops.add(a, b)),
  (a, b) => ops.tanh(ops.mul(a, b)),
  (a, b) => ops.sub(ops.mul(a, 0.5), ops.mul(b, 0.25)),
  ops.maximum,
];

/** Values that broadcast with a shape. */
function fitting(pool: readonly Tensor[], shape: Shape): Tensor[] {
  return pool.filter((t) => {
    const rank = Math.min(t.shape.length, shape.length);
    const [p, q] = [t.shape.slice(t.shape.length - rank), shape.slice(shape.length - rank)];
    return p.every((size, k) => size === q[k] || size === 1 || q[k] === 1);
  });
}

function reduceSome(x: Tensor, b: number, c: number): Tensor {
  const axes = x.shape.flatMap((_, axis) => (b >> axis) & 1 ? [axis] : []);
  const options = { axes, keepDims: c % 2 === 0 };
  if (axes.length === 0) return ops.square(ops.tanh(x));
  return c % 3 === 0 ? ops.max(x, options) : ops.mean(x, options);
}

/** Some shapes with as many elements. */
function shapesOf(size: number): number[][] {
  const shapes = [[size], [1, size], [size, 1]];
  for (const k of [2, 3, 4]) if (size % k === 0) shapes.push([k, size / k]);
  return shapes;
}

/** `tanh(x · y)` for x as rows and another value as a matrix below it. */
function product(x: Tensor, pool: readonly Tensor[], b: number): Tensor {
  const k = x.shape.at(-1) ?? 1, rows = reshape(x, [-1, k]);
  const y = pick(pool.filter((t) => sizeOf(t.shape) % k === 0), b) ?? x;
  const matrix = reshape(y, [k, -1]);
  return ops.tanh(ops.matmul(rows, matrix));
}

/** Side by side, with a gap in front of all but the first. */
function packed(tensors: readonly Tensor[], b: number): Tensor {
  const offsets: number[] = [];
  let end = 0;
  for (const t of tensors) {
    offsets.push(end);
    end += alignBlock(sizeOf(t.shape)) + 64 * (b % 2);
  }
  return pack(tensors, offsets, end);
}

function makeUpdates(
  recipe: Recipe,
  variables: readonly Tensor[],
  first: Leading,
  pool: readonly Tensor[],
): Update[] {
  const updates: Update[] = [];
  for (const [k, variable] of variables.entries()) {
    const n = recipe.updates[k];
    if (n < 0 || (recipe.whole && first.variables.includes(variable))) continue;
    const same = pool.filter((t) => sizeOf(t.shape) === sizeOf(variable.shape));
    const value = reshape(pick(same, n), variable.shape);
    updates.push([variable, n % 3 === 0 ? ops.mul(0.5, ops.add(variable, value)) : value]);
  }
  if (recipe.whole && recipe.updates[0] >= 0) {
    const { whole } = first;
    const fits = pool.filter((t) => sizeOf(t.shape) === 1 || sameShape(t.shape, whole.shape));
    const mean = ops.mul(0.5, ops.add(whole, pick(fits, recipe.updates[0])));
    updates.push([whole, reshape(mean, whole.shape)]);
  }
  return updates;
}
