/** Whole nets of ours: training steps through `TrainingStep`, as users train, and inference. */
import type { Device, Plan } from "../../core/device.ts";
import { partsOf } from "../../core/plan/plan.ts";
import { input } from "../../core/structure.ts";
import { Pass } from "../../models/pass.ts";
import { Weights } from "../../models/weights.ts";
import { pixels as unpack } from "../../ops/pixels.ts";
import { sgd } from "../../train/optimizer.ts";
import { classification } from "../../train/classification.ts";
import { compileStep } from "../../train/training_step.ts";
import {
  checkedSteps,
  labels,
  normalisation,
  parameterElements,
  pixels,
  sampleOf,
  training,
} from "../fill.ts";
import type { Facts } from "../protocol.ts";
import type { Prepared } from "../serve.ts";
import { classesOf, type Net, type NetName, pictureSize, type Workload } from "../workload.ts";
import { entryOf } from "./nets.ts";
import type { Own } from "./ours.ts";

const mean = [normalisation.mean, normalisation.mean, normalisation.mean];
const std = [normalisation.std, normalisation.std, normalisation.std];

/** A model with the bench's weights. Dropout is off: peers would draw other numbers. */
function weightsOf(device: Device, name: NetName): Weights {
  const model = entryOf(name).create({ classes: classesOf(name) });
  model.forward = (x, pass) => model.head(model.features(x, pass), new Pass({ train: false }));
  const weights = new Weights(device, model);
  for (const [path, t] of weights.parameters) weights.write(t, parameterElements(path, t.shape));
  return weights;
}

/** A training step; for `plan` it is only built, for `replay` only its encoding is timed. */
export async function prepareTraining(
  { device, settle }: Own,
  net: Extract<Workload, { op: "train" | "replay" | "plan" }>,
): Promise<Prepared> {
  const { op, model, batch } = net;
  const weights = weightsOf(device, model);
  const optimizer = sgd({ momentum: training.momentum });
  const size = pictureSize(net),
    task = classification(weights.model, {
      ...{ height: size, width: size, fit: "stretch", share: 1, filter: "bilinear" },
      ...{ channels: 3, mean, std },
    });
  const step = await compileStep(device, weights, optimizer, task, { batchSize: batch });
  const images = pixels(batch * size * size), classes = labels(batch, classesOf(model));
  const run = (rate = 0): void => step.run({ pixels: images, labels: classes }, rate);
  const shared = {
    facts: factsOf(step.plan),
    dispose(): void {
      step[Symbol.dispose]();
      weights[Symbol.dispose]();
    },
  };
  if (op === "plan") return { ...shared, sample: () => [] };
  if (op === "replay") {
    run(); // Inputs stay: a replay encodes and submits, and uploads nothing.
    await settle?.();
    return { ...shared, run: () => step.plan.run(), settle, hostOnly: true, sample: () => [] };
  }
  return {
    ...shared,
    run: () => run(),
    settle,
    async sample() {
      const losses: number[] = [];
      for (let k = 0; k < checkedSteps; k++) {
        run(training.rate);
        losses.push((await step.metrics()).loss);
      }
      return losses;
    },
  };
}

/** What a plan holds and does. */
function factsOf(plan: Plan): Facts {
  const { plannedBytes, unsharedBytes, steps } = partsOf(plan).schedule;
  return {
    dispatches: plan.kernels.length,
    steps: steps.length,
    plannedBytes,
    unsharedBytes,
    plannedShare: plannedBytes / unsharedBytes,
    planBytes: plan.bytes,
  };
}

/** Logits of a batch, from pixels. */
export async function prepareInference(
  { device, settle }: Own,
  net: Net,
): Promise<Prepared> {
  const { model, batch } = net;
  const weights = weightsOf(device, model), size = pictureSize(net);
  const picture = input([batch, size, size], "pixels", "u32");
  const x = unpack(picture, { channels: 3, mean, std });
  const logits = weights.model.forward(x, new Pass({ train: false }));
  const plan = await device.compile({ outputs: [logits] }, { stores: weights.stores });
  const elements = pixels(batch * size * size);
  const run = (): void => plan.run([[picture, elements]]);
  run();
  return {
    run,
    settle,
    sample: async () => sampleOf(await plan.read(logits)),
    facts: factsOf(plan),
    dispose() {
      plan[Symbol.dispose]();
      weights[Symbol.dispose]();
    },
  };
}
