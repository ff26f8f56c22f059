/** A net over labelled pictures: what it gets right and wrong, class by class. */
import { batches, type Source } from "../data/source.ts";
import { type ClassReport, ClassTally, type ClassTallyOptions } from "./class_report.ts";
import type { RunOptions } from "./evaluator.ts";
import type { Predictor } from "./predictor.ts";
import { Turns, unlessAborted } from "./turns.ts";

/** Options of {@link evaluateClasses}. */
export interface ClassEvaluationOptions extends RunOptions, ClassTallyOptions {}

/**
 * Runs over a source of pictures, each once, in its order: places of mistakes are those of the source.
 *
 * @param source fields `pixels` and `labels`, as `Pictures.source` makes them
 * @throws {DataError} when a label is no class, or a picture is damaged
 * @throws {CheckpointError} when an answer is no number, naming what is to blame
 * @throws {UsageError} when the source is empty
 * @throws the signal's reason, within a batch of its abort
 * @example
 * ```ts
 * import { evaluateClasses, openDevice, Predictor } from "../mod.ts";
 * import { openFashionMini } from "../data/datasets.ts";
 * import { initialWeights, models } from "../mod.ts";
 * const { classes, test } = await openFashionMini(), { create, preparation } = models["tutorial-cnn"];
 * using device = await openDevice("wasm");
 * using weights = initialWeights(device, create({ classes: 10 }), 1);
 * using predictor = await Predictor.of(weights, { classes, preparation }, { batchSize: 250 });
 * const { size, accuracy } = await evaluateClasses(predictor, test.source(preparation));
 * console.log(size, accuracy > 0.02); // 2000 true: it has learnt nothing yet
 * ```
 */
export async function evaluateClasses(
  predictor: Predictor,
  source: Source,
  { onProgress, signal, ...options }: ClassEvaluationOptions = {},
): Promise<ClassReport> {
  signal?.throwIfAborted();
  const tally = new ClassTally(predictor.usage.classes, options), turns = new Turns(signal);
  let counted = Promise.resolve();
  for await (
    const { fields } of batches(source, { batchSize: predictor.batchSize, last: "short" })
  ) {
    const { labels } = fields, scores = predictor.logits(fields.pixels as Uint32Array<ArrayBuffer>);
    // What goes wrong is raised where it is waited for, after the batch before.
    scores.catch(() => {});
    await unlessAborted(counted, signal);
    counted = scores.then((logits) => {
      tally.add(logits, labels, "logits");
      onProgress?.(tally.seen);
    });
    counted.catch(() => {});
    await turns.give();
  }
  await unlessAborted(counted, signal);
  return tally.report();
}
