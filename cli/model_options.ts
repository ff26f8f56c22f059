/** The options that say which net a command uses, alike in `predict` and `evaluate`. */
import { UsageError } from "../core/errors.ts";
import type { Progress } from "../data/dataset.ts";
import { fileSize, readFile } from "../data/files.ts";
import { publishedWeights } from "../data/published_weights.ts";
import { type Checkpoint, decodeCheckpoint, isOurs, loadModel } from "../models/checkpoint.ts";
import { readStateDict } from "../models/checkpoint/state_dict.ts";
import { headSize } from "../models/head_size.ts";
import { isModelName, type ModelName, models } from "../models/models.ts";
import {
  imagenetLabels,
  imagenetLabelsWithBackground,
  isPretrainedName,
  openPretrained,
} from "../models/pretrained.ts";
import { normalizations, type Preparation } from "../models/preparation.ts";
import { newestBest } from "../train/newest_run.ts";
import type { Context } from "./command.ts";
import { downloadLines } from "./open_dataset.ts";
import {
  choice,
  decimal,
  flag,
  group,
  integer,
  nameOrPath,
  path,
  text,
  type Values,
} from "./options.ts";
import { names } from "./training_options.ts";

const stored = "as the weights say";

/** Nets that have weights without a file: those that ship, and those with an official address. */
export const weightNames: readonly ModelName[] = names(models).filter((name) =>
  isPretrainedName(name) || models[name].published !== undefined
);

/** Which net, and what it is shown. */
export const modelOptions = group("Model", {
  weights: nameOrPath(weightNames, {
    help: "model file, of Fovea or PyTorch, or a net with weights of its own: " +
      weightNames.join(", "),
    unset: "the newest run's best, else tf_efficientnet_lite0",
    valueName: "FILE",
  }),
  weightsDir: path({
    help: "folder for weights that are fetched",
    default: "weights",
    valueName: "DIR",
  }),
  download: flag({ help: "fetch what is missing" }),
  model: choice(names(models), { help: "architecture", unset: stored }),
  labels: path({
    help: "file with the name of a class a line",
    unset: stored,
    valueName: "FILE",
  }),
  size: integer({
    help: "height and width of what the net sees",
    unset: stored,
    min: 1,
    max: 4096,
  }),
  fit: choice(["crop", "stretch", "pad"], {
    help: "how other proportions become a square",
    unset: stored,
  }),
  normalize: text({
    help: "imagenet, cifar10, half, none, or m,m,m/s,s,s: mean and divisor of the channels",
    unset: stored,
    valueName: "NAME",
  }),
});

/** What {@link modelOptions} may need: to fetch weights into their folder. */
export const modelPermissions: readonly string[] = [
  "--allow-write=weights",
  `--allow-net=${publishers().join(",")}`,
];

/** Hosts of published weights. */
function publishers(): string[] {
  const addresses = names(models).flatMap((name) => models[name].published ?? []);
  return [...new Set(addresses.map((address) => new URL(address).host))];
}

/** Values of {@link modelOptions}. */
export type ModelOptionValues = Values<typeof modelOptions>;

/** A net and where it was found. */
export interface FoundModel {
  readonly checkpoint: Checkpoint;
  /** In words, such as `weights of runs/…/best.safetensors`. */
  readonly origin: string;
}

/**
 * The file given; else the newest run's best, where reading `runs` is allowed already (it is not
 * worth a question); else the net that ships as a module. Options override what they say.
 *
 * @param usual names of the classes where neither file nor options have any, if their number fits
 * @throws {UsageError} when an option does not fit the file
 * @throws {CheckpointError} when nothing says what the file is for
 * @throws {DataError} when a file is missing or damaged
 */
export async function findModel(
  options: ModelOptionValues,
  { lines, err }: Pick<Context, "lines" | "err">,
  usual?: readonly string[],
): Promise<FoundModel> {
  const onProgress = downloadLines("the weights", err);
  const labels = options.labels === undefined ? undefined : await readLabels(options.labels);
  const settle = (found: Checkpoint): Checkpoint => settled(found, options, labels);
  const given = options.weights ?? await newestAllowed("runs") ?? "tf_efficientnet_lite0";
  await refuseUnpublished(given);
  if (isPretrainedName(given)) {
    return { checkpoint: settle(await openPretrained(given)), origin: "built-in weights" };
  }
  const name = weightNames.find((name) => name === given);
  const file = name === undefined ? given : await fetched(name, options, onProgress);
  const shown = lines.path(file), bytes = await readFile("read the weights", file);
  const found = read(bytes, shown, { ...options, model: options.model ?? name }, usual);
  return { checkpoint: settle(found), origin: `weights of ${shown}` };
}

/** A net's name in place of a file's, where the net has no weights of its own. */
async function refuseUnpublished(given: string): Promise<void> {
  if (!isModelName(given) || weightNames.includes(given)) return;
  if (await fileSize("read the weights", given) !== undefined) return;
  throw new UsageError(
    `Cannot use ${given}: it is an architecture of which no weights are known here, ` +
      "a file is wanted",
    { hint: `give the file as \`weights\`, and ${given} as \`model\`` },
  );
}

async function fetched(
  name: ModelName,
  { weightsDir, download }: ModelOptionValues,
  onProgress?: (progress: Progress) => void,
): Promise<string> {
  const address = models[name].published!;
  return await publishedWeights({ name, address, folder: weightsDir, download, onProgress });
}

async function newestAllowed(root: string): Promise<string | undefined> {
  const { state } = await Deno.permissions.query({ name: "read", path: root });
  return state === "granted" ? await newestBest(root) : undefined;
}

/** A file of ours says all that is needed; any other one is read for a model of the table. */
function read(
  bytes: Uint8Array,
  file: string,
  { model: name }: ModelOptionValues,
  usual?: readonly string[],
): Checkpoint {
  const dict = readStateDict(bytes, file);
  if (isOurs(dict)) return decodeCheckpoint(bytes, file);
  if (name === undefined) throw unnamed(file);
  const entry = models[name], count = headSize(entry, dict) ?? entry.classes;
  const model = entry.create({ classes: count }), { preparation } = entry;
  const classes = classNames(count, usual);
  return loadModel(bytes, { model, file, classes, preparation, rename: entry.rename?.(model) });
}

function unnamed(file: string): UsageError {
  return new UsageError(
    `Cannot use ${file}: it does not say which architecture it is for, \`model\` is wanted`,
    { hint: `give \`model\`, one of ${Object.keys(models).join(", ")}` },
  );
}

/** What the outputs of a net without names of its own are called. */
function classNames(count: number, usual?: readonly string[]): readonly string[] {
  if (usual?.length === count) return usual;
  return [imagenetLabels, imagenetLabelsWithBackground].find(({ length }) => length === count) ??
    Array.from({ length: count }, (_, k) => `class ${k}`);
}

/** What the options say over what the file says. */
function settled(
  found: Checkpoint,
  options: ModelOptionValues,
  labels: readonly string[] | undefined,
): Checkpoint {
  const { model, file } = found, classes = labels ?? found.classes;
  if (options.model !== undefined && options.model !== model.name) {
    throw new UsageError(
      `Cannot use ${file}: it is a ${model.name}, ${options.model} was asked for`,
    );
  }
  if (classes.length !== model.classes) {
    throw new UsageError(
      `Cannot use ${options.labels} with ${file}: it has ${classes.length} names, ` +
        `${model.classes} are wanted`,
    );
  }
  return { ...found, classes, preparation: preparationOf(found.preparation, options) };
}

function preparationOf(
  base: Preparation,
  { size, fit, normalize }: ModelOptionValues,
): Preparation {
  const side = size === undefined ? {} : { height: size, width: size };
  // A share means another thing to each fit.
  const fitted = fit === undefined || fit === base.fit ? {} : { fit, share: 1 };
  const scaled = normalize === undefined ? {} : normalization(normalize, base.channels);
  return { ...base, ...side, ...fitted, ...scaled };
}

function normalization(given: string, channels: number): Pick<Preparation, "mean" | "std"> {
  const known = Object.entries(normalizations).find(([name]) => name === given)?.[1];
  const lists = given.split("/").map((part) =>
    part.split(",").map((number) => decimal(number.trim()))
  );
  const [mean, std = []] = known ? [known.mean, known.std] : lists;
  const isGood = (known || lists.length === 2) &&
    [mean, std].every((list) => list.length === channels && list.every(Number.isFinite)) &&
    std.every((s) => s > 0);
  if (isGood) return { mean, std };
  const names = channels === 3 ? `${Object.keys(normalizations).join(", ")}, or ` : "";
  const [means, divisors] = channels === 1
    ? ["1 mean", "1 divisor"]
    : [`${channels} means`, `${channels} divisors`];
  throw new UsageError(
    `Cannot normalize by ${given}: ${names}${means}, a slash and ${divisors} above 0 are wanted`,
    {
      hint: `for instance --normalize ${
        channels === 3 ? "0.485,0.456,0.406/0.229,0.224,0.225" : "0.5/0.5"
      }`,
    },
  );
}

async function readLabels(file: string): Promise<readonly string[]> {
  const text = new TextDecoder().decode(await readFile("read the labels", file));
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}
