/** Laws of cross-entropy. */
import * as fc from "npm:fast-check@4";
import { type Shape, sizeOf } from "../../../core/shape.ts";
import { input } from "../../../core/structure.ts";
import { crossEntropy } from "../../../ops/mod.ts";
import * as references from "../../reference/cross_entropy.ts";
import type { InputSpec, Instance, LawCase } from "../case.ts";
import { labelsOf, rowShape } from "./rows.ts";

const settings = fc.record({
  shape: rowShape,
  ignoreIndex: fc.constantFrom(-100, 255),
  smoothing: fc.constantFrom(0, 0, 0.1, 1),
  reduction: fc.constantFrom("mean" as const, "sum" as const, "none" as const),
  weighted: fc.boolean(),
});

const hard: fc.Arbitrary<Instance> = settings.chain((drawn) => {
  const { shape, weighted, ...how } = drawn;
  const c = shape.at(-1)!, lead = shape.slice(0, -1);
  // A class 255 may exist: then it is the ignored one.
  return labelsOf(sizeOf(lead), c, how.ignoreIndex).map((values): Instance => {
    const inputs: InputSpec[] = [
      { shape, range: [-4, 4] },
      { shape: lead, dtype: "i32", values },
    ];
    if (weighted) inputs.push({ shape: [c], range: [0.5, 2], isOrdinary: true });
    return {
      label: JSON.stringify(drawn),
      inputs,
      apply: ([logits, labels, classWeights]) => [
        crossEntropy(logits, labels, {
          ignoreIndex: how.ignoreIndex,
          labelSmoothing: how.smoothing,
          reduction: how.reduction,
          classWeights,
        }),
      ],
      reference: (given) => [references.crossEntropy(given, how)],
      differentiableIn: [0],
      special: specialFor(how.smoothing),
    };
  });
});

/** With a smoothing of 1 the own loss counts by a literal 0: 0·∞ is what the driver makes of it. */
const specialFor = (smoothing: number): Instance["special"] =>
  smoothing === 1 ? undefined : { large: false };

/** Probabilities of 0 and 1; that a row adds up to 1 is not asked, the formula holds for any numbers. */
const sure = (shape: Shape): InputSpec => ({
  shape,
  values: Array.from({ length: sizeOf(shape) }, (_, i) => i % 3 === 0 ? 1 : 0),
  isOrdinary: true,
});

const soft: fc.Arbitrary<Instance> = fc.tuple(settings, fc.boolean()).map(
  ([{ shape, smoothing: drawn, reduction }, isSure]): Instance => {
    // Smoothing would leave no probability of 0.
    const smoothing = isSure ? 0 : drawn;
    return {
      label: JSON.stringify({ shape, smoothing, reduction, isSure }),
      inputs: [{ shape, range: [-4, 4] }, isSure ? sure(shape) : { shape, range: [0, 1] }],
      apply: ([logits, target]) => [
        crossEntropy(logits, target, { labelSmoothing: smoothing, reduction }),
      ],
      reference: (given) => [
        references.softCrossEntropy(given, { ignoreIndex: -100, smoothing, reduction }),
      ],
      differentiableIn: [0, 1],
      special: specialFor(smoothing),
    };
  },
);

const logits = input([4, 10], "logits"), labels = input([4], "labels", "i32");
const target = input([4, 10], "target"), weights = input([10], "weights");

/** Labels with ignored rows, weights and smoothing; probabilities. */
export const cases: readonly LawCase[] = [
  {
    covers: ["crossEntropy"],
    name: "crossEntropy with labels",
    draw: hard,
    refuses: [
      {
        call: () => crossEntropy(logits, input([5], "labels", "i32")),
        message: /labels \[5\] do not fit logits \[4,10\], \[4\] is wanted/,
      },
      {
        call: () => crossEntropy(logits, input([4], "labels", "u32")),
        message: /labels \[4\] holds u32, i32 is wanted/,
      },
      {
        call: () => crossEntropy(logits, labels, { classWeights: input([9], "w") }),
        message: /classWeights are \[9\] but logits \[4,10\] have 10 classes/,
      },
      {
        call: () => crossEntropy(logits, labels, { labelSmoothing: 1.5 }),
        message: /labelSmoothing is 1.5, a number from 0 to 1 is wanted/,
      },
      {
        call: () => crossEntropy(logits, labels, { ignoreIndex: 0.5 }),
        message: /ignoreIndex is 0.5, a whole number/,
      },
      { call: () => crossEntropy(input([], "x"), labels), message: /logits are a scalar/ },
    ],
  },
  {
    covers: ["crossEntropy"],
    name: "crossEntropy with probabilities",
    draw: soft,
    refuses: [
      {
        call: () => crossEntropy(logits, input([4], "target")),
        message: /target \[4\] of probabilities does not fit logits \[4,10\]/,
      },
      {
        call: () => crossEntropy(logits, target, { classWeights: weights }),
        message: /holds f32 probabilities, classWeights works with i32 labels only/,
      },
      {
        call: () => crossEntropy(logits, target, { ignoreIndex: 3 }),
        message: /ignoreIndex works with i32 labels only/,
      },
    ],
  },
];
