/**
 * A model of your own: layers are small objects whose fields are parameters, a model is a layer
 * that says which pictures it wants.
 *
 *     deno run examples/custom_model.ts
 */
import { BatchNorm2d, Conv2d, fill, initialWeights, type Layer, Linear } from "../mod.ts";
import { type Model, openDevice, ops, parameter, type Pass, type Tensor } from "../mod.ts";
import { pictureTraining, recipes, Trainer } from "../mod.ts";
import { openFashionMini } from "../data/datasets.ts";

/** A convolution per channel, then one across channels: Howard et al. 2017, "MobileNets". */
class Separable implements Layer {
  readonly depthwise: Conv2d;
  readonly pointwise: Conv2d;
  readonly norm: BatchNorm2d;

  constructor(from: number, to: number, stride: number) {
    const options = { stride, padding: 1, groups: from, bias: false };
    this.depthwise = new Conv2d(from, from, 3, options);
    this.pointwise = new Conv2d(from, to, 1, { bias: false });
    this.norm = new BatchNorm2d(to);
  }

  forward(x: Tensor, pass: Pass): Tensor {
    return ops.relu(this.norm.forward(this.pointwise.forward(this.depthwise.forward(x)), pass));
  }
}

/** A layer with a parameter of its own: how much each channel counts. */
class ChannelScale implements Layer {
  readonly scale: Tensor;

  constructor(channels: number) {
    this.scale = parameter([channels], { init: fill(1) });
  }

  forward(x: Tensor): Tensor {
    return ops.mul(x, this.scale);
  }
}

/** Fields are the model: their names become the paths of the parameters. */
class SmallNet implements Model {
  readonly name = "small-net";
  readonly inputSize = 28;
  readonly channels = 3;
  readonly stem = new Conv2d(3, 16, 3, { stride: 2, padding: 1 });
  readonly blocks = [new Separable(16, 32, 1), new Separable(32, 64, 2), new Separable(64, 64, 1)];
  readonly scale = new ChannelScale(64);
  readonly head: Linear;

  constructor(readonly classes: number) {
    this.head = new Linear(64, classes);
  }

  forward(x: Tensor, pass: Pass): Tensor {
    let h = ops.relu(this.stem.forward(x));
    for (const block of this.blocks) h = block.forward(h, pass);
    return this.head.forward(this.scale.forward(ops.mean(h, { axes: [1, 2] })));
  }
}

using device = await openDevice();
const dataset = await openFashionMini(), net = new SmallNet(dataset.classes.length);
const { preparation, ...standard } = recipes["fashion-mini"], size = net.inputSize;
// The net wants the pictures as they are: 28 pixels, without a border.
const recipe = {
  ...standard,
  preparation: { ...preparation, height: size, width: size, share: 1 },
  epochs: 2,
};
using weights = initialWeights(device, net, recipe.seed);
for (const [path, { shape }] of weights.parameters) console.log(path.padEnd(26), shape.join("×"));

const training = pictureTraining(net, dataset, recipe);
using trainer = await Trainer.create({ device, weights, recipe, ...training });
for await (const event of trainer.fit()) {
  if (event.kind === "epoch") {
    console.log(`epoch ${event.epoch + 1}: loss ${event.loss.toFixed(3)}`);
  }
}
const { metrics } = await trainer.test();
console.log(`test accuracy ${(100 * metrics.top1).toFixed(1)} %`);
