/** Predict: which class each picture shows. */
import { DataError } from "../core/errors.ts";
import { readFile } from "../data/files.ts";
import { chooseDevice } from "../open_device.ts";
import { type Guess, Predictor } from "../train/predictor.ts";
import { defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { formatPercent } from "./format.ts";
import { findModel, modelOptions, modelPermissions } from "./model_options.ts";
import { group, integer, path, rest } from "./options.ts";
import { jsonLine, printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** Pictures that come with the project. */
const pictures = ["examples/pictures/cat.jpg", "examples/pictures/bag.png"];

/** The command. */
export const command = defineCommand({
  name: "predict",
  summary: "Say what is on pictures",
  examples: [
    {
      words: [{ path: "examples/pictures/cat.jpg" }],
      note: "with the newest run's best weights, or ImageNet's thousand classes",
    },
    {
      words: [
        ...[{ path: "examples/pictures/cat.jpg" }, "--weights", "resnet18", "--download"],
        ...["--weights-dir", { path: "weights" }],
      ],
      more: ["--allow-net=download.pytorch.org", "--allow-write=weights"],
      note: "with torchvision's weights, fetched once",
    },
    {
      words: ["--top", "3", "--json", ...pictures.map((path) => ({ path }))],
      note: "several pictures, as data",
    },
  ],
  permissions: ["--allow-read"],
  optionalPermissions: modelPermissions,
  positionals: {
    images: rest(path({ help: "PNG, JPEG, WebP, GIF or BMP files", valueName: "IMAGE" }), {
      min: 1,
    }),
  },
  options: {
    ...group("Answer", { top: integer({ help: "classes to show", default: 5, min: 1 }) }),
    ...modelOptions,
    device: machineOptions.device,
    ...outputOptions,
  },
  run: async ({ options, positionals }, { out, err, lines }): Promise<ExitCode> => {
    const { checkpoint, origin } = await findModel(options, { lines, err });
    const { device } = await chooseDevice(options.device);
    using _device = device;
    using predictor = await Predictor.create(device, checkpoint);
    if (!options.json) err.line(err.paint.dim(printable(`${checkpoint.model.name}, ${origin}`)));
    let code: ExitCode = exitCodes.done;
    for (const file of positionals.images) {
      const found = await guessesOf(predictor, file, options.top);
      if (found instanceof DataError) {
        code = exitCodes.failed;
        const { message: error } = found;
        err.line(`${err.paint.red("error:")} ${printable(error)}`);
        if (options.json) out.line(jsonLine({ image: file, error, code }));
      } else if (options.json) {
        out.line(jsonLine({ image: file, weights: checkpoint.file, predictions: found }));
      } else show(out, lines.path(file), found);
    }
    return code;
  },
});

/** What is on a picture, or what is wrong with its file: the other pictures are none the worse. */
async function guessesOf(
  predictor: Predictor,
  file: string,
  top: number,
): Promise<Guess[] | DataError> {
  try {
    return await predictor.predict(await readFile("read the picture", file), { file, top });
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
}

/** Columns of the longest bar, and of the longest name. */
const barWidth = 24, nameWidth = 40;

/** A name that stays on its line: ImageNet's can be a hundred letters of synonyms. */
function shortened(name: string): string {
  return name.length <= nameWidth ? name : `${name.slice(0, nameWidth - 1)}…`;
}

function show(out: Terminal, file: string, guesses: readonly Guess[]): void {
  const rows = guesses.map(({ label, probability }) => ({
    name: shortened(printable(label)),
    probability,
  }));
  const width = Math.max(...rows.map(({ name }) => name.length));
  out.line(out.paint.bold(printable(file)));
  for (const { name, probability } of rows) {
    const bar = "█".repeat(Math.round(barWidth * probability));
    const percent = formatPercent(probability).padStart(7);
    const drawn = bar === "" ? "" : `  ${out.paint.cyan(bar)}`;
    out.line(`  ${name.padEnd(width)}  ${percent}${drawn}`);
  }
}
