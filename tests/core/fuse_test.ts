/** Which maps share a kernel. Expressions are checked by the values that random graphs compare. */
import assert from "node:assert/strict";
import type { Memory } from "../../core/backend.ts";
import { asLeaf, type Tensor } from "../../core/graph.ts";
import type { Program } from "../../core/plan/program.ts";
import { type Schedule, schedule, type ScheduleOptions } from "../../core/plan/schedule.ts";
import { full, input, reshape, variable } from "../../core/structure.ts";
import { add, div, mul, neg, sqrt, sub, tanh } from "../../ops/mod.ts";
import { adam, adamw, sgd } from "../../train/optimizer.ts";
import { checkRanges } from "./plan_rules.ts";
import { reverse } from "./support.ts";

/** Each variable lies in a memory of its own. */
function plan(program: Program, options: Partial<ScheduleOptions> = {}): Schedule {
  const memories = new Map<unknown, Memory>();
  return schedule(program, {
    maxBuffers: 8,
    locate: (leaf) => {
      const bytes = leaf.type.shape[0] * 4;
      if (!memories.has(leaf)) memories.set(leaf, { bytes });
      return { buffer: memories.get(leaf)!, offset: 0, bytes };
    },
    ...options,
  });
}
const labels = ({ steps }: Schedule): string[] => steps.map((s) => s.label);
const kinds = ({ steps }: Schedule): string[] => steps.map((s) => s.kind);

const x = input([8], "x"), y = input([8], "y");

Deno.test("a chain of maps is one kernel, and none are without fusion", () => {
  const z = tanh(mul(add(x, y), 2));
  assert.deepEqual(labels(plan({ outputs: [z] })), ["add+mul+tanh"]);
  assert.deepEqual(labels(plan({ outputs: [z] }, { fuse: false })), ["add", "mul", "tanh"]);
});

Deno.test("literals melt into kernels", () => {
  const { steps } = plan({ outputs: [mul(x, full(2, [8]))] });
  assert(steps.length === 1 && steps[0].kind === "map" && steps[0].args.length === 1);
  // One that is itself read, or that a macro operation reads, is computed.
  assert.deepEqual(labels(plan({ outputs: [full(2, [8])] })), ["full"]);
  assert.deepEqual(labels(plan({ outputs: [reverse(full(2, [8]))] })), ["full", "reverse"]);
});

Deno.test("a value read by two maps of one kernel melts", () => {
  const s = add(x, y);
  assert.deepEqual(labels(plan({ outputs: [mul(tanh(s), neg(s))] })), ["add+tanh+neg+mul"]);
});

Deno.test("a value that two kernels read is computed once, in a kernel of its own", () => {
  const s = add(x, y), planned = plan({ outputs: [tanh(s), neg(s)] });
  assert.deepEqual(labels(planned), ["add", "tanh", "neg"]);
});

Deno.test("a value of another size does not melt", () => {
  const small = tanh(input([1], "scale"));
  assert.deepEqual(labels(plan({ outputs: [mul(x, small)] })), ["tanh", "mul"]);
  // Another rank with as many elements does.
  const row = tanh(input([1, 8], "row"));
  assert.deepEqual(labels(plan({ outputs: [mul(x, row)] })), ["tanh+mul"]);
});

Deno.test("macro operations and views end a chain", () => {
  const macro = plan({ outputs: [neg(reverse(tanh(x)))] });
  assert.deepEqual(kinds(macro), ["map", "macro", "map"]);
  const viewed = plan({ outputs: [neg(reshape(tanh(x), [2, 4]))] });
  assert.deepEqual(labels(viewed), ["tanh", "neg"]);
});

Deno.test("an output read by its own kernel is one more result of it", () => {
  const m = mul(x, 0.9), z = tanh(m), { steps } = plan({ outputs: [m, z] });
  assert(steps.length === 1 && steps[0].kind === "map");
  assert.equal(steps[0].outputs.length, 2);
});

/** Adam over one block: three variables, one gradient, one rate. */
function adamByHand(w: Tensor, m: Tensor, v: Tensor, g: Tensor, rate: Tensor): Program {
  const m2 = add(mul(m, 0.9), mul(g, 0.1));
  const v2 = add(mul(v, 0.999), mul(mul(g, g), 0.001));
  const w2 = sub(w, mul(rate, div(m2, add(sqrt(v2), 1e-8))));
  return { outputs: [], updates: [[w, w2], [m, m2], [v, v2]] };
}

Deno.test("an optimiser with three results is one kernel that writes in place", () => {
  const [w, m, v] = ["w", "m", "v"].map((name) => variable([64], name));
  const g = input([64], "g"), rate = input([1], "rate");
  const planned = plan(adamByHand(w, m, v, g, rate));
  assert.deepEqual(kinds(planned), ["map"]);
  checkRanges(planned, 5); // w, m, v, g and the rate
  const [step] = planned.steps;
  assert(step.kind === "map" && step.outputs.length === 3);
  const written = step.outputs.map((o) => planned.buffers[o.range.buffer]);
  assert(written.every((b) => b.kind === "store"));
  assert.equal(new Set(written).size, 3);
});

Deno.test("no kernel binds more buffers than allowed", () => {
  const inputs = Array.from({ length: 20 }, (_, k) => input([8], `x${k}`));
  const total = inputs.reduce((a, b) => add(a, b));
  for (const maxBuffers of [4, 8, 32]) {
    const planned = plan({ outputs: [total] }, { maxBuffers });
    checkRanges(planned, maxBuffers);
    const arguments_ = maxBuffers - 1;
    const fewest = Math.ceil((inputs.length - 1) / (arguments_ - 1));
    assert(planned.steps.length <= fewest + 1, `${planned.steps.length} kernels`);
  }
});

Deno.test("a new value that cannot be written in place counts as a buffer more", () => {
  const a = variable([8], "a"), inputs = [0, 1, 2].map((k) => input([8], `x${k}`));
  const value = inputs.reduce((sum, t) => add(sum, t), a as Tensor);
  // The old value is read after the new one is known, so that a copy comes last.
  const late = mul(reverse(value), a);
  const planned = plan({ outputs: [late], updates: [[a, value]] }, { maxBuffers: 4 });
  checkRanges(planned, 4);
  assert.equal(kinds(planned).at(-1), "copy");
});

Deno.test("kernels are named after their operations and their layer", () => {
  const w = variable([8], "block.1.scale");
  assert.deepEqual(
    labels(plan({ outputs: [tanh(mul(add(x, y), w))] })),
    ["add+mul+tanh at block.1"],
  );
  assert.deepEqual(labels(plan({ outputs: [mul(tanh(x), w)] })), ["tanh+mul at block.1"]);
  assert.equal(asLeaf(w)!.label, "block.1.scale");
});

Deno.test("a chain of thousands of maps is cut into kernels of some hundreds", () => {
  let z: Tensor = x;
  for (let k = 0; k < 5000; k++) z = add(z, 1);
  const { steps, plannedBytes } = plan({ outputs: [z] });
  assert(steps.length >= 5 && steps.length <= 50, `${steps.length}`);
  assert.equal(plannedBytes, 32);
});

Deno.test("every optimiser is one kernel per block within WebGPU's eight buffers", () => {
  const limit = input([], "limit");
  for (const rule of [sgd({ momentum: 0.9, weightDecay: 0.1, nesterov: true }), adam(), adamw()]) {
    const [weights, g, ...all] = ["w", "g", "m", "v"].map((name) => variable([64], name));
    const gradient = mul(reverse(g), limit), moments = all.slice(0, rule.moments);
    const planned = plan({
      outputs: [],
      updates: rule.update({ weights, gradient, moments }),
    });
    assert.deepEqual(kinds(planned), ["macro", "map"], rule.name);
    checkRanges(planned, 8);
  }
});

Deno.test("iteration spaces are merged where all arguments allow it", () => {
  const image = input([2, 3, 4, 5], "image"), bias = input([5], "bias");
  const dimsOf = (t: Tensor): readonly number[] => {
    const [step] = plan({ outputs: [t] }).steps;
    assert(step.kind === "map");
    return step.dims;
  };
  assert.deepEqual(dimsOf(neg(image)), [120]);
  assert.deepEqual(dimsOf(add(image, bias)), [24, 5]);
  assert.deepEqual(dimsOf(add(image, input([3, 1, 1], "m"))), [2, 3, 20]);
  assert.deepEqual(dimsOf(add(input([2, 1, 1, 4], "p"), input([1, 1, 4], "q"))), [2, 4]);
  assert.deepEqual(dimsOf(add(input([2, 1, 4], "p"), input([1, 3, 4], "q"))), [2, 3, 4]);
  assert.deepEqual(dimsOf(neg(input([1, 1], "one"))), [1]);
});
