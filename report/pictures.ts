/** Pictures with what the net says of them. */
import { isPngUrl } from "./check.ts";
import type { PngUrl, ReportData, ReportExplained, ReportPicture } from "./data.ts";
import { formatLoss, formatPercent } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { pngSize } from "./png_url.ts";
import { fileOf, nameOf, scrolling, section } from "./section.ts";

/** Classes shown below a picture. */
const guessesShown = 3;
/** Pictures up to this side are shown as squares of colour, larger ones smoothly. */
const smallSide = 96;

/** Some pictures, drawn at random. */
export function predictions({ predictions: all = [] }: ReportData): Html | undefined {
  if (all.length === 0) return undefined;
  const right = all.filter((one) => isRight(one)).length;
  const judged = all.filter(({ truth }) => truth !== undefined).length;
  const count = judged > 0 ? ` ${right} of these ${judged} are right.` : "";
  return section(
    "predictions",
    "Predictions",
    markup`<p>Pictures drawn at random, with the likeliest classes.${count}</p>${cards(all)}`,
  );
}

/** The pictures with the largest loss. */
export function mistakes({ mistakes: all = [] }: ReportData): Html | undefined {
  if (all.length === 0) return undefined;
  return section(
    "mistakes",
    "Worst mistakes",
    markup`<p>The pictures with the largest loss. Look here for wrong labels, damaged pictures and
classes that cannot be told apart.</p>${cards(all)}`,
  );
}

/** Pictures beside their heat maps. */
export function explained({ explained: all = [] }: ReportData): Html | undefined {
  if (all.length === 0) return undefined;
  const figures = all.map((one) =>
    markup`<li class="card wide"><div class="pair">${picture(one.image, altOf(one))}${
      picture(one.heat, `where the net looked for ${targetOf(one)}`)
    }</div>${captionOf(one, targetOf(one))}</li>`
  );
  return section(
    "grad-cam",
    "Where the net looked",
    markup`<p>Grad-CAM: the warmer a place, the more it speaks for the class. Warm places beside the
object tell that something else than the object is recognised.</p>
<ul class="cards">${figures}</ul>`,
  );
}

/** The first batch, as large as it is. */
export function firstBatch({ firstBatch: image }: ReportData): Html | undefined {
  if (image === undefined || !isPngUrl(image)) return undefined;
  return section(
    "first-batch",
    "First batch",
    markup`<p>The first training pictures as the net saw them, augmented, with their labels.</p>${
      scrolling(
        "The first batch",
        markup`<div class="sheet">${picture(image, "first batch")}</div>`,
      )
    }`,
  );
}

const targetOf = ({ target, guesses }: ReportExplained): string =>
  target ?? guesses[0]?.label ?? "nothing";

function isRight({ truth, guesses }: ReportPicture): boolean | undefined {
  return truth === undefined ? undefined : guesses[0]?.label === truth;
}

function cards(all: readonly ReportPicture[]): Html {
  const items = all.map((one) =>
    markup`<li class="card">${picture(one.image, altOf(one))}${captionOf(one)}</li>`
  );
  return markup`<ul class="cards">${items}</ul>`;
}

const altOf = ({ truth, name }: ReportPicture): string =>
  truth === undefined ? name ?? "picture" : `picture of ${truth}`;

function picture(url: PngUrl, alt: string): Html {
  if (!isPngUrl(url)) return markup`<p>${alt}: not a PNG</p>`;
  const { width, height } = pngSize(url), isSmall = Math.max(width, height) <= smallSide;
  const kind = isSmall ? "small" : "smooth";
  return markup`<img class="${kind}" src="${url}" alt="${alt}" width="${width}" height="${height}">`;
}

function captionOf(one: ReportPicture, target?: string): Html {
  const { truth, guesses, loss, name } = one, right = isRight(one);
  const verdict = right === undefined
    ? undefined
    : markup`<p class="${right ? "right" : "wrong"}">${right ? "✓ right" : "✗ wrong"}${
      right ? undefined : markup`, it is ${nameOf(truth ?? "")}`
    }</p>`;
  const rows = guesses.slice(0, guessesShown).map(({ label, probability }) =>
    markup`<li style="--share:${probability.toFixed(3)}"><span>${nameOf(label)}</span> <span>${
      formatPercent(probability, 0)
    }</span></li>`
  );
  const more = [
    ...(target !== undefined && target !== guesses[0]?.label
      ? [markup`heat map of ${nameOf(target)}`]
      : []),
    ...(loss === undefined ? [] : [markup`loss ${formatLoss(loss)}`]),
    ...(name === undefined ? [] : [markup`<span class="file">${fileOf(name)}</span>`]),
  ];
  return markup`${verdict}<ol class="guesses">${rows}</ol>${
    more.map((text) => markup`<p class="more">${text}</p>`)
  }`;
}
