import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { sizeOf } from "../../core/shape.ts";
import { Store } from "../../core/store.ts";
import { input, variable } from "../../core/structure.ts";
import { buildGraph, instructions } from "./random_graph.ts";
import { evaluate } from "./reference.ts";
import { gpuTest, numbers, wholeNumbers } from "./support.ts";

const updatePairs = fc.uniqueArray(fc.tuple(fc.nat(3), fc.nat()), {
  minLength: 1,
  maxLength: 3,
  selector: ([variable]) => variable,
});

gpuTest("random updates see the old values of all variables, run after run", async (device) => {
  let ran = 0;
  await fc.assert(
    fc.asyncProperty(instructions, updatePairs, fc.boolean(), async (program, pairs, fuse) => {
      const variables = [0, 1, 2, 3].map((k) => variable([2, 4], `v${k}`));
      const x = input([4], "x"), now = new Map([[x, wholeNumbers(4, 9)]]);
      const { values } = buildGraph([...variables, x], program);
      // Variables as new values are left out: the planner refuses to swap two of them.
      const made = values.filter((t) => t.node.op.kind === "map" && sizeOf(t.shape) === 8);
      if (made.length === 0) return;
      const updates = pairs.map(([k, n]) => [variables[k], made[n % made.length]] as const);
      const outputs = made.slice(-2);

      using store = new Store(device, variables);
      for (const [k, v] of variables.entries()) now.set(v, wholeNumbers(8, k));
      for (const v of variables) store.write(v, now.get(v)!);
      using plan = await device.compile({ outputs, updates }, { stores: [store], fuse });
      for (let run = 0; run < 2; run++) {
        const old = new Map(now);
        plan.run(plan.inputs.includes(x) ? [[x, old.get(x)!]] : []);
        for (const t of outputs) assert.deepEqual(numbers(await plan.read(t)), evaluate(t, old));
        for (const [v, t] of updates) now.set(v, new Float32Array(evaluate(t, old)));
        for (const v of variables) {
          assert.deepEqual(numbers(await store.read(v)), numbers(now.get(v)!), plan.explain());
        }
      }
      ran++;
    }),
    { numRuns: 20 },
  );
  assert(ran > 10);
});
