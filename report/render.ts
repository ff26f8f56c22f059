/** The page: one file without scripts, which a browser shows without asking the network. */
import { calibration } from "./calibration.ts";
import { classTable } from "./class_table.ts";
import { confusion } from "./confusion.ts";
import { curves } from "./curves.ts";
import type { ReportData } from "./data.ts";
import { Html, markup } from "./html.ts";
import { settings, skipped, stages } from "./lists.ts";
import { explained, firstBatch, mistakes, predictions } from "./pictures.ts";
import { style } from "./style.ts";
import { summary, titleOf, unnamed } from "./summary.ts";

/** Sections in the order of the page, with their names in the table of contents. */
const sections = [
  ["curves", "Curves", curves],
  ["stages", "Decisions", stages],
  ["confusion", "Confusion matrix", confusion],
  ["classes", "Classes", classTable],
  ["calibration", "Calibration", calibration],
  ["mistakes", "Worst mistakes", mistakes],
  ["predictions", "Predictions", predictions],
  ["grad-cam", "Where the net looked", explained],
  ["first-batch", "First batch", firstBatch],
  ["data", "Notes on the data", skipped],
  ["settings", "Settings", settings],
] as const;

/** Nothing but what the page brings with it: even markup that got into it could load nothing. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** An empty picture, so that no browser asks for a `favicon.ico`. */
const icon = "data:,";

/**
 * The report of a training as one HTML file: readable on a phone, in the dark, and by a screen
 * reader; it needs neither scripts nor a network. What is missing in the data is left out.
 *
 * @param data what is shown; names in it may be any texts
 */
export function renderReport(data: ReportData): string {
  const made = sections.flatMap(([id, name, render]) => {
    const content = render(data);
    return content === undefined ? [] : [{ id, name, content }];
  });
  const title = titleOf(data);
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title === unnamed ? title : `${title} · training report`}</title>
<link rel="icon" href="${icon}">
<style>${new Html(style)}</style>
</head>
<body>
${summary(data)}
${made.length > 1 ? contentsOf(made) : undefined}
<main>
${made.map(({ content }) => content)}
</main>
</body>
</html>
`;
  return page.text;
}

function contentsOf(made: readonly { readonly id: string; readonly name: string }[]): Html {
  const items = made.map(({ id, name }) => markup`<li><a href="#${id}">${name}</a></li>`);
  return markup`
<nav aria-label="Contents">
<ul>${items}</ul>
</nav>`;
}
