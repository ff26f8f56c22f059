/**
 * A linear classifier on features that stay: softmax regression with an L2 penalty, solved to its
 * optimum. What a frozen net sees is computed once a picture; this is all that is left to learn.
 */
import type { Device } from "../core/device.ts";
import { ShapeError, UsageError } from "../core/errors.ts";
import { grad } from "../core/grad.ts";
import { input, tensor } from "../core/structure.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { matmul } from "../ops/matmul.ts";
import { add } from "../ops/pointwise.ts";
import { minimize, type MinimizeOptions, type Slope } from "./lbfgs.ts";

/** Features with their classes. */
export interface LabelledFeatures {
  /** `[n,f]`, a row an example. */
  readonly features: Float32Array;
  /** `[n]`, classes from 0. */
  readonly labels: Int32Array;
}

/** A fitted head: logits are `features · weight + bias`. */
export interface LinearHead {
  /** `[f,classes]`. */
  readonly weight: Float32Array<ArrayBuffer>;
  /** `[classes]`. */
  readonly bias: Float32Array<ArrayBuffer>;
}

/** Options of {@link fitLinearHead}. */
export interface LinearHeadOptions extends MinimizeOptions {
  /** Number of classes. */
  readonly classes: number;
  /** λ: the penalty on the weights is `λ/2 · Σ w²`, on features of deviation 1. */
  readonly l2: number;
}

/** Mean and divisor of each feature. */
interface Scaling {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** A feature that varies by no more than f32 rounds says nothing: it is divided by 1. */
function scalingOf(features: Float32Array, n: number, f: number): Scaling {
  const mean = new Float64Array(f), square = new Float64Array(f);
  for (let k = 0; k < features.length; k++) mean[k % f] += features[k] / n;
  for (let k = 0; k < features.length; k++) square[k % f] += (features[k] - mean[k % f]) ** 2 / n;
  const isFlat = (v: number, k: number): boolean => Math.sqrt(v) <= 1e-6 * Math.abs(mean[k]);
  return { mean, deviation: square.map((v, k) => isFlat(v, k) ? 1 : Math.sqrt(v)) };
}

function checkFeatures({ features, labels }: LabelledFeatures, classes: number): number {
  const n = labels.length, f = features.length / n;
  if (n === 0 || !Number.isInteger(f) || f === 0) {
    throw new ShapeError(
      `Cannot fit a head: ${features.length} features for ${n} labels, a row each is wanted`,
    );
  }
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  if (wrong < 0) return f;
  throw new UsageError(
    `Cannot fit a head: the label of example ${wrong} is ${labels[wrong]}, ` +
      `0 to ${classes - 1} are wanted`,
  );
}

/**
 * Fits weights and biases to features: the least of
 * `mean(−log softmax(x·W + b)_y) + λ/2 · Σ W²`, where x are the features less their mean over their
 * deviation. Gradients come from the device, in f32; the search itself is in f64.
 *
 * @returns weight and bias for the features as they were given
 * @throws {ShapeError} when the features do not come in rows
 * @throws {UsageError} when a label is no class
 * @throws {DeviceError} when memory runs out
 */
export async function fitLinearHead(
  device: Device,
  given: LabelledFeatures,
  { classes, l2, ...options }: LinearHeadOptions,
): Promise<LinearHead> {
  const f = checkFeatures(given, classes), n = given.labels.length;
  const { mean, deviation } = scalingOf(given.features, n, f);
  const scaled = Float32Array.from(
    given.features,
    (v, k) => (v - mean[k % f]) / deviation[k % f],
  );
  const x = tensor(scaled, [n, f]), y = tensor(Int32Array.from(given.labels), [n]);
  const w = input([f, classes], "weight"), b = input([classes], "bias");
  const loss = crossEntropy(add(matmul(x, w), b), y), [dw, db] = grad(loss, [w, b]);
  using plan = await device.compile({ outputs: [loss, dw, db] });
  const size = f * classes;
  const slope = async (at: Float64Array): Promise<Slope> => {
    plan.run([[w, Float32Array.from(at.subarray(0, size))], [
      b,
      Float32Array.from(at.subarray(size)),
    ]]);
    const [[value], weights, biases] = await Promise.all([loss, dw, db].map((t) => plan.read(t)));
    const gradient = Float64Array.from([...weights, ...biases]);
    let penalty = 0;
    for (let k = 0; k < size; k++) {
      gradient[k] += l2 * at[k];
      penalty += l2 / 2 * at[k] ** 2;
    }
    return { value: value + penalty, gradient };
  };
  const { x: found } = await minimize(slope, new Float64Array(size + classes), options);
  // (x − mean)/deviation · W + b, written for x itself.
  const weight = Float32Array.from(
    { length: size },
    (_, k) => found[k] / deviation[Math.floor(k / classes)],
  );
  const bias = Float32Array.from({ length: classes }, (_, c) => {
    let shift = 0;
    for (let k = 0; k < f; k++) shift += mean[k] * weight[k * classes + c];
    return found[size + c] - shift;
  });
  return { weight, bias };
}

/** How well a head tells examples apart. */
export interface HeadScore {
  /** Share of examples whose class gets the largest logit. */
  readonly accuracy: number;
  /** Mean cross-entropy, `−log softmax(x·W + b)_y`. */
  readonly loss: number;
}

/** A score and how far it can be trusted. */
export interface MeasuredHead extends HeadScore {
  /** Standard error of the mean loss, `s/√n`, s the deviation of the examples' losses. */
  readonly lossError: number;
}

/** A head on examples, reckoned in f64. */
export function measureHead({ weight, bias }: LinearHead, given: LabelledFeatures): MeasuredHead {
  const classes = bias.length, f = weight.length / classes, n = given.labels.length;
  let hits = 0, sum = 0, squares = 0;
  for (let i = 0; i < n; i++) {
    const logits = Float64Array.from(bias), label = given.labels[i];
    for (let k = 0; k < f; k++) {
      const v = given.features[i * f + k];
      for (let c = 0; c < classes; c++) logits[c] += v * weight[k * classes + c];
    }
    const top = Math.max(...logits);
    if (logits.indexOf(top) === label) hits++;
    const loss = Math.log(logits.reduce((s, z) => s + Math.exp(z - top), 0)) + top - logits[label];
    sum += loss;
    squares += loss ** 2;
  }
  const loss = sum / n, variance = Math.max(0, squares / n - loss ** 2);
  return { accuracy: hits / n, loss, lossError: Math.sqrt(variance / n) };
}
