/** A linear head on features: the optimum by its own conditions, whatever the features' scale. */
import assert from "node:assert/strict";
import { Random } from "../../core/rng.ts";
import { fitLinearHead, type LabelledFeatures, measureHead } from "../../train/linear_head.ts";
import { assertClose } from "../assert.ts";
import { openTestDevices } from "../laws/devices.ts";

const devices = await openTestDevices();
const f = 5, classes = 3;

/** Three clouds that overlap, and a feature that never varies. */
function clouds(n: number, seed: number): LabelledFeatures {
  const random = new Random(seed, "clouds");
  const labels = Int32Array.from({ length: n }, (_, k) => k % classes);
  const features = Float32Array.from({ length: n * f }, (_, k) => {
    const column = k % f, label = labels[Math.floor(k / f)];
    return column === f - 1 ? 7 : (column === label ? 1.5 : 0) + random.normal();
  });
  return { features, labels };
}

/** The penalised loss's gradient, in f64, for features of deviation 1. */
function gradientOf(
  { features, labels }: LabelledFeatures,
  weight: Float32Array,
  bias: Float32Array,
  l2: number,
): number[] {
  const n = labels.length, mean = new Array(f).fill(0), deviation = new Array(f).fill(0);
  features.forEach((v, k) => mean[k % f] += v / n);
  features.forEach((v, k) => deviation[k % f] += (v - mean[k % f]) ** 2 / n);
  const scales = deviation.map((v, k) => k === f - 1 ? 1 : Math.sqrt(v));
  const gradient = new Array(f * classes + classes).fill(0);
  for (let i = 0; i < n; i++) {
    const row = features.subarray(i * f, (i + 1) * f);
    const logits = [...bias].map((b, c) =>
      row.reduce((s, v, k) => s + v * weight[k * classes + c], b)
    );
    const top = Math.max(...logits), powers = logits.map((v) => Math.exp(v - top));
    const total = powers.reduce((a, b) => a + b);
    powers.forEach((p, c) => {
      const error = (p / total - (labels[i] === c ? 1 : 0)) / n;
      gradient[f * classes + c] += error;
      row.forEach((v, k) => {
        const scale = scales[k];
        gradient[k * classes + c] += error * (v - mean[k]) / scale;
      });
    });
  }
  for (let k = 0; k < f * classes; k++) {
    const scale = scales[Math.floor(k / classes)];
    gradient[k] += l2 * weight[k] * scale;
  }
  return gradient;
}

devices.test("linear head: where it ends, the penalised loss has no slope", async (device) => {
  const given = clouds(300, 1);
  for (const l2 of [1, 0.01]) {
    const { weight, bias } = await fitLinearHead(device, given, { classes, l2, tolerance: 1e-5 });
    assertClose(gradientOf(given, weight, bias, l2), new Array(f * classes + classes).fill(0), {
      atol: 1e-4,
      what: `gradient at λ = ${l2}`,
    });
    const size = Math.hypot(...weight);
    assert(l2 === 1 ? size < 0.6 : size > 0.8, `${size}`);
  }
});

devices.test("linear head: it tells clouds apart, whatever the features' scale", async (device) => {
  const given = clouds(300, 1), held = clouds(300, 2), options = { classes, l2: 0.01 };
  const head = await fitLinearHead(device, given, options);
  const accuracy = measureHead(head, held).accuracy;
  assert(accuracy > 0.6 && accuracy < 0.95, `${accuracy}`);
  const stretched = ({ features, labels }: LabelledFeatures): LabelledFeatures => ({
    features: features.map((v, k) => v * 10 ** (k % f - 2) + k % f),
    labels,
  });
  const other = await fitLinearHead(device, stretched(given), options);
  assert(Math.abs(measureHead(other, stretched(held)).accuracy - accuracy) < 0.01);
});

Deno.test("linear head: features and labels that do not fit are refused", async () => {
  const [device] = devices.all, options = { classes, l2: 1 };
  const labels = Int32Array.of(0, 1);
  for (const features of [new Float32Array(3), new Float32Array(0)]) {
    await assert.rejects(fitLinearHead(device, { features, labels }, options), {
      name: "ShapeError",
    });
  }
  await assert.rejects(
    fitLinearHead(device, { features: new Float32Array(4), labels: Int32Array.of(0, 3) }, options),
    { message: "Cannot fit a head: the label of example 1 is 3, 0 to 2 are wanted" },
  );
});
