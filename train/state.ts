/**
 * The state of a run: all of one moment in one file. Weights, moments, position, totals, best score
 * and the length of the metrics are written together and renamed together, so what resumes is what
 * some moment of an uninterrupted run was. Every other file of the folder follows from this one.
 */
import { CheckpointError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import {
  parseSafetensors,
  type SafeTensors,
  serializeSafetensors,
} from "../models/checkpoint/safetensors.ts";
import { toFloat32 } from "../models/checkpoint/stored_tensor.ts";
import type { SavedWeights } from "../models/weights.ts";
import type { EpochProgress } from "./epoch_sums.ts";
import type { Trainer } from "./trainer.ts";
import type { StepSums } from "./training_step.ts";

const format = "fovea-state/3";
/** Stands before the names of weights, which are the model's own. */
const weightPrefix = "model/";

/** How good the weights were after an epoch. */
export interface Score {
  /** Number of the epoch, from 0. */
  readonly epoch: number;
  /** On the validation examples, larger is better; without any, every epoch is as good as the last. */
  readonly value?: number;
}

/** What a run knows beside its trainer. */
export interface Standing {
  /** The epoch with the highest score so far. */
  readonly best?: Score;
  /** The epoch that was measured last. */
  readonly last?: Score;
  /** Whether the test examples were measured at the end. */
  readonly tested?: boolean;
  /** Bytes of `metrics.jsonl` that belong to this moment. */
  readonly metricsBytes: number;
}

/**
 * The bytes of a state file.
 *
 * @param weights as `trainer.options.weights.save()` gives them
 */
export async function encodeState(
  trainer: Trainer,
  weights: SavedWeights,
  standing: Standing,
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = weights.map<SavedWeights[number]>(([name, t]) => [weightPrefix + name, t]);
  for (const { key, store, block } of momentBlocks(trainer)) {
    const bytes = new Uint8Array((await store.read(block.whole)).buffer);
    tensors.push([key, { dtype: "F32", shape: [block.size], bytes }]);
  }
  const { epoch, batch } = trainer.position;
  return serializeSafetensors(tensors, {
    format,
    optimizer: trainer.step.optimizer.name,
    epoch: `${epoch}`,
    batch: `${batch}`,
    progress: JSON.stringify(trainer.progress),
    standing: JSON.stringify(standing),
  });
}

/**
 * Puts a trainer, weights included, where a state file says.
 *
 * @throws {CheckpointError} when the state belongs to another optimiser, model or version; nothing
 *   is changed then
 * @throws {DataError} when the file is damaged
 */
export function restoreState(trainer: Trainer, bytes: Uint8Array, file: string): Standing {
  const content = parseSafetensors(bytes, file), { metadata } = content;
  const fail = (fact: string, key?: string): never => {
    throw new CheckpointError(`Cannot resume from ${file}: ${fact}`, { key });
  };
  if (metadata.format !== format) {
    fail(`its format is ${metadata.format ?? "not told"}, ${format} is wanted`, "format");
  }
  const { name } = trainer.step.optimizer;
  if (metadata.optimizer !== name) {
    fail(`it is the state of ${metadata.optimizer}, ${name} is wanted`, "optimizer");
  }
  const isCount = (text = ""): boolean => /^\d{1,15}$/.test(text);
  const progress = asProgress(metadata.progress, trainer.step.valueCount);
  const standing = asStanding(metadata.standing);
  if (!isCount(metadata.epoch) || !isCount(metadata.batch) || !progress || !standing) {
    return fail("it does not say where the run stood");
  }
  const position = { epoch: Number(metadata.epoch), batch: Number(metadata.batch) };
  if (position.batch > trainer.batchesPerEpoch) {
    fail(`batch ${position.batch} is beyond the epoch, which has ${trainer.batchesPerEpoch}`);
  }
  const writes = momentBlocks(trainer).map(({ key, store, block }) => {
    const stored = content.tensors.get(key);
    if (!stored || sizeOf(stored.shape) !== block.size) {
      const found = stored ? sizeOf(stored.shape) : "no";
      return fail(`${key} has ${found} elements, ${block.size} are wanted`, key);
    }
    const elements = toFloat32(key, stored);
    return (): void => store.write(block.whole, elements);
  });
  // Everything else was checked: a state is taken whole or not at all.
  trainer.options.weights.load(weightsOf(content), {}, file);
  for (const write of writes) write();
  trainer.position = position;
  trainer.progress = progress;
  return standing;
}

function momentBlocks({ step: { moments } }: Trainer) {
  return moments.flatMap((store, k) =>
    store.blocks.map((block, b) => ({ key: `moment${k}.block${b}`, store, block }))
  );
}

function weightsOf({ tensors, metadata }: SafeTensors): SafeTensors {
  const own = [...tensors].filter(([name]) => name.startsWith(weightPrefix));
  return {
    tensors: new Map(own.map(([name, t]) => [name.slice(weightPrefix.length), t])),
    metadata,
  };
}

/** @param count how many numbers the sums of a step have */
function asProgress(text: string | undefined, count: number): EpochProgress | undefined {
  const value = parsed(text) as Partial<EpochProgress> | undefined;
  const sums = [value?.folded, value?.held, value?.logged];
  const isSums = (s?: StepSums): boolean =>
    isNumber(s?.steps) && Array.isArray(s?.values) && s.values.every(isNumber) &&
    [0, count].includes(s.values.length);
  const isGood = sums.every(isSums) && isNumber(value?.seconds);
  return isGood ? value as EpochProgress : undefined;
}

function asStanding(text: string | undefined): Standing | undefined {
  const value = parsed(text) as Partial<Standing> | undefined;
  const isScore = (s?: Score): boolean =>
    s === undefined || (isNumber(s.epoch) && (s.value === undefined || isNumber(s.value)));
  const isGood = isScore(value?.best) && isScore(value?.last) && isNumber(value?.metricsBytes) &&
    [undefined, true, false].includes(value?.tested);
  return isGood ? value as Standing : undefined;
}

/** An object, or undefined for any other text. */
function parsed(text = ""): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const isNumber = (value: unknown): boolean => Number.isFinite(value);
