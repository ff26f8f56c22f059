/** Fine-tuning: what each stage moves, what is kept, and by which pictures that is decided. */
import assert from "node:assert/strict";
import { UsageError } from "../../core/errors.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { PackedPictures } from "../../data/pictures.ts";
import { type Device, deviceOn } from "../../core/device.ts";
import { models } from "../../models/models.ts";
import { openPretrained } from "../../models/pretrained.ts";
import type { Classifier } from "../../models/model.ts";
import { initialWeights, type Weights } from "../../models/weights.ts";
import { classification } from "../../train/classification.ts";
import { compileEvaluation } from "../../train/evaluator.ts";
import { FeatureExtractor, joinFeatures } from "../../train/features.ts";
import {
  fineTune,
  type FineTuned,
  type FineTuneEvent,
  type FineTuneOptions,
} from "../../train/fine_tune.ts";
import { chooseHead, isSurelyBetter } from "../../train/fine_tune_head.ts";
import { lastLayers, trainStage } from "../../train/fine_tune_stage.ts";
import { openWasm } from "../../wasm/backend.ts";
import { assertClose } from "../assert.ts";
import { squares } from "../end_to_end/classifiers.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();

/** The law of one device is enough where no kernel is new, and software adapters take a minute. */
const onWasm = (name: string, law: (device: Device) => Promise<void>): void =>
  Deno.test(name, async () => {
    using device = deviceOn(openWasm());
    await law(device);
  });

const mini = await openFashionMini(), { content } = await openPretrained("tutorial-cnn");
/** Things that look alike in grey: T-shirts, pullovers, coats. */
const kinds = [0, 2, 4], preparation = squares(32, 28);

/** Pictures of the three kinds, labelled 0 to 2. */
function some(pictures: PackedPictures, each: number): PackedPictures {
  const chosen = kinds.flatMap((kind) =>
    Array.from(pictures.labels.keys()).filter((k) => pictures.labels[k] === kind).slice(0, each)
  );
  const images = Uint8Array.from(chosen.flatMap((k) => [...pictures.image(k)]));
  const labels = Int32Array.from(chosen, (k) => kinds.indexOf(pictures.labels[k]));
  return new PackedPictures({ ...pictures.packed, images, labels });
}

const data = { train: some(mini.train, 20), validation: some(mini.test, 20) };

/** The tutorial's net with its weights, and a head of three classes. */
function pretrained(device: Device): Weights<Classifier> {
  const net: Classifier = models["tutorial-cnn"].create({ classes: 3 });
  const weights = initialWeights(device, net, 0);
  weights.load(content, { leaveReshaped: true });
  return weights;
}

async function run(
  weights: Weights<Classifier>,
  options: Partial<FineTuneOptions>,
): Promise<{ readonly events: FineTuneEvent[]; readonly result: FineTuned }> {
  const tuning = fineTune(weights, data, { preparation, views: 1, ...options });
  const events: FineTuneEvent[] = [];
  for (;;) {
    const next = await tuning.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}

/** Bytes of every parameter, by path. */
async function snapshot(weights: Weights): Promise<Map<string, string>> {
  return new Map((await weights.save()).map(([path, { bytes }]) => [path, `${bytes}`]));
}

const changed = (a: Map<string, string>, b: Map<string, string>): string[] =>
  [...a.keys()].filter((path) => a.get(path) !== b.get(path));

devices.test("fine-tuning: the head alone learns; its score is that on the validation pictures", async (device) => {
  using weights = pretrained(device);
  const before = await snapshot(weights);
  const { events, result } = await run(weights, { until: "head" });
  assert.deepEqual(changed(before, await snapshot(weights)), ["fc3.weight", "fc3.bias"]);
  const heads = events.filter((event) => event.kind === "head");
  assert(heads.length >= 4);
  const chosen = heads.find(({ l2 }) => l2 === result.l2)!;
  assert.deepEqual([result.stage, result.loss], ["head", chosen.loss]);
  assert(result.accuracy > 0.6, `${result.accuracy} of pictures of three kinds`);
  // Every picture's features were asked for: as it is, in one varied view, and those to decide by.
  const last = (of: string) => events.findLast((e) => e.kind === "features" && e.of === of);
  for (const [of, total] of [["train", 60], ["views", 120], ["validation", 60]] as const) {
    assert.deepEqual(last(of), { kind: "features", of, done: total, total });
  }
});

onWasm("fine-tuning: features are those that the head of the net is given", async (device) => {
  using weights = pretrained(device);
  using extractor = await FeatureExtractor.create(weights, { preparation, batchSize: 7 });
  const { features, labels } = await extractor.run(data.validation.source(preparation));
  assert.deepEqual([...labels], [...data.validation.labels]);
  const weight = await weights.read(weights.parameters.get("fc3.weight")!);
  const bias = await weights.read(weights.parameters.get("fc3.bias")!);
  let hits = 0;
  labels.forEach((label, i) => {
    const row = features.subarray(i * extractor.length, (i + 1) * extractor.length);
    const logits = [...bias].map((b, c) => row.reduce((s, v, k) => s + v * weight[k * 3 + c], b));
    if (logits.indexOf(Math.max(...logits)) === label) hits++;
  });
  using evaluator = await compileEvaluation(
    device,
    weights,
    classification(weights.model, preparation),
  );
  const { metrics } = await evaluator.run(data.validation.source(preparation));
  assertClose([metrics.top1], [hits / labels.length]);
  const joined = joinFeatures([{ features, labels }, { features, labels }]);
  assert.deepEqual(joined.features.subarray(features.length), features);
});

onWasm(
  "fine-tuning: what is kept is what was scored last as better",
  async (device) => {
    using weights = pretrained(device);
    using evaluator = await compileEvaluation(
      device,
      weights,
      classification(weights.model, preparation),
    );
    const scores: (FineTuneEvent & { readonly kind: "score" })[] = [];
    const tuning = fineTune(weights, data, { preparation, views: 1, minutes: 1, batchSize: 8 });
    for await (const event of tuning) {
      if (event.kind === "score") scores.push(event);
      if (event.kind !== "kept") continue;
      const { accuracy, stage } = scores.findLast(({ isBest }) => isBest)!;
      assert.deepEqual([event.stage, event.accuracy], [stage, accuracy]);
      const { metrics } = await evaluator.run(data.validation.source(preparation));
      assertClose([metrics.top1], [accuracy]);
    }
    assert.deepEqual(scores.map(({ stage }) => stage), ["head", "last", "all"]);
  },
);

onWasm(
  "fine-tuning: a stage moves its own layers, no batch norm, and not what it began with",
  async (device) => {
    const net: Classifier = models["resnet20"].create({ classes: 3 });
    using weights = initialWeights(device, net, 3);
    const before = await snapshot(weights);
    const stage = trainStage(weights, {
      ...{
        stage: "last",
        trains: lastLayers(weights, 0.25),
        preparation,
        epochs: 1,
        batchSize: 20,
      },
      ...{ train: data.train.source(preparation), validation: data.validation.source(preparation) },
      ...{ lr: 1e-3, seed: 1 },
    });
    let next = await stage.next();
    while (!next.done) next = await stage.next();
    assert.deepEqual(await snapshot(weights), before);
    const after = new Map(next.value.saved.map(([path, { bytes }]) => [path, `${bytes}`]));
    const moved = changed(before, after);
    assert(
      moved.length >= 4 && moved.every((path) => /^(layer3.*conv\d\.weight|linear\.)/.test(path)),
      `${moved}`,
    );
    assert(!moved.includes("layer3.0.conv1.weight"), "three quarters of the layers stay");
  },
);

onWasm(
  "fine-tuning: without time the head is fitted, and it says why nothing else is",
  async (device) => {
    using weights = pretrained(device);
    const { events, result } = await run(weights, { minutes: 1e-6 });
    assert.equal(result.stage, "head");
    const decisions = events.flatMap((event) => event.kind === "decision" ? [event.text] : []);
    assert(
      decisions.some((text) =>
        /^the last stages stay as they are: an epoch would take about \d+ s, and 0 s are left$/
          .test(
            text,
          )
      ),
      `${decisions}`,
    );
  },
);

onWasm("fine-tuning: ended early it leaves the best so far", async (device) => {
  using weights = pretrained(device);
  const controller = new AbortController(), { signal } = controller;
  const tuning = fineTune(weights, data, { preparation, views: 1, minutes: 5, signal });
  await assert.rejects(async () => {
    for await (const event of tuning) {
      if (event.kind === "stage") controller.abort(new Error("enough"));
    }
  }, /enough/);
  using evaluator = await compileEvaluation(
    device,
    weights,
    classification(weights.model, preparation),
  );
  const { metrics } = await evaluator.run(data.validation.source(preparation));
  assert(metrics.top1 > 0.6, `${metrics.top1}`);
});

onWasm("fine-tuning: a net whose head is no linear layer is refused", async (device) => {
  using weights = initialWeights<Classifier>(
    device,
    models["squeezenet1_1"].create({ classes: 3 }),
    0,
  );
  const tuning = fineTune(weights, data, { preparation: squares(64, 64) });
  await assert.rejects(
    tuning.next(),
    (error) => error instanceof UsageError && /no linear layer of/.test(error.message),
  );
});

Deno.test("fine-tuning: a difference that chance explains is none", () => {
  const score = (accuracy: number) => ({ accuracy, loss: 1 });
  // Of 15 pictures one hit more is within a deviation of 1.4, of 1,500 a hundred are not.
  assert(!isSurelyBetter(score(13 / 15), score(12 / 15), 15));
  assert(isSurelyBetter(score(1300 / 1500), score(1200 / 1500), 1500));
  assert(!isSurelyBetter(score(0.8), score(0.8), 1e6));
});

Deno.test("fine-tuning: of heads within a standard error that of the strongest penalty counts", () => {
  const head = { weight: new Float32Array(), bias: new Float32Array() };
  const heads = [[3, 0.9], [1, 0.58], [0.3, 0.52], [0.1, 0.5], [0.03, 0.6]].map(([l2, loss]) => ({
    ...{ head, l2, loss, accuracy: 0.5, lossError: 0.09 },
  }));
  assert.equal(chooseHead(heads).l2, 1);
  assert.equal(chooseHead(heads.map((one) => ({ ...one, lossError: 0 }))).l2, 0.1);
});
