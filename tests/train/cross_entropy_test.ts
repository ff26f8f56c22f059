/** Cross-entropy and its gradient beside PyTorch's: smoothing, class weights, ignored rows. */
import assert from "node:assert/strict";
import { grad } from "../../core/grad.ts";
import { input, tensor } from "../../core/structure.ts";
import { crossEntropy, type LossReduction } from "../../ops/cross_entropy.ts";
import { sum } from "../../ops/reduce.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

/** What `make.py` noted of PyTorch's loss. */
interface Recorded {
  /** Of 6 rows and 5 classes. */
  readonly logits: readonly number[];
  readonly cases: readonly {
    readonly smoothing: number;
    readonly class_weights: readonly number[] | null;
    readonly ignore_index: number;
    readonly labels: readonly number[];
    readonly reduction: LossReduction;
    readonly loss: number | readonly number[];
    /** Of the sum of the loss, by logits. */
    readonly gradient: readonly number[];
  }[];
}

const fixture = new URL("../fixtures/optimizers/cross_entropy.json", import.meta.url);
const recorded = JSON.parse(await Deno.readTextFile(fixture)) as Recorded;

const devices = await openTestDevices();

devices.test("cross-entropy: losses and gradients beside PyTorch", async (device) => {
  const { cases } = recorded;
  assert(cases.some((c) => c.ignore_index === -100) && cases.some((c) => c.ignore_index === 2));
  // One plan for all cases: kernels take long to make on a software GPU.
  const logits = input([6, 5], "logits");
  const asked = cases.map((c) => {
    const loss = crossEntropy(logits, tensor(Int32Array.from(c.labels)), {
      labelSmoothing: c.smoothing,
      classWeights: c.class_weights ? tensor(c.class_weights) : undefined,
      ignoreIndex: c.ignore_index,
      reduction: c.reduction,
    });
    return { loss, gradient: grad(sum(loss), [logits])[0] };
  });
  const outputs = asked.flatMap(({ loss, gradient }) => [loss, gradient]);
  using plan = await device.compile({ outputs });
  plan.run([[logits, Float32Array.from(recorded.logits)]]);
  for (const [k, c] of cases.entries()) {
    const { smoothing, class_weights: weights, ignore_index: ignored, reduction } = c;
    const what = `case ${JSON.stringify({ smoothing, weights, ignored, reduction })}`;
    const close = { rtol: 2e-6, atol: 5e-7 };
    const loss = [c.loss].flat();
    assertClose(await plan.read(asked[k].loss), loss, { ...close, what: `loss of ${what}` });
    const gradient = await plan.read(asked[k].gradient);
    assertClose(gradient, c.gradient, { ...close, what: `gradient of ${what}` });
  }
});

devices.test("cross-entropy: rows that are all ignored weigh nothing", async (device) => {
  const logits = input([2, 3], "logits"), labels = tensor(Int32Array.of(-100, -100));
  const loss = crossEntropy(logits, labels), [gradient] = grad(loss, [logits]);
  using plan = await device.compile({ outputs: [loss, gradient] });
  plan.run([[logits, Float32Array.of(1, 2, 3, 4, 5, 6)]]);
  assert.deepEqual([...await plan.read(loss)], [0]);
  assert.deepEqual([...await plan.read(gradient)].map(Math.abs), [0, 0, 0, 0, 0, 0]);
});
