/** Report data of a real run on fashion-mini: its best weights, asked about real pictures. */
import { Random } from "../../core/rng.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import type { PackedPictures } from "../../data/pictures.ts";
import { decodeCheckpoint } from "../../models/checkpoint.ts";
import type { Preparation } from "../../models/preparation.ts";
import { openDevice } from "../../open_device.ts";
import { contactSheet, mixedLabel } from "../../report/contact_sheet.ts";
import type { PngUrl, ReportData, ReportExplained, ReportPicture } from "../../report/data.ts";
import { pngUrl } from "../../report/png_url.ts";
import { Predictor } from "../../train/predictor.ts";
import { encodePng } from "../../wasm/image.ts";
import { heatOf, overlaid } from "./occlusion.ts";
import { measured } from "./scores.ts";

/** Everything a report can show, of the weights in a file. */
export async function realReport(weights: string, count: number): Promise<ReportData> {
  const { classes, test, train } = await openFashionMini();
  const checkpoint = decodeCheckpoint(await Deno.readFile(weights), weights);
  using device = await openDevice("wasm");
  using predictor = await Predictor.create(device, checkpoint);
  const { preparation } = predictor.usage;
  const ask = async (pixels: Uint32Array<ArrayBuffer>): Promise<number[]> => {
    predictor.plan.run([[predictor.pixels, pixels]]);
    return [...await predictor.plan.read(predictor.probabilities)];
  };
  const all = await pixelsOf(test, preparation, count);
  const probabilities: number[][] = [];
  for (const pixels of all) probabilities.push(await ask(pixels));
  const truths = [...test.labels.subarray(0, count)];
  const picture = (k: number): ReportPicture => ({
    image: imageOf(test, k),
    name: `test/${classes[truths[k]]}/${k}.png`,
    truth: classes[truths[k]],
    guesses: likeliest(probabilities[k], classes),
    loss: -Math.log(probabilities[k][truths[k]]),
  });
  const pictures = Array.from({ length: count }, (_, k) => picture(k));
  const explained: ReportExplained[] = [];
  for (const k of [3, 4, 7, 11]) {
    const heat = await heatOf(all[k], preparation.width, ask);
    explained.push({ ...picture(k), heat: overlaid(all[k], heat, preparation.width) });
  }
  return {
    run: { pictures: { training: 9000, validation: 1000, test: test.size } },
    measured: { part: "test", pictures: count, epoch: 2 },
    ...measured(probabilities, truths, classes),
    predictions: [...new Random(1).permutation(count).subarray(0, 12)].map((k) => pictures[k]),
    mistakes: pictures.toSorted((a, b) => b.loss! - a.loss!).slice(0, 12),
    explained,
    firstBatch: await sheetOf(train, preparation, classes),
    ...toldByTraining,
  };
}

/** What only training knows; here as a fine-tuning would tell it. */
const toldByTraining: ReportData = {
  epochs: [{ epoch: 1, waiting: 0.08 }, { epoch: 2, waiting: 0.01 }],
  stages: [
    {
      ...{ name: "head", firstEpoch: 1, lastEpoch: 1 },
      decisions: [
        {
          decision: "The features stay as they are; only the head learns",
          reason: "a new head would first send noise through weights that are good",
        },
        { decision: "No augmentation but flips", reason: "a frozen net gains nothing from more" },
      ],
    },
    {
      ...{ name: "everything", firstEpoch: 2, lastEpoch: 2 },
      decisions: [
        {
          decision: "All weights learn, at a learning rate of 0.0004",
          reason: "9,000 pictures are enough to move the features, a tenth of the rate keeps them",
        },
      ],
    },
  ],
  notes: ["Shirt: 3 pictures are exact copies of pictures of T-shirt/top"],
  skipped: [
    { name: "train/Bag/0017.jpg", reason: "the data end at byte 4,096 inside a scan" },
    {
      name: "train/Coat/<b>notes</b>.txt",
      reason: "no picture: neither PNG, JPEG, WebP, GIF, BMP",
    },
  ],
};

async function pixelsOf(
  pictures: PackedPictures,
  preparation: Preparation,
  count: number,
): Promise<Uint32Array<ArrayBuffer>[]> {
  const source = pictures.source(preparation), found: Uint32Array<ArrayBuffer>[] = [];
  for (let k = 0; k < count; k++) {
    const { pixels } = await source.batch(Uint32Array.of(k), 0);
    found.push(Uint32Array.from(pixels));
  }
  return found;
}

function imageOf(pictures: PackedPictures, k: number): PngUrl {
  const { width, height } = pictures.packed;
  return pngUrl(encodePng({ width, height, data: pictures.image(k).slice() }));
}

function likeliest(probabilities: readonly number[], classes: readonly string[]) {
  return probabilities.map((probability, k) => ({ label: classes[k], probability }))
    .sort((a, b) => b.probability - a.probability).slice(0, 3);
}

/** Sixteen training pictures, the last of them as MixUp would name it. */
async function sheetOf(
  train: PackedPictures,
  preparation: Preparation,
  classes: readonly string[],
): Promise<PngUrl> {
  const { width, height } = preparation, pixels = await pixelsOf(train, preparation, 16);
  const sheet = contactSheet(
    pixels.map((one, k) => {
      const own = classes[train.labels[k]], partner = classes[train.labels[(k + 15) % 16]];
      const mix = [{ label: own, share: 0.7 }, { label: partner, share: 0.3 }];
      return { pixels: one, label: k < 12 ? own : mixedLabel(mix) };
    }),
    { width, height },
  );
  return pngUrl(encodePng(sheet));
}
