/** What is drawn: pure functions of (seed, epoch, index), distributed as torchvision's draws. */
import { deepEqual, equal, notDeepEqual, ok, throws } from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError, UsageError } from "../../core/errors.ts";
import { Random } from "../../core/rng.ts";
import { type Augmentation, augmentationLevels } from "../../data/augmentation.ts";
import { checkAugmentation, parseAugmentation } from "../../data/augmentation_check.ts";
import {
  drawAugmentation,
  drawErasing,
  drawFlip,
  drawJitter,
  drawResizedCrop,
} from "../../data/augmentation_draw.ts";
import type { DrawnStep } from "../../data/drawn_steps.ts";
import {
  augmentationSpace,
  drawRandAugment,
  drawTrivialAugment,
} from "../../data/augmentation_space.ts";
import { epochFlips } from "./support.ts";
import { cases } from "./augmentation_fixtures.ts";

const net = { width: 224, height: 160 }, source = { width: 500, height: 375 };
const everything: Augmentation = [
  { kind: "random-resized-crop" },
  { kind: "random-crop", padding: 4, mode: "reflect" },
  { kind: "horizontal-flip" },
  { kind: "vertical-flip", p: 0.3 },
  { kind: "rotation", degrees: 20, interpolation: "bilinear", fill: [1, 2, 3] },
  { kind: "color-jitter", brightness: 0.4, contrast: [0.5, 2], saturation: 1.5, hue: 0.1 },
  { kind: "gaussian-blur", kernel: 5, p: 0.5 },
  { kind: "random-erasing", value: "noise" },
  { kind: "rand-augment" },
  { kind: "trivial-augment-wide" },
];
const draw = (steps: Augmentation, index: number, epoch = 0, seed = 1): DrawnStep[] =>
  drawAugmentation(steps, { seed, epoch, index }, source, net);

Deno.test("a word of a stream by its place is what the stream gives there", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat(), fc.nat(40), (seed, index, place) => {
    const stream = new Random(seed, "a", index), first = new Random(seed, "a", index);
    const words = Array.from({ length: place + 1 }, () => stream.word());
    equal(first.wordAt(place), words[place]);
    equal(first.word(), words[0]);
  }));
});

Deno.test("flips are those that runs have drawn since the first", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat(1000), fc.integer({ min: 1, max: 99 }), (
    seed,
    epoch,
    n,
  ) => {
    const flips = Uint8Array.from({ length: n }, (_, index) => +drawFlip({ seed, epoch, index }));
    deepEqual(flips, epochFlips(n, seed, epoch));
  }));
  for (const p of [0, 0.1, 0.5, 0.8, 1]) {
    const n = 8000,
      count = Array.from({ length: n }, (_, index) => index)
        .filter((index) => drawFlip({ seed: 5, epoch: 1, index }, p)).length;
    ok(Math.abs(count / n - p) < 4 * Math.sqrt(p * (1 - p) / n) + 1e-9, `${p}: ${count / n}`);
  }
});

Deno.test("every draw hangs on seed, epoch and index, and on no other step", () => {
  const key = fc.record({ seed: fc.maxSafeNat(), epoch: fc.nat(300), index: fc.nat(2 ** 31) });
  const some = fc.subarray([...everything]);
  fc.assert(fc.property(key, some, (key, steps) => {
    const drawn = drawAugmentation(steps, key, source, net);
    deepEqual(drawAugmentation(structuredClone(steps), { ...key }, source, net), drawn);
    deepEqual(drawn, steps.flatMap((step) => drawAugmentation([step], key, source, net)));
  }));
  for (const other of [draw(everything, 1), draw(everything, 0, 1), draw(everything, 0, 0, 2)]) {
    notDeepEqual(other, draw(everything, 0));
  }
  // The second of two equal steps draws for itself.
  for (const step of everything.slice(1, 3)) {
    const twice = Array.from({ length: 40 }, (_, i) => draw([step, step], i));
    ok(twice.some(([first, second]) => JSON.stringify(first) !== JSON.stringify(second)));
  }
});

Deno.test("boxes are distributed as torchvision's, and lie within the picture", () => {
  for (const { kind, width, height, scale, ratio, n, mean, std } of cases.distributions) {
    const random = new Random(9, kind, width), sums = [0, 0, 0, 0], squares = [0, 0, 0, 0];
    let drawn = 0;
    for (let i = 0; i < n; i++) {
      const box = kind === "crop"
        ? drawResizedCrop(random, { width, height }, { scale, ratio })
        : drawErasing(random, { width, height }, { scale, ratio });
      if (box === undefined) continue;
      ok(box.top >= 0 && box.left >= 0 && box.width >= 1 && box.height >= 1);
      ok(box.left + box.width <= width && box.top + box.height <= height);
      drawn++;
      [box.top, box.left, box.height, box.width].forEach((value, k) => {
        sums[k] += value;
        squares[k] += value * value;
      });
    }
    ok(drawn > 0.99 * n);
    sums.forEach((sum, k) => {
      const average = sum / drawn,
        deviation = Math.sqrt(Math.max(0, squares[k] / drawn - average ** 2));
      // Both are means of n draws.
      const error = 4 * Math.sqrt(2 / n) * Math.max(std[k], 0.05);
      const place = `${kind} ${width}×${height} ${scale}, ${k}: ${average}±${deviation}`;
      ok(Math.abs(average - mean[k]) < error, `${place}, ${mean[k]} is wanted`);
      ok(Math.abs(deviation - std[k]) < 2 * error, `${place}, ±${std[k]} is wanted`);
    });
  }
});

Deno.test("pictures too long for the ratio give their middle, whole in the shorter side", () => {
  const wide = drawResizedCrop(new Random(1), { width: 1000, height: 30 }, { scale: [1, 1] });
  deepEqual(wide, { top: 0, left: 480, height: 30, width: 40 });
  const high = drawResizedCrop(new Random(1), { width: 30, height: 1001 }, { scale: [1, 1] });
  deepEqual(high, { top: 480, left: 0, height: 40, width: 30 });
  const all = drawResizedCrop(new Random(1), { width: 7, height: 7 }, {
    ...{ scale: [1, 1], ratio: [1.3, 1.33] },
  });
  deepEqual(all, { top: 1, left: 0, height: 5, width: 7 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.nat(65_534), fc.boolean(), (a, b, is) => {
      const [width, height] = is ? [a, b + 1] : [b + 1, a];
      const box = drawResizedCrop(new Random(b), { width, height });
      ok(box.width >= 1 && box.height >= 1 && box.top >= 0 && box.left >= 0);
      ok(box.left + box.width <= width && box.top + box.height <= height);
    }),
  );
});

/** Mean of numbers that are uniform from `low` to `high`, which it checks. */
function uniform(values: readonly number[], [low, high]: readonly [number, number]): void {
  ok(values.length > 500 && values.every((value) => value >= low && value <= high));
  const mean = values.reduce((a, b) => a + b) / values.length;
  const error = 4 * (high - low) / Math.sqrt(12 * values.length);
  ok(Math.abs(mean - (low + high) / 2) <= error, `${mean} between ${low} and ${high}`);
  const lowest = values.filter((value) => value < low + (high - low) / 10).length / values.length;
  ok(Math.abs(lowest - 0.1) < 0.05, `${lowest} in the lowest tenth`);
}

Deno.test("colour jitter: all orders equally often, factors uniform, what is not asked for left out", () => {
  const random = new Random(3), orders = new Map<string, number>();
  const values: Record<string, number[]> = {}, n = 4800;
  for (let i = 0; i < n; i++) {
    const steps = drawJitter(random, {
      brightness: 1.4,
      contrast: [0.5, 2],
      saturation: 0.2,
      hue: 0.1,
    });
    const order = steps.map(({ kind }) => kind).join();
    orders.set(order, (orders.get(order) ?? 0) + 1);
    for (const step of steps) {
      const value = step.kind === "hue" ? step.by : "factor" in step ? step.factor : NaN;
      (values[step.kind] ??= []).push(value);
    }
  }
  equal(orders.size, 24);
  const chiSquare = [...orders.values()].reduce((sum, k) => sum + (k - n / 24) ** 2 / (n / 24), 0);
  ok(chiSquare < 60, `${chiSquare}, 23 is the mean`);
  uniform(values.brightness, [0, 2.4]);
  uniform(values.contrast, [0.5, 2]);
  uniform(values.saturation, [0.8, 1.2]);
  uniform(values.hue, [-0.1, 0.1]);
  deepEqual(drawJitter(random, {}), []);
  equal(drawJitter(random, { hue: [0, 0.5] }).length, 1);
});

Deno.test("rotations, shifts, blurs and flips are uniform and as frequent as asked for", () => {
  const all = Array.from({ length: 2000 }, (_, i) => draw(everything.slice(1, 8), i)).flat();
  const of = <K extends DrawnStep["kind"]>(kind: K) =>
    all.filter((step): step is Extract<DrawnStep, { kind: K }> => step.kind === kind);
  uniform(of("rotate").map(({ degrees }) => degrees), [-20, 20]);
  for (const side of ["top", "left"] as const) {
    const places = of("pad-crop").map((step) => step[side]);
    for (let place = 0; place <= 8; place++) {
      const share = places.filter((is) => is === place).length / places.length;
      ok(Math.abs(share - 1 / 9) < 0.03, `${place}: ${share}`);
    }
  }
  uniform(of("blur").map(({ sigma }) => sigma), [0.1, 2]);
  const shares = {
    "horizontal-flip": 0.5,
    "vertical-flip": 0.3,
    "blur": 0.5,
    "erase": 0.5,
  } as const;
  for (const kind of ["horizontal-flip", "vertical-flip", "blur", "erase"] as const) {
    const share = of(kind).length / 2000;
    ok(Math.abs(share - shares[kind]) < 0.045, `${kind}: ${share}`);
  }
  ok(of("erase").every(({ noise }) => noise?.every((word) => word >>> 0 === word)));
});

Deno.test("RandAugment and TrivialAugment have torchvision's operations and strengths", () => {
  for (
    const [wanted, found] of [
      [cases.spaces.rand, augmentationSpace(31, net)],
      [cases.spaces.wide, augmentationSpace(31)],
    ]
  ) {
    deepEqual(found.map(({ name }) => name), wanted.map(({ name }) => name));
    found.forEach(({ name, strengths, isSigned }, i) => {
      equal(isSigned, wanted[i].isSigned);
      equal(strengths.length, wanted[i].strengths.length);
      strengths.forEach((strength, bin) => {
        ok(Math.abs(strength - wanted[i].strengths[bin]) < 2e-5, `${name} ${bin}`);
        if (name.startsWith("Translate")) {
          equal(Math.trunc(strength), Math.trunc(wanted[i].strengths[bin]), `${name} ${bin}`);
        }
      });
    });
  }
});

Deno.test("RandAugment and TrivialAugment draw all operations, strengths and signs equally often", () => {
  const random = new Random(4), n = 14_000;
  const rand = Array.from({ length: n / 2 }, () => drawRandAugment(random, net));
  const wide = Array.from({ length: n }, () => drawTrivialAugment(random, { fill: [1, 2, 3] }));
  for (const steps of [rand.flat(), wide.flat()]) {
    // The identity is no step; shears and translations are two operations each.
    ok(Math.abs(steps.length / n - 13 / 14) < 0.01, `${steps.length}`);
    for (const [kind, of] of Map.groupBy(steps, ({ kind }) => kind)) {
      const operations = kind === "shear" || kind === "translate" ? 2 : 1;
      ok(Math.abs(of.length / n - operations / 14) < 0.012, `${kind}: ${of.length / n}`);
    }
  }
  const degrees = (steps: DrawnStep[]) =>
    steps.flatMap((step) => step.kind === "rotate" ? [step.degrees] : []);
  deepEqual([...new Set(degrees(rand.flat()))].toSorted(), [-9, 9]);
  const angles = degrees(wide.flat()), positive = angles.filter((angle) => angle > 0).length;
  equal(new Set(angles.map(Math.abs)).size, 31);
  ok(Math.abs(positive / angles.length - 15 / 31) < 0.06, `${positive} of ${angles.length}`);
  ok(wide.flat().every((step) => step.kind !== "rotate" || step.fill?.join() === "1,2,3"));
  equal(drawRandAugment(random, net, { ops: 0 }).length, 0);
});

Deno.test("levels are valid, survive JSON, and grow", () => {
  const levels = Object.values(augmentationLevels);
  for (const level of levels) {
    checkAugmentation(level);
    deepEqual(parseAugmentation(JSON.stringify(level)), level);
  }
  const area = (level: Augmentation) => {
    const boxes = Array.from({ length: 500 }, (_, i) => draw(level, i)).flat();
    const areas = boxes.flatMap((step) => step.kind === "crop" ? [step.width * step.height] : []);
    return areas.reduce((a, b) => a + b, 0) / 500 / source.width / source.height;
  };
  equal(draw(augmentationLevels.none, 0).length, 0);
  const [light, medium, strong] = levels.slice(1).map(area);
  ok(light > medium && medium > strong && strong > 0.4, `${[light, medium, strong]}`);
});

Deno.test("an augmentation that is none is refused by step and field", () => {
  const refused = (value: unknown, message: RegExp) => {
    const text = JSON.stringify(value);
    throws(() => parseAugmentation(text, "read a.json"), (error) => {
      ok(error instanceof DataError && error.message.startsWith("Cannot read a.json: "));
      ok(message.test(error.message), error.message);
      return true;
    });
    throws(() => checkAugmentation(JSON.parse(text)), (error) => error instanceof UsageError);
  };
  refused({}, /its augmentation is {}, a list is wanted$/);
  refused([7], /step 0 of its augmentation is 7, an object is wanted$/);
  refused(
    [{ kind: "flip" }],
    /step 0 .* is of kind "flip", one of random-resized-crop, .* is wanted$/,
  );
  refused([{ kind: "toString" }], /is of kind "toString"/);
  refused([{ kind: "vertical-flip", p: 1.1 }], /vertical-flip: p is 1.1, a number from 0 to 1/);
  refused([{ kind: "vertical-flip", q: 1 }], /an unknown field "q", fields of p are wanted$/);
  refused([{ kind: "rotation" }], /rotation: degrees is missing, a number from 0 or two/);
  refused([{ kind: "rotation", degrees: [9, 1] }], /degrees is \[9,1\].*the smaller one first, is/);
  refused([{ kind: "gaussian-blur", kernel: 4 }], /kernel is 4, an odd number from 1 to 255/);
  refused([{ kind: "color-jitter", hue: 0.6 }], /hue is 0.6, a number from 0 to 0.5 or two/);
  refused([{ kind: "random-crop", padding: 4, fill: [0, 0] }], /fill is \[0,0\], three whole/);
  refused([{ kind: "rand-augment", magnitude: 31 }], /magnitude is 31, less than its 31 bins/);
  const late = [{ kind: "horizontal-flip" }, { kind: "random-resized-crop" }];
  refused(late, /step 1 .* is random-resized-crop, it is wanted as step 0/);
  throws(() => parseAugmentation("[", "read"), /Cannot read: its augmentation is no JSON/);
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    try {
      checkAugmentation(JSON.parse(JSON.stringify(value)));
      ok(Array.isArray(value) && value.length === 0);
    } catch (error) {
      ok(error instanceof UsageError, `${error}`);
    }
  }));
});
