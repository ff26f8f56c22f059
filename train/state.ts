/** The state of a run beside its weights: moments, steps and position, for resuming bit for bit. */
import { CheckpointError } from "../core/errors.ts";
import type { Elements } from "../core/device.ts";
import { sizeOf } from "../core/shape.ts";
import {
  parseSafetensors,
  serializeSafetensors,
  type StoredTensor,
  toFloat32,
} from "../models/safetensors.ts";
import type { Trainer } from "./trainer.ts";

/** The bytes of a state file. */
export async function encodeState(trainer: Trainer): Promise<Uint8Array<ArrayBuffer>> {
  const tensors: [string, StoredTensor][] = [];
  for (const [k, store] of trainer.step.moments.entries()) {
    for (const [b, block] of store.blocks.entries()) {
      const elements = await store.read(block.whole);
      const bytes = new Uint8Array(elements.buffer);
      tensors.push([`moment${k}.block${b}`, { dtype: "F32", shape: [block.size], bytes }]);
    }
  }
  const { epoch, batch } = trainer.position, { steps, loss, accuracy } = trainer.epochMetrics;
  return serializeSafetensors(tensors, {
    format: "fovea-state/1",
    optimizer: trainer.step.optimizer.name,
    epoch: `${epoch}`,
    batch: `${batch}`,
    epoch_steps: `${steps}`,
    epoch_loss: `${loss}`,
    epoch_accuracy: `${accuracy}`,
  });
}

/**
 * Puts a trainer where a state file says.
 *
 * @throws {CheckpointError} when the state belongs to another optimiser or model
 */
export function restoreState(trainer: Trainer, image: Uint8Array, file: string): void {
  const { tensors, metadata } = parseSafetensors(image, file);
  const { name } = trainer.step.optimizer;
  if (metadata.optimizer !== name) {
    throw new CheckpointError(
      `Cannot resume from ${file}: it is the state of ${metadata.optimizer}, ${name} is wanted`,
      { key: "optimizer" },
    );
  }
  const isCount = (text = ""): boolean => /^\d{1,15}$/.test(text);
  const epoch = Number(metadata.epoch), batch = Number(metadata.batch);
  if (!isCount(metadata.epoch) || !isCount(metadata.batch)) {
    throw new CheckpointError(`Cannot resume from ${file}: it does not say where the run stood`);
  }
  const writes: (() => void)[] = [];
  for (const [k, store] of trainer.step.moments.entries()) {
    for (const [b, block] of store.blocks.entries()) {
      const key = `moment${k}.block${b}`, stored = tensors.get(key);
      if (!stored || sizeOf(stored.shape) !== block.size) {
        throw new CheckpointError(
          `Cannot resume from ${file}: ${key} has ${
            stored ? sizeOf(stored.shape) : "no"
          } elements, ` +
            `${block.size} are wanted`,
          { key },
        );
      }
      const elements: Elements = toFloat32(key, stored);
      writes.push(() => store.write(block.whole, elements));
    }
  }
  // Everything was checked: a state is taken whole or not at all.
  for (const write of writes) write();
  trainer.position = { epoch, batch };
  const { epoch_steps: steps, epoch_loss: loss, epoch_accuracy: accuracy } = metadata;
  const metrics = { steps: Number(steps), loss: Number(loss), accuracy: Number(accuracy) };
  if (Object.values(metrics).every(Number.isFinite)) trainer.epochMetrics = metrics;
}
