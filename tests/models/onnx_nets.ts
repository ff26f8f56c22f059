/** Nets with weights for the tests of ONNX files, and what they compute on pictures. */
import type { Device } from "../../core/device.ts";
import { apply, arg, type Primitive, primitives } from "../../core/expr.ts";
import { applyOne, type MapOp, type Tensor } from "../../core/graph.ts";
import { Random } from "../../core/rng.ts";
import { f32, sizeOf } from "../../core/shape.ts";
import { input, reshape } from "../../core/structure.ts";
import * as layers from "../../models/layers.ts";
import type { Layer } from "../../models/layers.ts";
import type { Classifier, Model } from "../../models/model.ts";
import { type ModelName, models } from "../../models/models.ts";
import { parameter } from "../../models/parameter.ts";
import { Pass } from "../../models/pass.ts";
import type { Preparation } from "../../models/preparation.ts";
import { fill, normal } from "../../models/init.ts";
import { initialWeights, type Weights } from "../../models/weights.ts";
import * as ops from "../../ops/mod.ts";

/** Weights as drawn, with running statistics and norms as no net begins with. */
export function drawnWeights<M extends Model>(device: Device, model: M): Weights<M> {
  const weights = initialWeights(device, model, 3);
  for (const [path, t] of weights.parameters) {
    const random = new Random(4, path);
    const draw = (one: () => number) =>
      weights.write(t, Float32Array.from({ length: sizeOf(t.shape) }, one));
    if (/running_mean$/.test(path)) draw(() => 0.1 * random.normal());
    if (/running_var$/.test(path)) draw(() => 0.5 + random.uniform());
    if (/(bn|norm|downsample)\S*\.bias$/.test(path)) draw(() => 0.1 * random.normal());
  }
  return weights;
}

/** A net of the table for pictures of a size, with its preparation. */
export function tableNet(
  device: Device,
  name: ModelName,
  [height, width]: readonly [number, number],
  classes = 7,
): { readonly weights: Weights<Classifier>; readonly preparation: Preparation } {
  const { create, preparation } = models[name];
  const weights = drawnWeights(device, create({ classes }));
  return { weights, preparation: { ...preparation, height, width } };
}

/** Random pictures from 0 to 1 as ONNX has them, `[n,c,h,w]`. */
export function unitPictures(
  count: number,
  { height, width, channels }: Preparation,
): Float32Array {
  const random = new Random(5, "pictures");
  return Float32Array.from({ length: count * channels * height * width }, () => random.uniform());
}

/** The logits of a net for such pictures, or another part of what it computes. */
export async function logitsOf(
  device: Device,
  weights: Weights,
  preparation: Preparation,
  pictures: Float32Array,
  part: Layer["forward"] = (x, pass) => weights.model.forward(x, pass),
): Promise<Float32Array> {
  const { height, width, channels, mean, std } = preparation, places = height * width;
  const count = pictures.length / (places * channels), pass = { train: false, batchSize: count };
  const pixels = Float32Array.from(pictures, (_, k) => {
    const c = k % channels, place = Math.floor(k / channels) % places;
    const n = Math.floor(k / (channels * places));
    return (pictures[(n * channels + c) * places + place] - mean[c]) / std[c];
  });
  const x = input([count, height, width, channels], "pictures");
  const logits = part(x, new Pass(pass));
  using plan = await device.compile({ outputs: [logits] }, { stores: weights.stores });
  plan.run([[x, pixels]]);
  return await plan.read(logits) as Float32Array;
}

/** A net that meets every row of the exporter's table, and what surrounds them. */
export class EveryOperation implements Model {
  readonly name = "every-operation";
  readonly classes = 5;
  readonly channels = 3;
  readonly inputSize = 12;
  readonly conv1 = new layers.Conv2d(3, 8, 3, { padding: "same", stride: 2, bias: false });
  readonly bn1 = new layers.BatchNorm2d(8, { eps: 1e-3 });
  readonly up = new layers.ConvTranspose2d(8, 6, 3, {
    groups: 2,
    stride: 2,
    padding: 1,
    outputPadding: 1,
  });
  readonly bn2 = new layers.BatchNorm2d(6);
  readonly bn3 = new layers.BatchNorm2d(6);
  readonly thin = new layers.Conv2d(6, 6, [3, 1], {
    padding: [2, 0, 1, 0],
    dilation: [2, 1],
    groups: 3,
  });
  readonly squeeze = new layers.Linear(6, 6);
  readonly group = new layers.GroupNorm(2, 6);
  readonly layer = new layers.LayerNorm(6);
  readonly free = parameter([1, 1, 6, 6], { init: normal(0.5), layout: { kind: "conv" } });
  readonly tied = parameter([4, 6], { init: normal(0.5) });
  readonly scale = parameter([6], { init: fill(0.7) });
  readonly bn4 = new layers.BatchNorm2d(4);
  readonly fc1 = new layers.Linear(3 * 2 * 6, 6, { flattened: [3, 2, 6] });
  readonly bn5 = new layers.BatchNorm2d(6);
  readonly fc2 = new layers.Linear(6 + 6 + 4 + 6 + 36, 5);

  forward(x: Tensor, pass: Pass): Tensor {
    const first = ops.silu(this.bn1.forward(this.conv1.forward(x), pass));
    const up = ops.relu(this.bn2.forward(this.up.forward(first), pass));
    const gated = this.#gated(this.thin.forward(this.bn3.forward(up, pass)));
    const pooled = ops.concat([
      ops.maxPool2d(gated, { size: 3, stride: 2, padding: 1, ceilMode: true }),
      ops.avgPool2d(gated, { size: 3, stride: 2, padding: 1, ceilMode: true, countPadding: false }),
    ], 1);
    const moved = this.#moved(this.#pointwise(this.layer.forward(this.group.forward(pooled))));
    const small = ops.adaptiveAvgPool2d(moved, [3, 2]);
    const flat = ops.relu(layers.flatten(small));
    const hidden = this.bn5.forward(this.fc1.forward(flat), pass);
    const means = ops.mean(moved, { axes: [1, 2] }), peaks = ops.max(moved, { axes: [1, 2] });
    const tied = this.bn4.forward(ops.matmul(peaks, this.tied, { transposeB: true }), pass);
    const sums = ops.sum(small, { axes: [1, 2] });
    const all = ops.concat([hidden, ops.add(means, peaks), ops.tanh(tied), sums, flat], 1);
    return this.fc2.forward(all);
  }

  /** Channels weighed by what the whole picture shows. */
  #gated(x: Tensor): Tensor {
    const weights = ops.sigmoid(this.squeeze.forward(ops.mean(x, { axes: [1, 2] })));
    return ops.mul(x, reshape(weights, [x.shape[0], 1, 1, 6]));
  }

  #pointwise(x: Tensor): Tensor {
    const larger = ops.where(ops.greater(x, 0.1), ops.gelu(x), ops.mul(x, this.scale));
    const bounded = ops.clamp(ops.minimum(ops.exp(larger), ops.add(ops.abs(x), 2)), -1, 4);
    return ops.add(ops.div(bounded, ops.sqrt(ops.add(ops.square(x), 1))), ops.relu6(ops.neg(x)));
  }

  #moved(x: Tensor): Tensor {
    const turned = ops.transpose(ops.conv2d(x, ops.mul(this.free, 2)), [0, 2, 1, 3]);
    const cut = ops.slice(turned, [0, 1, 2, 0], [x.shape[0], 4, 5, 6]);
    const padded = ops.pad(cut, [[0, 0], [1, 0], [0, 2], [0, 0]], 0.5);
    const soft = ops.add(ops.softmax(padded), ops.mul(ops.logSoftmax(padded), 0.1));
    const lines = ops.sum(soft, { axes: [3], keepDims: true });
    return ops.sub(
      ops.concat([soft, ops.sub(soft, ops.expand(lines, soft.shape))], 2),
      ops.adaptiveMaxPool2d(soft, 1),
    );
  }
}

/** Of integers, which no net has, and of gradients. */
const elsewhere: readonly Primitive[] = [primitives.fromI32, primitives.fromU32, primitives.gate];
const written = Object.values(primitives).filter((fn) => !elsewhere.includes(fn));

/** A pointwise operation of a user's own, of numbers above 0. */
function own(fn: Primitive): (x: Tensor) => Tensor {
  const args = [arg(0), apply(primitives.add, arg(0), 0.25), apply(primitives.sub, arg(0), 0.5)];
  const op: MapOp<void> = {
    ...{ kind: "map", name: `own ${fn.name}`, infer: ([x]) => [f32(x.shape)] },
    expr: () => apply(fn, ...args.slice(0, fn.arity)),
  };
  return (x) => applyOne(op, [x], undefined);
}

/** A net whose logits are the means of what each primitive of pointwise operations gives. */
export class EveryPrimitive implements Model {
  readonly name = "every-primitive";
  readonly classes: number = written.length;
  readonly channels = 3;
  readonly inputSize = 8;

  forward(x: Tensor): Tensor {
    const sizes = ops.add(ops.mul(ops.abs(x), 0.6), 0.1);
    return ops.concat(
      written.map((fn) => {
        const means = ops.mean(own(fn)(sizes), { axes: [1, 2, 3] });
        return reshape(means, [x.shape[0], 1]);
      }),
      1,
    );
  }
}
