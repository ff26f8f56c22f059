/** Where a net's answers stop being numbers: what to name when they are refused. */
import type { Elements } from "../core/device.ts";
import { CheckpointError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { firstNotFinite } from "../models/finite.ts";
import type { Net } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";

/**
 * The first weight that is no finite number, or else the first step of the forward pass whose
 * result holds a NaN; undefined where there is none.
 *
 * @param output result of the pass, such as the logits
 * @param batches inputs of one pass after the other; those that the result does not need are left
 * out
 * @throws {DeviceError} when memory runs out: every step's result is kept
 */
export async function firstNaN(
  weights: Weights<Net>,
  output: Tensor,
  batches:
    | Iterable<readonly (readonly [Tensor, Elements])[]>
    | AsyncIterable<readonly (readonly [Tensor, Elements])[]>,
): Promise<string | undefined> {
  const bad = firstNotFinite(await weights.save());
  if (bad !== undefined) return `the tensor ${bad}`;
  const { stores, trainable: { device } } = weights;
  using plan = await device.compile({ outputs: [output] }, { stores, debug: true });
  for await (const inputs of batches) {
    plan.run(inputs.filter(([t]) => plan.inputs.includes(t)));
    const step = await plan.firstNaN();
    if (step !== undefined) return `the result of ${step}`;
  }
  return undefined;
}

/**
 * The error for a model file whose answers are no numbers.
 *
 * @param action what cannot be done, such as `predict`
 * @param cause as {@link firstNaN} found it
 */
export function nanError(action: string, file: string, cause?: string): CheckpointError {
  return new CheckpointError(
    `Cannot ${action} with ${file}: ${
      cause ?? "its answer"
    } is NaN or infinite, numbers are wanted`,
  );
}
