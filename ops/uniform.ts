/** Random numbers in a graph: a pure function of seed, step, place and element. */
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { ShapeError } from "../core/errors.ts";
import { inputRef, outputRef, perElement, reads, writes } from "../core/kernel.ts";
import { hashText, threefry } from "../core/rng.ts";
import { checkShape, f32, type Shape, show, sizeOf } from "../core/shape.ts";
import { tensor } from "../core/structure.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";
import { lines } from "./window.ts";

/** A place in a pass where something is drawn: what is drawn is a pure function of it. */
export interface RandomSite {
  /** Of the whole training, up to 2⁵³. */
  readonly seed: number;
  /** Number of the place within the pass, from 0. */
  readonly site: number;
  /** Input u32 `[2]` of the plan: the number of the step, and that of the first example in it. */
  readonly counter: Tensor;
}

interface UniformAttrs {
  readonly shape: Shape;
}

const elementsPerExample = (shape: Shape): number => sizeOf(shape.slice(1));

/** The rounds of `core/rng.ts` in WGSL, from `x, y` and the keys `k0, k1, k2` to `x`. */
function rounds(): string[] {
  const rotations = [13, 15, 26, 6, 17, 29, 16, 24], keys = ["k0", "k1", "k2"];
  return Array.from({ length: 20 }, (_, round) => {
    const by = rotations[round % 8], mix = `x += y; y = ((y << ${by}u) | (y >> ${32 - by}u)) ^ x;`;
    if (round % 4 !== 3) return mix;
    const turn = (round + 1) / 4;
    return `${mix} x += ${keys[turn % 3]}; y += ${keys[(turn + 1) % 3]} + ${turn}u;`;
  });
}

/**
 * Inputs: counter and key, u32 `[2]`. The key is data, so that places of one shape share a kernel.
 */
const uniformOp: MacroOp<UniformAttrs> = {
  kind: "macro",
  name: "uniform",
  infer([counter], { shape }, where) {
    checkShape(`draw uniform numbers${where}`, shape);
    checkDType("draw uniform numbers", where, "counter", counter, "u32");
    if (counter.shape.length !== 1 || counter.shape[0] !== 2) {
      throw new ShapeError(
        `Cannot draw uniform numbers${where}: counter is ${show(counter.shape)}, [2] is wanted ` +
          "(step, first example)",
      );
    }
    return [f32(shape)];
  },
  grad: () => [null, null],
  wasm({ attrs: { shape } }) {
    const [counter, key, y] = [inputRef(0), inputRef(1), outputRef(0)];
    return { calls: [call("uniform", counter, key, y, sizeOf(shape), elementsPerExample(shape))] };
  },
  wgsl({ attrs: { shape } }) {
    const count = sizeOf(shape), each = elementsPerExample(shape);
    const { head, groups } = perElement(count);
    const code = `${head}
  let k0 = key[0];
  let k1 = key[1];
  let k2 = k0 ^ k1 ^ 0x1bd11bdau;
  var x = counter[1] * ${each}u + i + k0;
  var y = counter[0] + k1;
${lines(2, rounds())}
  u[i] = f32(x >> 8u) * 0x1p-24;
}`;
    const bindings = [reads("counter", 0, "u32"), reads("key", 1, "u32"), writes("u")];
    return { passes: [{ label: `uniform[${count}x${each}]`, code, bindings, groups }] };
  },
};

/** The two words under which a place draws: a pure function of seed and number of the place. */
export function siteKey(seed: number, site: number): [number, number] {
  const high = Math.floor(seed / 2 ** 32);
  return threefry(seed >>> 0, (high ^ hashText("uniform")) >>> 0, site, 0);
}

/**
 * Uniform random numbers in [0, 1) with 24 random bits. Each is a pure function of seed, step, place
 * and element, the same bits on every backend: element `r` of example `n` of a batch is drawn under
 * the number `(first + n)·(elements an example) + r`, so that micro-batches draw what the whole batch
 * draws. Numbers come again after 2³² elements of a step.
 *
 * Shapes: counter u32 `[2]` → f32 `shape`, whose first axis is that of the examples. No gradient.
 * The generator is Threefry-2x32 with 20 rounds, keyed by {@link siteKey}.
 *
 * @throws {ShapeError} when a size is no whole number from 1, or the counter is no u32 `[2]`
 * @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
 */
export function uniform(shape: Shape, { seed, site, counter }: RandomSite): Tensor {
  const key = tensor(Uint32Array.from(siteKey(seed, site)));
  return applyOne(uniformOp, [counter, key], { shape });
}
