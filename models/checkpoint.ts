/** A model file: weights in safetensors, with metadata that `predict` needs and nothing beside. */
import { CheckpointError } from "../core/errors.ts";
import type { Model } from "./model.ts";
import { isModelName, models } from "./models.ts";
import type { Preparation } from "./preparation.ts";
import { parseSafetensors, type SafeTensors, serializeSafetensors } from "./safetensors.ts";
import type { SavedWeights, Weights } from "./weights.ts";

/** How pictures become inputs, and what the outputs are called. */
export interface Preprocessing {
  /** Names of the classes, in the order of the logits. */
  readonly classes: readonly string[];
  /** Mean of each channel on the scale 0–1, subtracted first. */
  readonly mean: readonly number[];
  /** Divisor of each channel on the scale 0–1, not 0. */
  readonly std: readonly number[];
  /**
   * Side of the picture inside the model's square, in pixels; black around it (default: all of the
   * square). Data sets of small pictures are padded in training, so `predict` pads too.
   */
  readonly contentSize?: number;
}

/** A model file, read and checked, not yet on a device. */
export interface Checkpoint {
  readonly classes: readonly string[];
  readonly preparation: Preparation;
  /** The architecture that the file names, without memory. */
  readonly model: Model;
  /** Name of the file, for messages. */
  readonly file: string;
  /** Tensors and metadata, as read; what {@link Weights.load} wants. */
  readonly content: SafeTensors;
}

const format = "fovea/1";

/**
 * The bytes of a model file: safetensors with PyTorch's names and order.
 *
 * @param extra further metadata, such as the accuracy reached
 * @throws {DeviceError} when the weights were closed, or the device was lost
 */
export async function encodeCheckpoint(
  weights: Weights,
  preprocessing: { classes: readonly string[]; preparation: Preparation },
  extra: Readonly<Record<string, string>> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return serializeCheckpoint(weights.model, await weights.save(), preprocessing, extra);
}

/** {@link encodeCheckpoint} for weights that were read from their device already. */
export function serializeCheckpoint(
  model: Model,
  weights: SavedWeights,
  given: { classes: readonly string[]; preparation: Preparation },
  extra: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const { mean, std, width, share } = given.preparation;
  const preprocessing = { classes: given.classes, mean, std, contentSize: width * share };
  return serializeSafetensors(weights, {
    ...extra,
    format,
    model: model.name,
    input_size: `${model.inputSize}`,
    channels: `${model.channels}`,
    classes: JSON.stringify(preprocessing.classes),
    mean: JSON.stringify(preprocessing.mean),
    std: JSON.stringify(preprocessing.std),
    content_size: `${preprocessing.contentSize ?? model.inputSize}`,
  });
}

/**
 * Reads a model file from its bytes.
 *
 * @param image all bytes of the file
 * @param file name for messages
 * @throws {DataError} when it is damaged
 * @throws {CheckpointError} when its metadata do not say which model it is for
 */
export function decodeCheckpoint(image: Uint8Array, file: string): Checkpoint {
  const content = parseSafetensors(image, file), { metadata } = content;
  const fail = (key: string, wanted: string): never => {
    const found = metadata[key] === undefined ? "is missing" : `is ${metadata[key]}`;
    throw new CheckpointError(
      `Cannot use ${file}: its metadata entry "${key}" ${found}, ${wanted} is wanted`,
      { key },
    );
  };
  const name = metadata.model ?? "";
  if (!isModelName(name)) return fail("model", `one of ${Object.keys(models).join(", ")}`);
  if ((metadata.format ?? format) !== format) return fail("format", format);
  const classes = list(metadata.classes, (v): v is string => typeof v === "string");
  const isNumber = (v: unknown): v is number => Number.isFinite(v);
  const mean = list(metadata.mean, isNumber), std = list(metadata.std, isNumber);
  const channels = Number(metadata.channels);
  if (!classes?.length) return fail("classes", "a list of names");
  if (channels !== 1 && channels !== 3) return fail("channels", "1 or 3");
  if (mean?.length !== channels) return fail("mean", `a list of ${channels} numbers`);
  if (std?.length !== channels || !std.every((s) => s > 0)) {
    return fail("std", `a list of ${channels} numbers above 0`);
  }
  const model = models[name].create({ classes: classes.length, channels });
  const contentSize = Number(metadata.content_size ?? model.inputSize);
  if (!Number.isInteger(contentSize) || contentSize < 1 || contentSize > model.inputSize) {
    return fail("content_size", `a whole number from 1 to ${model.inputSize}`);
  }
  const preparation: Preparation = {
    ...{
      height: model.inputSize,
      width: model.inputSize,
      fit: "pad",
      share: contentSize / model.inputSize,
    },
    ...{ filter: "bilinear", channels, mean, std },
  };
  return { model, classes, preparation, file, content };
}

function list<T>(text: string | undefined, is: (v: unknown) => v is T): T[] | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return Array.isArray(value) && value.every(is) ? value : undefined;
  } catch {
    return undefined;
  }
}
