/**
 * Random programs: planned, fused and with shared memory they give, run after run, what a recursive
 * float64 evaluation of the graph gives; on a fake backend to float64's precision, then on devices.
 */
import assert from "node:assert/strict";
import * as fc from "npm:fast-check@4";
import { type CompileOptions, type Device, deviceOn, type Plan } from "../../core/device.ts";
import type { LeafAttrs, Tensor } from "../../core/graph.ts";
import { asLeaf } from "../../core/graph.ts";
import { partsOf } from "../../core/plan/plan.ts";
import type { Program } from "../../core/plan/program.ts";
import type { Schedule } from "../../core/plan/schedule.ts";
import { Random } from "../../core/rng.ts";
import { elementBytes, sizeOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { FakeBackend } from "../core/fake_backend.ts";
import { checkRanges, writersOf } from "../core/plan_rules.ts";
import { macro, reverse, sumAndDifference } from "../core/support.ts";
import { assertClose } from "../assert.ts";
import { evaluate } from "../reference/evaluate.ts";
import type { NdArray } from "./case.ts";
import { openTestDevices } from "./devices.ts";
import { drawing } from "./drawing.ts";
import {
  type Extra,
  type Leaves,
  makeLeaves,
  makeProgram,
  type Recipe,
  recipes,
} from "./graphs.ts";

const { seed, isSlow } = drawing();
console.log(`random graphs: seed ${seed}`);
const devices = await openTestDevices();

/** Runs of each plan; the store's variables change from one to the next. */
const rounds = 3;

/** What every plan of a program has to reproduce. */
interface Story {
  readonly leaves: Leaves;
  readonly feeds: readonly (readonly (readonly [Tensor, Float32Array<ArrayBuffer>])[])[];
  /** Per block, its elements at the start. */
  readonly start: readonly Float32Array<ArrayBuffer>[];
  /** Outputs and blocks after each round. */
  readonly wanted: readonly { readonly outputs: NdArray[]; readonly blocks: Float64Array[] }[];
}

const numbers = (size: number, random: Random): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: size }, () => 2 * random.uniform() - 1);

/** The recursive evaluation, with the state of the blocks carried over. */
function tell(program: Program, leaves: Leaves, { blocks }: Store): Story {
  const random = new Random(seed, "values");
  const feeds = Array.from(
    { length: rounds },
    () => leaves.inputs.map((t) => [t, numbers(sizeOf(t.shape), random)] as const),
  );
  const start = blocks.map((b) => numbers(b.size, random));
  const state = start.map((block) => Float64Array.from(block));
  const home = new Map<LeafAttrs, Float64Array>();
  for (const [k, { whole, variables, offsets }] of blocks.entries()) {
    home.set(asLeaf(whole)!, state[k]);
    for (const [j, v] of variables.entries()) {
      home.set(asLeaf(v)!, state[k].subarray(offsets[j], offsets[j] + sizeOf(v.shape)));
    }
  }
  const updates = program.updates ?? [];
  const wanted = feeds.map((round) => {
    const fed = new Map(round.map(([t, data]) => [asLeaf(t)!, data]));
    const leafOf = (leaf: LeafAttrs) => fed.get(leaf) ?? home.get(leaf)!.slice();
    const values = evaluate([...program.outputs, ...updates.map(([, v]) => v)], leafOf, macro);
    const outputs = values.slice(0, program.outputs.length);
    for (const [k, [to]] of updates.entries()) {
      home.get(asLeaf(to)!)!.set(values[program.outputs.length + k].data);
    }
    return { outputs, blocks: state.map((block) => block.slice()) };
  });
  return { leaves, feeds, start, wanted };
}

/** A program with its store on a device; two variables share the first block. */
function makeStore(device: Device, { variables }: Leaves): Store {
  return new Store(device, variables, { maxBlockBytes: 128 * elementBytes });
}

async function follow(
  plan: Plan,
  store: Store,
  story: Story,
  read: (t: Tensor) => Promise<ArrayLike<number>>,
  tolerance: number,
  before: () => void = () => {},
): Promise<void> {
  for (const [k, { whole }] of store.blocks.entries()) store.write(whole, story.start[k]);
  for (const [round, wanted] of story.wanted.entries()) {
    before();
    plan.run(story.feeds[round].filter(([t]) => plan.inputs.includes(t)));
    for (const [k, output] of plan.outputs.entries()) {
      const close = { rtol: tolerance, atol: tolerance, what: `round ${round}: output ${k}` };
      assertClose(await read(output), wanted.outputs[k].data, close);
    }
    for (const [k, { whole }] of store.blocks.entries()) {
      const close = { rtol: 1e-6, atol: Math.max(tolerance, 1e-6) };
      const what = `round ${round}: block ${k}`;
      assertClose(await store.read(whole), wanted.blocks[k], { ...close, what });
    }
  }
}

const options: readonly CompileOptions[] = [
  { fuse: true },
  { fuse: false },
  { fuse: true, debug: true },
  { fuse: false, debug: true },
];

const extra: Extra = (a, b) => [reverse(a), ...sumAndDifference(a, b)];

/** No slot may carry a value from one run into the next. */
function poison(plan: Plan, fake: FakeBackend): void {
  for (const [k, { kind }] of partsOf(plan).schedule.buffers.entries()) {
    if (kind === "slot") fake.own(partsOf(plan).memories[k]).values.fill(NaN);
  }
}

async function checkOnFake(recipe: Recipe, maxBuffers: number): Promise<void> {
  const fake = new FakeBackend({ macro, maxBuffers }), device = deviceOn(fake);
  const leaves = makeLeaves();
  using store = makeStore(device, leaves);
  const program = makeProgram(recipe, leaves, store.blocks[0], extra);
  const story = tell(program, leaves, store), schedules: Schedule[] = [];
  for (const how of options) {
    using plan = await device.compile(program, { ...how, stores: [store] });
    checkRanges(partsOf(plan).schedule, maxBuffers);
    assert(plan.plannedBytes <= plan.unsharedBytes);
    const exact = (t: Tensor): Promise<Float64Array> => {
      const { buffer, offset, bytes } = partsOf(plan).schedule.rangeOf(t);
      return Promise.resolve(fake.peek(partsOf(plan).memories[buffer], offset, bytes));
    };
    await follow(plan, store, story, exact, 1e-9, () => poison(plan, fake));
    schedules.push(partsOf(plan).schedule);
  }
  assert.deepEqual(writersOf(schedules[0]), writersOf(schedules[2]), "fused: sharing memory");
  assert.deepEqual(writersOf(schedules[1]), writersOf(schedules[3]), "unfused: sharing memory");
}

for (const maxBuffers of [8, 4]) {
  Deno.test(`random graphs are planned right with ${maxBuffers} buffers a kernel`, async () => {
    const property = fc.asyncProperty(recipes(16), (recipe) => checkOnFake(recipe, maxBuffers));
    await fc.assert(property, { numRuns: isSlow ? 5000 : 300, seed });
  });
}

async function checkOnDevice(device: Device, recipe: Recipe): Promise<void> {
  const leaves = makeLeaves();
  using store = makeStore(device, leaves);
  const program = makeProgram(recipe, leaves, store.blocks[0]);
  const story = tell(program, leaves, store);
  for (const how of [{ fuse: true }, { fuse: false, debug: true }]) {
    using plan = await device.compile(program, { ...how, stores: [store] });
    await follow(plan, store, story, (t) => plan.read(t), 1e-4);
  }
}

devices.test("random graphs give what the reference gives", async (device) => {
  const live = device.liveBytes, end = performance.now() + (isSlow ? Infinity : 15_000);
  const property = fc.asyncProperty(recipes(12), async (recipe) => {
    if (performance.now() < end) await checkOnDevice(device, recipe);
  });
  const numRuns = device.kind === "webgpu" ? (isSlow ? 100 : 12) : (isSlow ? 500 : 150);
  await fc.assert(property, { numRuns, seed });
  assert.equal(device.liveBytes, live, "stores and plans gave all memory back");
});
