/** A model file: weights in safetensors, with metadata that `predict` needs and nothing beside. */
import { CheckpointError, DataError } from "../core/errors.ts";
import { type Rename, renamed } from "./checkpoint/matching.ts";
import { serializeSafetensors } from "./checkpoint/safetensors.ts";
import { readStateDict, type StateDict } from "./checkpoint/state_dict.ts";
import { toHalf } from "./checkpoint/stored_tensor.ts";
import type { Model, Net } from "./model.ts";
import { isModelName, models } from "./models.ts";
import { parsePreparation, type Preparation } from "./preparation.ts";
import type { SavedWeights, Weights } from "./weights.ts";

/** How pictures become a model's inputs, and what its outputs are called. */
export interface ModelUsage {
  /** Names of the classes, in the order of the logits. */
  readonly classes: readonly string[];
  /** What is done to a picture before the model sees it. */
  readonly preparation: Preparation;
}

/** A model file, read and checked, not yet on a device. */
export interface Checkpoint extends ModelUsage {
  /** The architecture that the file names, or the one it was read for, without memory. */
  readonly model: Model;
  /** Name of the file, for messages. */
  readonly file: string;
  /** Tensors and metadata, as read; what {@link Weights.load} wants. */
  readonly content: StateDict;
}

/** What {@link decodeCheckpoint} is told beside the file. */
export interface DecodeCheckpointOptions {
  /** The model that the file is for (default: the one in the table that its metadata name). */
  readonly model?: Model;
  /** Names of the classes (default: the file's; else, for a model handed in, `class 0`, …). */
  readonly classes?: readonly string[];
  /** What is done to a picture (default: the file's; else the table's, for a model of its name). */
  readonly preparation?: Preparation;
  /** Names of tensors in the model by their names in the file. */
  readonly rename?: Rename;
}

/** Options of {@link encodeCheckpoint}. */
export interface EncodeCheckpointOptions {
  /** Further metadata, such as the accuracy reached. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Element type in the file (default `F32`); `F16` halves it and rounds to 11 bits. */
  readonly dtype?: "F32" | "F16";
}

const format = "fovea/2";
/** Files of version 0.1: mean, std and sizes each for itself, pictures padded to the model's square. */
const firstFormat = "fovea/1";

/**
 * The bytes of a model file: safetensors with PyTorch's names and order.
 *
 * @throws {CheckpointError} when a weight is too large for the element type, 65,504 at most for F16
 * @throws {DeviceError} when the weights were closed, or the device was lost
 */
export async function encodeCheckpoint(
  weights: Weights,
  usage: ModelUsage,
  options: EncodeCheckpointOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return serializeCheckpoint(weights.model, await weights.save(), usage, options);
}

/**
 * {@link encodeCheckpoint} for weights that were read from their device already.
 *
 * @throws {CheckpointError} when a weight is too large for the element type
 */
export function serializeCheckpoint(
  model: Net,
  weights: SavedWeights,
  { classes, preparation }: ModelUsage,
  { metadata = {}, dtype = "F32" }: EncodeCheckpointOptions = {},
): Uint8Array<ArrayBuffer> {
  const tensors = dtype === "F32"
    ? weights
    : weights.map(([path, tensor]) => [path, toHalf(path, tensor)] as const);
  return serializeSafetensors(tensors, {
    ...metadata,
    format,
    model: model.name,
    classes: JSON.stringify(classes),
    preparation: JSON.stringify(preparation),
  });
}

/**
 * Reads a model file from its bytes: Fovea's own, or, with a model handed in, any file that
 * {@link readStateDict} reads.
 *
 * @param bytes all bytes of the file
 * @param file name for messages
 * @throws {DataError} when it is damaged
 * @throws {CheckpointError} when neither its metadata nor the options say which model it is for,
 *   what its classes are, or how pictures are prepared
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  file: string,
  options: DecodeCheckpointOptions = {},
): Checkpoint {
  const content = renamed(readStateDict(bytes, file), options.rename, file);
  const { model: own } = options, { metadata } = content;
  if (own !== undefined) {
    const entries = new Entries(file, isOurs(content) ? metadata : {});
    return { ...forModel(own, options, entries), file, content };
  }
  // In PyTorch's files metadata are a training script's own, whatever they are called.
  const entry = new Entries(file, content.format === "safetensors" ? metadata : {});
  const name = entry.metadata.model ?? "";
  if (!isModelName(name)) {
    const known = Object.keys(models).join(", ");
    return entry.fail("model", `one of ${known}, or another handed in as { model },`);
  }
  const classes = options.classes ?? entry.classes();
  const { channels } = options.preparation ?? entry.channelsOnly();
  const model = models[name].create({ classes: classes.length, channels });
  const preparation = options.preparation ?? entry.preparation(model);
  return { model, classes, preparation, file, content };
}

/** What {@link loadModel} is told beside the file. */
export interface LoadModelOptions extends DecodeCheckpointOptions {
  /** The model that the file is for. */
  readonly model: Model;
  /** Name of the file, for messages (default `checkpoint`). */
  readonly file?: string;
}

/**
 * A model of your own with a file of any format, as `Predictor.create` and evaluation take it.
 *
 * @param bytes all bytes of the file
 * @throws {DataError} when it is damaged, or no file of tensors
 * @throws {CheckpointError} when the file is for another model, or nothing says how pictures are
 *   prepared
 */
export function loadModel(
  bytes: Uint8Array,
  { file = "checkpoint", ...options }: LoadModelOptions,
): Checkpoint {
  return decodeCheckpoint(bytes, file, options);
}

/** True for a file that this library wrote: other files' metadata may mean anything. */
export function isOurs({ format, metadata }: StateDict): boolean {
  const isFirst = metadata.format === undefined &&
    ["model", "classes", "mean", "std"].every((key) => metadata[key] !== undefined);
  return format === "safetensors" && (isFirst || /^fovea\//.test(metadata.format ?? ""));
}

/** Usage of a model that was handed in: from the options, the file, or the table. */
function forModel(
  model: Model,
  options: DecodeCheckpointOptions,
  entry: Entries,
): ModelUsage & { model: Model } {
  const { metadata } = entry, { name } = model;
  if (metadata.model !== undefined && metadata.model !== name) entry.fail("model", name);
  const classes = options.classes ??
    (metadata.classes === undefined
      ? Array.from({ length: model.classes }, (_, k) => `class ${k}`)
      : entry.classes());
  if (classes.length !== model.classes) {
    throw new CheckpointError(
      `Cannot use ${entry.file}: ${classes.length} classes are named, ${name} tells ` +
        `${model.classes} apart`,
      { key: "classes" },
    );
  }
  const usual = isModelName(name) ? models[name].preparation : undefined;
  const isUsual = usual !== undefined && Object.keys(metadata).length === 0;
  const preparation = options.preparation ?? (isUsual ? usual : entry.preparation(model));
  if (preparation.channels !== model.channels) {
    throw new CheckpointError(
      `Cannot use ${entry.file}: its pictures have ${preparation.channels} channels, ${name} ` +
        `wants ${model.channels}`,
      { key: "preparation" },
    );
  }
  return { model, classes, preparation };
}

/** The metadata of a file, read entry by entry. */
class Entries {
  constructor(readonly file: string, readonly metadata: Readonly<Record<string, string>>) {}

  fail(key: string, wanted: string): never {
    const found = this.metadata[key] === undefined ? "is missing" : `is ${this.metadata[key]}`;
    throw new CheckpointError(
      `Cannot use ${this.file}: its metadata entry "${key}" ${found}, ${wanted} is wanted`,
      { key },
    );
  }

  classes(): readonly string[] {
    const classes = list(this.metadata.classes, (v): v is string => typeof v === "string");
    return classes?.length ? classes : this.fail("classes", "a list of names");
  }

  /** The number of channels, which the model must be made with before the rest can be read. */
  channelsOnly(): { readonly channels: 1 | 3 } {
    if (this.#isFirstFormat()) return { channels: this.#channels() };
    return this.#parsed();
  }

  preparation(model: Model): Preparation {
    return this.#isFirstFormat() ? this.#firstPreparation(model) : this.#parsed();
  }

  #isFirstFormat(): boolean {
    const { format: found = this.metadata.model === undefined ? format : firstFormat } =
      this.metadata;
    if (found !== format && found !== firstFormat) {
      this.fail("format", `${format} or ${firstFormat}`);
    }
    return found === firstFormat && this.metadata.preparation === undefined;
  }

  #parsed(): Preparation {
    const { preparation } = this.metadata;
    if (preparation === undefined) return this.fail("preparation", "how pictures are prepared");
    try {
      return parsePreparation(preparation, `use ${this.file}`);
    } catch (cause) {
      if (!(cause instanceof DataError)) throw cause;
      throw new CheckpointError(cause.message, { key: "preparation", cause });
    }
  }

  #channels(): 1 | 3 {
    const channels = Number(this.metadata.channels);
    return channels === 1 || channels === 3 ? channels : this.fail("channels", "1 or 3");
  }

  #firstPreparation({ inputSize }: Model): Preparation {
    const { metadata } = this, channels = this.#channels();
    const isNumber = (v: unknown): v is number => Number.isFinite(v);
    const mean = list(metadata.mean, isNumber), std = list(metadata.std, isNumber);
    if (mean?.length !== channels) return this.fail("mean", `a list of ${channels} numbers`);
    if (std?.length !== channels || !std.every((s) => s > 0)) {
      return this.fail("std", `a list of ${channels} numbers above 0`);
    }
    const content = Number(metadata.content_size ?? inputSize);
    if (!Number.isInteger(content) || content < 1 || content > inputSize) {
      return this.fail("content_size", `a whole number from 1 to ${inputSize}`);
    }
    return {
      ...{ height: inputSize, width: inputSize, fit: "pad", share: content / inputSize },
      ...{ filter: "bilinear", channels, mean, std },
    };
  }
}

function list<T>(text: string | undefined, is: (v: unknown) => v is T): T[] | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return Array.isArray(value) && value.every(is) ? value : undefined;
  } catch {
    return undefined;
  }
}
