/** Predict: which class each picture shows. */
import { UsageError } from "../core/errors.ts";
import type { Prepared } from "../data/loader.ts";
import { pictureCall } from "../data/preparation.ts";
import { chooseDevice } from "../open_device.ts";
import { Predictor } from "../train/predictor.ts";
import { defineCommand } from "./command.ts";
import { machineOptions, outputOptions } from "./common_options.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { Explanations } from "./explanations.ts";
import { loaderFor, manyPictures } from "./loader_threads.ts";
import { findModel, modelOptions, modelPermissions } from "./model_options.ts";
import { namedPictures } from "./named_pictures.ts";
import { flag, group, integer, path, rest } from "./options.ts";
import { PredictionOutput } from "./prediction_output.ts";
import { printable } from "./printable.ts";
import { Progress } from "./progress.ts";

/** Pictures that come with the project. */
const pictures = ["examples/pictures/cat.jpg", "examples/pictures/bag.png"];

/** The most pictures a pass of the net. */
const batchSize = 32;

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
      words: ["--top", "3", "--csv", { path: "examples/pictures" }],
      note: "all pictures of a folder, for a spreadsheet",
    },
    {
      words: ["--explain", { path: "explained" }, ...pictures.map((path) => ({ path }))],
      more: ["--allow-write=explained"],
      note: "where the net looked, as pictures in a folder",
    },
  ],
  permissions: ["--allow-read"],
  optionalPermissions: [...modelPermissions, "--allow-write=explained"],
  positionals: {
    images: rest(
      path({ help: "PNG, JPEG, WebP, GIF or BMP files, or folders of them", valueName: "IMAGE" }),
      { min: 1 },
    ),
  },
  options: {
    ...group("Answer", {
      top: integer({ help: "classes to show", default: 5, min: 1 }),
      csv: flag({ help: "print path,rank,class,probability: a row a class" }),
      explain: path({
        help: "PNG to draw into where the net looked for its first answer; a folder for several",
      }),
      picture: flag({
        help: "draw what the net sees",
        unset: "of up to 3 pictures, on a terminal with colours",
      }),
    }),
    ...modelOptions,
    device: machineOptions.device,
    ...outputOptions,
  },
  run: async ({ options, positionals }, { out, err, lines }): Promise<ExitCode> => {
    if (options.csv && options.json) {
      throw new UsageError("Cannot predict: `csv` and `json` are both given, one is wanted");
    }
    const { paths, flaws, ignored } = await namedPictures(positionals.images);
    const { checkpoint, origin } = await findModel(options, { lines, err });
    const { device } = await chooseDevice(options.device);
    using _device = device;
    using predictor = await Predictor.create(device, checkpoint, {
      batchSize: Math.min(batchSize, Math.max(1, paths.length)),
    });
    using explanations = options.explain === undefined
      ? undefined
      : await Explanations.open(predictor, { target: options.explain, pictures: paths });
    if (!options.json) err.line(err.paint.dim(printable(`${checkpoint.model.name}, ${origin}`)));
    using progress = new Progress({ terminal: err, label: "predict" });
    const isDrawn = (options.picture ?? paths.length <= 3) && out.isColoured;
    const output = new PredictionOutput({
      ...{ out, err, lines, weights: checkpoint.file, isDrawn },
      ...{ isCsv: options.csv, isJson: options.json },
    });
    output.begin();
    let done = 0;
    for await (const { files, prepared } of preparedBatches(paths, predictor)) {
      const good = prepared.flatMap((one) => "pixels" in one ? [one.pixels] : []);
      const guesses = await predictor.predictPrepared(joined(good), { top: options.top });
      for (const [k, file] of files.entries()) {
        const one = prepared[k];
        if ("flaw" in one) {
          progress.above(() => output.refuse(file, one.flaw));
          continue;
        }
        const { pixels } = one, found = guesses.shift()!;
        const drawn = await explanations?.write(file, pixels);
        const seen = { pixels, size: checkpoint.preparation, drawn };
        progress.above(() => output.show(file, found, seen));
      }
      done += files.length;
      if (paths.length >= manyPictures) progress.update({ done, total: paths.length });
    }
    progress.clear();
    for (const { name, reason } of flaws) output.refuse(name, reason);
    output.end(paths.length + flaws.length, ignored);
    return output.refused > 0 ? exitCodes.failed : exitCodes.done;
  },
});

/** Reads and prepares batches of pictures; the next one while the last is predicted. */
async function* preparedBatches(paths: readonly string[], { usage, batchSize }: Predictor) {
  const call = pictureCall(usage.preparation);
  using loader = loaderFor(paths.length);
  const ask = (from: number): Promise<Prepared[]> => {
    const result = loader.prepare(
      paths.slice(from, from + batchSize).map((path) => ({ path, call })),
    );
    // Raised where it is waited for; nobody waits for it where the loop is left before.
    result.catch(() => {});
    return result;
  };
  let next = ask(0);
  for (let from = 0; from < paths.length; from += batchSize) {
    const prepared = await next, files = paths.slice(from, from + batchSize);
    next = ask(from + batchSize);
    yield { files, prepared };
  }
}

/** Pictures one after another. */
function joined(pictures: readonly Uint32Array<ArrayBuffer>[]): Uint32Array<ArrayBuffer> {
  if (pictures.length === 1) return pictures[0];
  const area = pictures[0]?.length ?? 0, all = new Uint32Array(area * pictures.length);
  pictures.forEach((pixels, k) => all.set(pixels, k * area));
  return all;
}
