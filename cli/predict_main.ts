/** Predict: which class each picture shows. */
import { readFile } from "../data/files.ts";
import { decodeImage } from "../data/image.ts";
import { chooseDevice } from "../open_device.ts";
import { type Guess, Predictor } from "../train/predictor.ts";
import { defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { formatPercent } from "./format.ts";
import { group, integer, path, rest } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { findWeights } from "./weights_file.ts";
import { weightsOption } from "./weights_option.ts";

/** The command. */
export const command = defineCommand({
  name: "predict",
  summary: "Say what is on pictures",
  examples: [
    { line: "deno run cli/predict.ts img.png", note: "with the newest run's weights, or built-in" },
    {
      line: "deno task predict --weights runs/…/best.safetensors *.jpg",
      note: "with weights given",
    },
  ],
  usage: "deno task predict",
  permissions: ["--allow-read"],
  positionals: {
    images: rest(path({ help: "PNG or JPEG files", valueName: "IMAGE" }), { min: 1 }),
  },
  options: {
    ...group("Model", {
      weights: weightsOption,
      top: integer({ help: "classes to show", default: 5, min: 1 }),
    }),
    device: machineOptions.device,
    ...outputOptions,
  },
  run: async ({ options, positionals }, { out, err }): Promise<void> => {
    const { checkpoint, origin } = await findWeights(options.weights);
    const { device } = await chooseDevice(options.device);
    using _device = device;
    using predictor = await Predictor.create(device, checkpoint);
    if (!options.json) err.line(err.paint.dim(`${checkpoint.model.name}, ${origin}`));
    for (const file of positionals.images) {
      const image = decodeImage(await readFile("read the picture", file), { file });
      const predictions = await predictor.predict(image, options.top);
      if (options.json) {
        out.line(JSON.stringify({ image: file, weights: checkpoint.file, predictions }));
      } else show(out, file, predictions);
    }
  },
});

/** Columns of the longest bar. */
const barWidth = 24;

function show(out: Terminal, file: string, guesses: readonly Guess[]): void {
  const width = Math.max(...guesses.map((g) => g.label.length));
  out.line(out.paint.bold(file));
  for (const { label, probability } of guesses) {
    const bar = "█".repeat(Math.round(barWidth * probability));
    const percent = formatPercent(probability).padStart(7);
    out.line(`  ${label.padEnd(width)}  ${percent}  ${out.paint.cyan(bar)}`.trimEnd());
  }
}
