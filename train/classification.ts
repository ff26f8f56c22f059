/** Classification of pictures, as a task: labels, cross-entropy, hits. */
import { input } from "../core/structure.ts";
import type { Dataset } from "../data/dataset.ts";
import { holdOut } from "../data/pictures.ts";
import { type Fields, ignoredLabel, type Source } from "../data/source.ts";
import type { Model } from "../models/model.ts";
import type { Pass } from "../models/pass.ts";
import type { Preparation } from "../models/preparation.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { topKHits } from "../ops/label_rank.ts";
import { pixels as unpack } from "../ops/pixels.ts";
import { div, equal, maximum, sub, toFloat } from "../ops/pointwise.ts";
import { sum } from "../ops/reduce.ts";
import { softmax } from "../ops/softmax.ts";
import { checkLabels } from "./labels.ts";
import type { Recipe } from "./recipes.ts";
import type { Sum, Task, Traced } from "./task.ts";

/** Options of {@link classification}. */
export interface ClassificationOptions {
  /** Share of the target that is spread evenly over all classes in training (default 0). */
  readonly labelSmoothing?: number;
}

/**
 * Which class each picture shows. Fields: `pixels` u32 `[n,height,width]`, RGBA8 with red in the low
 * byte, and `labels` i32 `[n]`, classes or {@link ignoredLabel}. Metrics, over the pictures that
 * are not ignored: `loss`, the mean cross-entropy; `top1`, the share of those whose class got the
 * largest logit; in evaluation `top5` too, the share of those whose class is among the five largest.
 * Outputs: `logits` and `probabilities`, `[n,classes]`.
 *
 * @throws {ShapeError} when the preparation does not fit the model
 */
export function classification(
  model: Model,
  preparation: Preparation,
  { labelSmoothing = 0 }: ClassificationOptions = {},
): (pass: Pass) => Required<Traced> {
  const { height, width, channels, mean, std } = preparation;
  const check = (action: string, fields: Fields): void =>
    checkLabels(action, fields.labels, model.classes);
  return (pass) => {
    const { train, batchSize } = pass;
    const pixels = input([batchSize, height, width], "pixels", "u32");
    const labels = input([batchSize], "labels", "i32");
    const logits = model.forward(unpack(pixels, { channels, mean, std }), pass);
    const outputs = { logits, probabilities: softmax(logits) };
    const inputs = { pixels, labels };
    // Labels may be ignored, and an evaluation's last batch be padded: the device counts.
    const count = sum(sub(1, equal(toFloat(labels), ignoredLabel)));
    const smoothing = { labelSmoothing: train ? labelSmoothing : 0 };
    const total = crossEntropy(logits, labels, { ...smoothing, reduction: "sum" });
    const loss = div(total, maximum(count, 1));
    const hits = (k: number): Sum => ({ total: topKHits(logits, labels, k), count });
    const common = { loss: { total, count }, top1: hits(1) };
    const sums = train ? common : { ...common, top5: hits(5) };
    return { inputs, loss, sums, outputs, check };
  };
}

/** What a trainer learns from, and what it is measured by. */
export interface PictureTraining {
  /** {@link classification} by the recipe. */
  readonly task: Task;
  /** Pictures to learn from, augmented. */
  readonly train: Source;
  /** The set's validation pictures, or those the recipe holds out. */
  readonly validation?: Source;
  /** Pictures to measure by at the end, where the set has some. */
  readonly test?: Source;
}

/**
 * The classification of a data set's pictures, for {@link Trainer.create}.
 *
 * @throws {ShapeError} when the recipe's preparation does not fit the model
 * @throws {UsageError} when the recipe's share of validation pictures is out of range
 */
export function pictureTraining(
  model: Model,
  dataset: Dataset,
  recipe: Pick<Recipe, "preparation" | "labelSmoothing" | "augmentation" | "validation" | "seed">,
): PictureTraining {
  const { preparation, augmentation, seed } = recipe;
  const { rest, held } = dataset.validation
    ? { rest: dataset.train, held: dataset.validation }
    : holdOut(dataset.train, recipe.validation);
  return {
    task: classification(model, preparation, recipe),
    train: rest.source(preparation, { augmentation, seed }),
    validation: held?.source(preparation),
    test: dataset.test?.source(preparation),
  };
}
