/** The optimisers beside PyTorch's, as the plans they become: one kernel per block, in place. */
import assert from "node:assert/strict";
import type { Device, Elements, Plan } from "../../core/device.ts";
import { UsageError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { Store } from "../../core/store.ts";
import { input, variable } from "../../core/structure.ts";
import { adam, adamw, type Optimizer, sgd } from "../../train/optimizer.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

/** What `make.py` noted of PyTorch's optimisers. */
interface Recorded {
  readonly start: readonly number[];
  /** One per step, as are the rates. */
  readonly gradients: readonly (readonly number[])[];
  readonly rates: readonly number[];
  readonly cases: Readonly<Record<string, Case>>;
}

interface Case {
  readonly rule: "SGD" | "Adam" | "AdamW";
  readonly options: {
    readonly momentum?: number;
    readonly nesterov?: boolean;
    readonly weight_decay?: number;
    readonly betas?: readonly [number, number];
    readonly eps?: number;
  };
  /** By number of steps taken. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

const fixture = new URL("../fixtures/optimizers/optimizers.json", import.meta.url);
const recorded = JSON.parse(await Deno.readTextFile(fixture)) as Recorded;

/** Ours, told PyTorch's options. */
function optimizerOf({ rule, options }: Case): Optimizer {
  const { weight_decay: weightDecay, momentum, nesterov, betas, eps } = options;
  if (rule === "SGD") return sgd({ momentum, nesterov, weightDecay });
  const given = { ...(betas && { betas }), ...(eps && { eps }) };
  const decay = weightDecay === undefined ? {} : { weightDecay };
  return rule === "Adam" ? adam({ ...given, ...decay }) : adamw({ ...given, ...decay });
}

/** A plan of one update beside what it works on. */
interface Bench extends Disposable {
  readonly plan: Plan;
  readonly weights: Store;
  readonly variables: readonly Tensor[];
  readonly gradients: readonly Tensor[];
}

/** 20 weights in two variables, in one block or in two; the moments are siblings of the weights. */
async function bench(device: Device, optimizer: Optimizer, blocks: 1 | 2): Promise<Bench> {
  const variables = [variable([3, 4], "a.weight"), variable([8], "a.bias")];
  const weights = new Store(device, variables, blocks === 2 ? { maxBlockBytes: 256 } : {});
  assert.equal(weights.blocks.length, blocks);
  const moments = Array.from(
    { length: optimizer.moments },
    (_, k) => weights.sibling(`moment ${k}`),
  );
  const gradients = weights.blocks.map((b) => input([b.size], "gradient"));
  const updates = weights.blocks.flatMap((block, k) =>
    optimizer.update({
      weights: block.whole,
      gradient: gradients[k],
      moments: moments.map((store) => store.blocks[k].variables[0]),
    })
  );
  const stores = [weights, ...moments];
  const plan = await device.compile({ outputs: [], updates }, { stores });
  const dispose = (): void => {
    plan[Symbol.dispose]();
    for (const store of stores) store[Symbol.dispose]();
  };
  return { plan, weights, variables, gradients, [Symbol.dispose]: dispose };
}

/** The 20 numbers as each block wants them, gaps zero. */
function packed({ weights }: Bench, numbers: readonly number[]): Elements[] {
  let taken = 0;
  return weights.blocks.map((block) => {
    const elements = new Float32Array(block.size);
    for (const [k, v] of block.variables.entries()) {
      const size = v.shape.reduce((a, b) => a * b, 1);
      elements.set(numbers.slice(taken, taken += size), block.offsets[k]);
    }
    return elements;
  });
}

/** The weights after every noted step. */
async function retrace(device: Device, c: Case, blocks: 1 | 2): Promise<Map<string, number[]>> {
  const optimizer = optimizerOf(c), after = new Map<string, number[]>();
  using b = await bench(device, optimizer, blocks);
  for (const [k, elements] of packed(b, recorded.start).entries()) {
    b.weights.write(b.weights.blocks[k].whole, elements);
  }
  for (const [index, gradient] of recorded.gradients.entries()) {
    const scalars = optimizer.scalarsAt(index + 1, recorded.rates[index]);
    const elements = packed(b, gradient);
    b.plan.run([
      ...b.gradients.map((t, k) => [t, elements[k]] as const),
      ...optimizer.scalars.map((t, k) => [t, Float32Array.of(scalars[k])] as const),
    ]);
    if (!(`${index + 1}` in c.weights)) continue;
    const read = await Promise.all(b.variables.map((v) => b.weights.read(v)));
    after.set(`${index + 1}`, read.flatMap((part) => [...part]));
  }
  return after;
}

const devices = await openTestDevices();

devices.test("optimisers: twelve steps beside PyTorch", async (device) => {
  for (const [name, c] of Object.entries(recorded.cases)) {
    for (const blocks of [1, 2] as const) {
      const after = await retrace(device, c, blocks);
      assert.deepEqual([...after.keys()], Object.keys(c.weights));
      for (const [step, expected] of Object.entries(c.weights)) {
        const what = `${name} in ${blocks} blocks after ${step} steps`;
        assertClose(after.get(step)!, expected, { rtol: 1e-6, atol: 2e-7, what });
      }
    }
  }
});

devices.test("optimisers: an update is one kernel per block, in place", async (device) => {
  for (const [name, c] of Object.entries(recorded.cases)) {
    for (const blocks of [1, 2] as const) {
      const optimizer = optimizerOf(c);
      using b = await bench(device, optimizer, blocks);
      const { steps, buffers } = partsOf(b.plan).schedule;
      assert.deepEqual(steps.map((s) => s.kind), Array(blocks).fill("map"), name);
      // No buffer but stores and inputs: nothing is computed beside its place and copied there.
      assert.deepEqual(new Set(buffers.map((s) => s.kind)), new Set(["store", "input"]), name);
      for (const step of steps) {
        assert(step.kind === "map");
        assert.equal(step.outputs.length, 1 + optimizer.moments, name);
        const read = step.args.map(({ range }) => JSON.stringify(range));
        for (const { range } of step.outputs) assert(read.includes(JSON.stringify(range)), name);
      }
    }
  }
});

Deno.test("optimisers: gaps between the weights of a block stay zero", async () => {
  const device = devices.all[0];
  for (const [name, c] of Object.entries(recorded.cases)) {
    const optimizer = optimizerOf(c);
    using b = await bench(device, optimizer, 1);
    const [{ whole, offsets, size }] = b.weights.blocks;
    b.weights.write(whole, packed(b, recorded.start)[0]);
    const [gradient] = packed(b, recorded.gradients[0]);
    for (const step of [1, 2]) {
      const scalars = optimizer.scalarsAt(step, 0.1);
      b.plan.run([
        [b.gradients[0], gradient],
        ...optimizer.scalars.map((t, k) => [t, Float32Array.of(scalars[k])] as const),
      ]);
    }
    const elements = await b.weights.read(whole);
    const gaps = [...elements.subarray(12, offsets[1]), ...elements.subarray(offsets[1] + 8, size)];
    assert.deepEqual(gaps.map(Math.abs), Array(gaps.length).fill(0), name);
  }
});

Deno.test("optimisers: an option that is undefined is the default", () => {
  for (const rule of [sgd, adam, adamw]) {
    const [plain, given] = [rule(), rule({ weightDecay: undefined })];
    assert.deepEqual(given.scalarsAt(3, 0.1), plain.scalarsAt(3, 0.1), plain.name);
  }
});

Deno.test("optimisers: Nesterov's momentum wants a momentum", () => {
  assert.throws(() => sgd({ nesterov: true }), UsageError);
});
