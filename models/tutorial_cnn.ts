/** The small convolutional net of PyTorch's tutorial "Training a classifier", after LeNet-5. */
import { ShapeError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { maxPool2d } from "../ops/pool.ts";
import { relu } from "../ops/pointwise.ts";
import { Conv2d, flatten, Linear } from "./layers.ts";
import type { Classifier, ModelEntry, ModelOptions } from "./model.ts";

/**
 * conv 5×5 → 6, ReLU, max pool 2, conv 5×5 → 16, ReLU, max pool 2, linear 120, 84, classes.
 * 62,006 parameters and 0.65 million multiply-adds a picture for 32×32×3 and ten classes.
 *
 * @source LeCun et al. 1998, §2; pytorch.org, "Training a classifier"
 */
export class TutorialCnn implements Classifier {
  /** As in the table of models. */
  readonly name = "tutorial-cnn";
  /** Side of the pictures in pixels. */
  readonly inputSize = 32;
  /** Number of logits. */
  classes: number;
  /** Channels of the pictures. */
  readonly channels: number;
  /** 5×5, channels → 6; 32×32 → 28×28 pixels, 14×14 behind the pool. */
  readonly conv1: Conv2d;
  /** 5×5, 6 → 16; 14×14 → 10×10 pixels, 5×5 behind the pool. */
  readonly conv2: Conv2d;
  /** 400 → 120, over the flattened 5×5×16. */
  readonly fc1: Linear;
  /** 120 → 84. */
  readonly fc2: Linear;
  /** 84 → classes. */
  fc3: Linear;

  /**
   * Makes the layers.
   *
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  constructor({ classes, channels = 3 }: ModelOptions) {
    this.classes = classes;
    this.channels = channels;
    this.conv1 = new Conv2d(channels, 6, 5);
    this.conv2 = new Conv2d(6, 16, 5);
    this.fc1 = new Linear(16 * 5 * 5, 120, { flattened: [5, 5, 16] });
    this.fc2 = new Linear(120, 84);
    this.fc3 = new Linear(84, classes);
  }

  /**
   * Pictures `[n,32,32,channels]`, normalised → features `[n,84]`. ReLU stands behind the pool:
   * the largest value is the same either way, and a quarter of the values is left for it.
   *
   * @throws {ShapeError} when the pictures have other channels or another size
   */
  features(x: Tensor): Tensor {
    const [, height, width] = x.shape;
    if (height !== 32 || width !== 32) {
      throw new ShapeError(
        `Cannot use tutorial-cnn: the pictures have ${height}×${width} pixels, 32×32 are wanted`,
      );
    }
    const first = relu(maxPool2d(this.conv1.forward(x), { size: 2 }));
    const second = relu(maxPool2d(this.conv2.forward(first), { size: 2 }));
    const hidden = relu(this.fc1.forward(flatten(second)));
    return relu(this.fc2.forward(hidden));
  }

  /** Features `[n,84]` → logits `[n,classes]`. */
  head(features: Tensor): Tensor {
    return this.fc3.forward(features);
  }

  /** A new {@link fc3}. */
  resetHead(classes: number): void {
    this.fc3 = new Linear(84, classes);
    this.classes = classes;
  }

  /** Pictures `[n,32,32,channels]`, normalised → logits `[n,classes]`. */
  forward(x: Tensor): Tensor {
    return this.head(this.features(x));
  }
}

/** The table's entry. */
export const tutorialCnn: ModelEntry = {
  summary: "small CNN of the PyTorch tutorial, 62 thousand parameters, 32×32 pictures",
  preparation: {
    ...{ height: 32, width: 32, fit: "pad", share: 1, filter: "bilinear" },
    ...{ channels: 3, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  },
  classes: 10,
  create: (options) => new TutorialCnn(options),
};
