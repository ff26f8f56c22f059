/** How much of a batch fits into memory at once. */
import type { Device } from "../core/device.ts";
import { DeviceError } from "../core/errors.ts";
import type { Net } from "../models/model.ts";
import type { Weights } from "../models/weights.ts";
import type { Optimizer } from "./optimizer.ts";
import { blockGradients } from "./step_updates.ts";
import { MetricLayout, type Task } from "./task.ts";
import { type StepOptions, traceStep } from "./training_step.ts";

/**
 * Bytes on the device of a step with such micro-batches, weights included and the kernels' scratch
 * memory left out; nothing is allocated.
 */
export function estimateStepBytes(
  device: Device,
  weights: Weights<Net>,
  optimizer: Optimizer,
  task: Task,
  options: StepOptions,
): number {
  const { batchSize, microBatch = batchSize } = options;
  const { traced } = traceStep(weights, task, options);
  const gradients = blockGradients(traced.loss, weights.trainable);
  const metrics = new MetricLayout(traced, microBatch).tensors;
  const bytes = device.estimateBytes({ outputs: [...gradients, ...metrics] });
  const vectors = optimizer.moments + (microBatch < batchSize ? 1 : 0);
  const stores = weights.stores.reduce((sum, store) => sum + store.bytes, 0);
  return bytes + stores + vectors * weights.trainable.bytes;
}

/**
 * The largest micro-batch whose step stays below so many bytes. For nets without batch statistics
 * the step's result is that of the whole batch within rounding.
 *
 * @throws {DeviceError} when not even one example fits
 */
export function chooseMicroBatch(
  device: Device,
  weights: Weights<Net>,
  optimizer: Optimizer,
  task: Task,
  options: StepOptions,
  maxBytes: number,
): number {
  const { batchSize } = options;
  let bytes = 0;
  for (let microBatch = batchSize; microBatch > 0; microBatch--) {
    if (batchSize % microBatch !== 0) continue;
    bytes = estimateStepBytes(device, weights, optimizer, task, { ...options, microBatch });
    if (bytes <= maxBytes) return microBatch;
  }
  const mb = (n: number): string => (n / 1e6).toFixed(1);
  throw new DeviceError(
    `Cannot train ${weights.model.name} within ${mb(maxBytes)} MB: ` +
      `micro-batches of one example take ${mb(bytes)} MB, more memory is wanted`,
  );
}
