/** MixUp and CutMix: λ is Beta-distributed, boxes are torchvision's. */
import { deepEqual, equal, notDeepEqual, ok, throws } from "node:assert/strict";
import { UsageError } from "../../core/errors.ts";
import { Random } from "../../core/rng.ts";
import { cutMixBox, drawBeta, drawMix, mixPartner } from "../../data/mixing.ts";
import { cases } from "./augmentation_fixtures.ts";

/** Mean and variance. */
function moments(values: readonly number[]): [number, number] {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return [mean, values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length];
}

Deno.test("Beta: mean, variance and arcsine law, from tiny to large parameters", () => {
  const n = 8000;
  for (
    const [a, b] of [[1e-3, 1e-3], [0.2, 0.2], [0.5, 0.5], [1, 1], [2, 5], [0.4, 3], [300, 300]]
  ) {
    const random = new Random(8, "beta", Math.round(a * 1000));
    const values = Array.from({ length: n }, () => drawBeta(random, a, b));
    ok(values.every((value) => value >= 0 && value <= 1));
    const [mean, variance] = moments(values);
    const wanted = a * b / ((a + b) ** 2 * (a + b + 1));
    ok(Math.abs(mean - a / (a + b)) < 4 * Math.sqrt(wanted / n), `Beta(${a}, ${b}): mean ${mean}`);
    ok(Math.abs(variance / wanted - 1) < 0.1, `Beta(${a}, ${b}): ${variance}, ${wanted} is wanted`);
    // P(x < 0.1) is 0.1 of the uniform, and 2/π asin √0.1 of Beta(½, ½).
    const below = values.filter((value) => value < 0.1).length / n;
    if (a === 1) ok(Math.abs(below - 0.1) < 0.015, `${below}`);
    if (a === 0.5) ok(Math.abs(below - 2 / Math.PI * Math.asin(Math.sqrt(0.1))) < 0.02, `${below}`);
  }
});

Deno.test("CutMix's box and λ are those of torchvision's reference", () => {
  for (const { drawn, x, y, width, height, box, lambda } of cases.cutmix) {
    const found = cutMixBox(drawn, { x, y }, { width, height });
    deepEqual(found.box, box);
    ok(Math.abs(found.lambda - lambda) < 1e-12);
  }
  const whole = cutMixBox(1, { x: 3, y: 4 }, { width: 9, height: 9 });
  deepEqual([whole.lambda, whole.box.width, whole.box.height], [1, 0, 0]);
});

Deno.test("a batch's mix is a pure function of seed, epoch and batch", () => {
  const size = { width: 32, height: 24 };
  for (const kind of ["mixup", "cutmix"] as const) {
    const at = (seed: number, epoch: number, batch: number, alpha = 0.7) =>
      drawMix({ kind, alpha }, { seed, epoch, batch }, size);
    deepEqual(at(1, 2, 3), at(1, 2, 3));
    for (const other of [at(2, 2, 3), at(1, 3, 3), at(1, 2, 4)]) notDeepEqual(other, at(1, 2, 3));
    const drawn = Array.from({ length: 4000 }, (_, batch) => at(5, 0, batch, 1));
    for (const { lambda, box } of drawn) {
      ok(lambda >= 0 && lambda <= 1);
      equal(box === undefined, kind === "mixup");
      if (box === undefined) continue;
      ok(box.left >= 0 && box.top >= 0 && box.width >= 0 && box.height >= 0);
      ok(box.left + box.width <= size.width && box.top + box.height <= size.height);
      // The label's share is the area's.
      equal(lambda, 1 - box.width * box.height / (size.width * size.height));
    }
    const [mean, variance] = moments(drawn.map(({ lambda }) => lambda));
    if (kind === "mixup") ok(Math.abs(mean - 0.5) < 0.02 && Math.abs(variance - 1 / 12) < 0.01);
    // Boxes are cut off at the border, so more than half is left.
    else ok(mean > 0.55 && mean < 0.8, `${mean}`);
    for (const alpha of [0, -1, NaN, 1e4]) throws(() => at(1, 1, 1, alpha), UsageError);
  }
});

Deno.test("partners are the batch rolled by one", () => {
  deepEqual([0, 1, 2, 3].map((i) => mixPartner(i, 4)), [3, 0, 1, 2]);
  equal(mixPartner(0, 1), 0);
});
