/** Export: a net with its weights as a file for other libraries. */
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../core/errors.ts";
import { fileError, writeWhole } from "../data/files.ts";
import { encodeCheckpoint, type ModelUsage } from "../models/checkpoint.ts";
import { isModelName } from "../models/models.ts";
import { exportOnnx } from "../models/onnx.ts";
import { Weights } from "../models/weights.ts";
import { openDevice } from "../open_device.ts";
import { runFiles } from "../train/run_folder.ts";
import { type Context, defineCommand } from "./command.ts";
import { outputOptions } from "./common_options.ts";
import { formatBytes } from "./format.ts";
import { findModel, modelOptions, modelPermissions } from "./model_options.ts";
import { choice, flag, group, path, type Values } from "./options.ts";
import { askToWrite } from "./permission.ts";
import { jsonLine, printable } from "./printable.ts";

const exportOptions = group("Export", {
  format: choice(["safetensors", "onnx"], {
    help: "safetensors, for PyTorch and Fovea, or onnx, which runs by itself in other runtimes",
    unset: "by the ending of --out, else onnx",
  }),
  out: path({
    help: "file to write; one that is there is replaced",
    unset: "the net's name and format, here",
    short: "o",
    valueName: "FILE",
  }),
  half: flag({ help: "weights in half precision (f16): half the size" }),
  pixels: choice(["unit", "bytes", "normalized"], {
    help: "onnx: what it is fed with, 0 to 1, 0 to 255, or normalized by whoever runs it",
    default: "unit",
  }),
  keepBatchNorm: flag({ help: "onnx: keep batch norms, which else go into the weights" }),
});

type Options = Values<typeof exportOptions>;

type Format = NonNullable<Options["format"]>;

/** The command. */
export const command = defineCommand({
  name: "export",
  summary: "Write a net and its weights for other libraries",
  examples: [
    {
      words: ["-o", { path: "model.onnx" }],
      note: "the newest run's best weights, or ImageNet's thousand classes, as ONNX",
    },
    {
      words: [
        ...[{ path: "resnet20.th" }, "--model", "resnet20", "--half"],
        ...["-o", { path: "resnet20.safetensors" }],
      ],
      note: "a file of PyTorch's as safetensors",
    },
  ],
  permissions: ["--allow-read", "--allow-write"],
  optionalPermissions: modelPermissions,
  positionals: { file: { ...modelOptions.weights, help: "as --weights, or the folder of a run" } },
  options: { ...exportOptions, ...modelOptions, ...outputOptions },
  run: async ({ options, positionals }, { out, err, lines }): Promise<void> => {
    const weights = await weightsFile(positionals.file, options.weights, lines);
    const { checkpoint, origin } = await findModel({ ...options, weights }, { lines, err });
    const { model, content } = checkpoint, format = options.format ?? formatOf(options.out);
    const file = options.out ?? join(lines.folder, `${model.name}.${format}`);
    refuseOverwriting(file, weights, lines);
    await askToWrite(dirname(resolve(file)));
    // Nothing is computed: the CPU is always there, and has the memory.
    using device = await openDevice("wasm");
    using loaded = new Weights(device, model);
    loaded.load(content, {}, checkpoint.file);
    const bytes = await encoded(loaded, checkpoint, { ...options, format });
    await writeWhole("export", file, bytes);
    const shown = options.out === undefined ? lines.short(file) : lines.path(file);
    const size = bytes.length;
    if (options.json) return out.line(jsonLine({ file, format, model: model.name, bytes: size }));
    err.line(err.paint.dim(printable(`${model.name}, ${origin}`)));
    out.line(printable(`${shown}  ${format}, ${formatBytes(size)}`));
    if (format === "onnx") out.line(usageOf(checkpoint, options));
  },
});

/** What a file is by its name; a model file of ours ends in its format's name. */
function formatOf(out = ""): Format {
  return out.endsWith(".safetensors") ? "safetensors" : "onnx";
}

/** The file that is meant: a positional argument or an option, and of a run its best weights. */
async function weightsFile(
  given: string | undefined,
  option: string | undefined,
  lines: Context["lines"],
): Promise<string | undefined> {
  if (given !== undefined && option !== undefined) {
    throw new UsageError(
      `Cannot export ${lines.path(given)} and ${lines.path(option)}: one net at a time is wanted`,
      { hint: "leave out `weights`, or the file before it" },
    );
  }
  const file = given ?? option;
  if (file === undefined || isModelName(file) || !await isFolder(file)) return file;
  return join(file, runFiles.best);
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await Deno.stat(file)).isDirectory;
  } catch (error) {
    // What is missing is told when it is read.
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError("export", file, "read", error);
  }
}

function refuseOverwriting(
  file: string,
  weights: string | undefined,
  lines: Context["lines"],
): void {
  if (weights === undefined || resolve(weights) !== resolve(file)) return;
  throw new UsageError(
    `Cannot export to ${lines.path(file)}: it is the file that is exported, another is wanted`,
    { hint: "name another one by `out`" },
  );
}

function encoded(
  weights: Weights,
  { classes, preparation }: ModelUsage,
  { format, half, pixels, keepBatchNorm }: Options & { readonly format: Format },
): Promise<Uint8Array<ArrayBuffer>> {
  const dtype = half ? "F16" : "F32", usage = { classes, preparation };
  return format === "onnx"
    ? exportOnnx(weights, usage, { dtype, pixels, keepBatchNorm })
    : encodeCheckpoint(weights, usage, { dtype });
}

/** What the input of an ONNX file takes, in a line. */
function usageOf({ preparation, classes }: ModelUsage, { pixels }: Options): string {
  const { height, width, channels } = preparation;
  const kind = channels === 3 ? "RGB" : "grey";
  const range = { unit: "0 to 1", bytes: "0 to 255", normalized: "normalized" }[pixels];
  return `  pixels [batch,${channels},${height},${width}], ${kind}, ${range}\n` +
    `  logits and probabilities [batch,${classes.length}]`;
}
