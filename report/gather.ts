/** Measures a net on labelled pictures, for a report: scores by class, examples, heat maps. */
import { Random } from "../core/rng.ts";
import { encodePng, type Image } from "../data/image.ts";
import type { Pictures } from "../data/pictures.ts";
import { imageOf, prepareImage } from "../data/preparation.ts";
import { evaluateClasses } from "../train/class_evaluation.ts";
import type { ClassReport } from "../train/class_report.ts";
import { GradCam } from "../train/grad_cam.ts";
import { overlayHeat } from "../train/heat_overlay.ts";
import type { Predictor } from "../train/predictor.ts";
import type { PngUrl, ReportData, ReportExplained, ReportPicture } from "./data.ts";
import { pngUrl } from "./png_url.ts";

/** Options of {@link gatherReport}. */
export interface GatherOptions {
  /** What the pictures are, such as `test`. */
  readonly part: string;
  /** What a picture is called (default: its number). */
  readonly nameOf?: (index: number) => string;
  /** Pictures drawn at random to be shown (default 24). */
  readonly shown?: number;
  /** Of the mistakes with the largest confidence, how many are shown (default 12). */
  readonly mistakes?: number;
  /** Pictures with a heat map (default 8): half of them mistakes, where there are as many. */
  readonly explained?: number;
  /** Ends it early, with its reason. */
  readonly signal?: AbortSignal;
}

/** Sections of a report that are measured on pictures. */
export type GatheredReport = Required<
  Pick<
    ReportData,
    | "measured"
    | "confusion"
    | "classes"
    | "calibration"
    | "predictions"
    | "mistakes"
    | "explained"
  >
>;

/** Pixels of the longer side of a picture in a report. */
const shownSide = 128;

/**
 * Measures a net on pictures and picks those worth showing. Which ones is the same every time.
 *
 * @returns the sections of a report, and the whole class report they are from
 * @throws {CheckpointError} when an answer of the net is no number
 * @throws {DataError} when a picture is damaged
 */
export async function gatherReport(
  predictor: Predictor,
  pictures: Pictures,
  options: GatherOptions,
): Promise<{ readonly sections: GatheredReport; readonly scores: ClassReport }> {
  const { part, shown = 24, mistakes = 12, explained = 8, signal } = options;
  const source = pictures.source(predictor.usage.preparation);
  const most = Math.max(mistakes, explained);
  const scores = await evaluateClasses(predictor, source, { mistakes: most, signal });
  const seen = async (index: number): Promise<Uint32Array<ArrayBuffer>> =>
    (await source.batch(Uint32Array.of(index), 0)).pixels as Uint32Array<ArrayBuffer>;
  const picture = async (index: number): Promise<ReportPicture> =>
    await pictureOf(predictor, await seen(index), {
      name: options.nameOf?.(index) ?? `picture ${index}`,
      label: pictures.labels[index],
    });
  const order = new Random(0, "report").permutation(pictures.size);
  const wrong = scores.mistakes.map(({ index }) => index);
  const half = wrong.slice(0, explained >> 1);
  const right = [...order].filter((k) => !wrong.includes(k)).slice(0, explained - half.length);
  const heated: ReportExplained[] = [];
  using cam = await GradCam.of(predictor.weights, predictor.usage.preparation);
  for (const index of [...half, ...right]) {
    signal?.throwIfAborted();
    const pixels = await seen(index), heat = await cam.explain(pixels);
    const image = overlayHeat(imageOf(pixels, predictor.usage.preparation), heat);
    heated.push({ ...await picture(index), heat: thumbnail(image) });
  }
  const each = async (indices: Iterable<number>): Promise<ReportPicture[]> =>
    await Array.fromAsync(indices, picture);
  return {
    scores,
    sections: {
      measured: { part, pictures: scores.size },
      confusion: scores.confusion,
      classes: scores.classes,
      calibration: scores.calibration,
      predictions: await each(order.subarray(0, shown)),
      mistakes: await each(wrong.slice(0, mistakes)),
      explained: heated,
    },
  };
}

/** A picture with what the net says of it. */
async function pictureOf(
  predictor: Predictor,
  pixels: Uint32Array<ArrayBuffer>,
  { name, label }: { readonly name: string; readonly label: number },
): Promise<ReportPicture> {
  const { classes, preparation } = predictor.usage, truth = classes[label];
  const [guesses] = await predictor.predictPrepared(pixels, { top: classes.length });
  const own = guesses.find((guess) => guess.label === truth);
  return {
    image: thumbnail(imageOf(pixels, preparation)),
    ...{ name, guesses: guesses.slice(0, 3) },
    ...(own ? { truth, loss: -Math.log(own.probability) } : {}),
  };
}

/** A picture as a URL, small enough for a page of many. */
export function thumbnail(image: Image): PngUrl {
  const scale = Math.min(1, shownSide / Math.max(image.width, image.height));
  if (scale === 1) return pngUrl(encodePng(image));
  const width = Math.round(image.width * scale), height = Math.round(image.height * scale);
  const small = prepareImage(image, {
    ...{ width, height, fit: "stretch", share: 1, filter: "bilinear", channels: 3 },
    ...{ mean: [0, 0, 0], std: [1, 1, 1] },
  });
  return pngUrl(encodePng({ width, height, data: new Uint8Array(small.buffer) }));
}
