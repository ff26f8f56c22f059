/**
 * The page in Chromium, on a phone and a desktop, in the light and the dark. Without Chromium on
 * the PATH (or in `FOVEA_CHROMIUM`) these tests are skipped.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { renderReport } from "../../report/render.ts";
import { command, lastObject } from "../end_to_end/processes.ts";
import { temporaryFolder } from "../data/support.ts";
import { BrowserPage, findChromium } from "./browser.ts";
import { hostileReport, manyClasses } from "./made_report.ts";
import { realReport } from "./real_report.ts";

const program = findChromium();
if (program === undefined) console.log("report in a browser: skipped, there is no Chromium");

/** Pages by their names: of a real run, of a hundred classes, and of hostile names. */
async function writePages(folder: string): Promise<string[]> {
  const made = { many: manyClasses(100), hostile: hostileReport(), empty: {} };
  for (const [name, data] of Object.entries(made)) {
    await Deno.writeTextFile(join(folder, `${name}.html`), renderReport(data));
  }
  const trained = await command("train", ["--epochs", "2", "--json", "--runs", folder], {
    writable: folder,
  });
  assert.equal(trained.code, 0, trained.err);
  const run = String(lastObject(trained.out).run);
  const data = await realReport(join(run, "best.safetensors"), 300);
  await Deno.writeTextFile(join(run, "report_data.json"), JSON.stringify(data));
  const written = await command("report", [run, "--json"], { writable: folder });
  assert.equal(written.code, 0, written.err);
  const pages = Object.keys(made).map((name) => join(folder, `${name}.html`));
  return [...pages, String(lastObject(written.out).report)];
}

/** What is looked at in the page, folded parts opened. */
interface Seen {
  /** Pixels by which the page is wider than the screen. */
  readonly tooWide: number;
  /** Texts smaller than 16 px on the screen. */
  readonly tooSmall: readonly string[];
  /** Drawings and pictures of no size, or that could not be decoded. */
  readonly unseen: readonly string[];
  /** Texts whose contrast to what is behind them is below 4.5. */
  readonly faint: readonly string[];
  /** Colour of the page. */
  readonly paper: string;
  /** Elements with text. */
  readonly texts: number;
  /** Number of scripts. */
  readonly scripts: number;
}

const look = `(async () => {
  document.querySelectorAll("details").forEach((one) => one.open = true);
  await Promise.all([...document.images].map((one) => one.decode().catch(() => {})));
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const known = new Map();
  const light = (colours) => {
    const key = colours.join();
    if (!known.has(key)) known.set(key, lightOf(colours));
    return known.get(key);
  };
  const lightOf = (colours) => rgb(colours).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const own = (element) => [...element.childNodes]
    .filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
  const texts = [...document.querySelectorAll("body *")].filter((one) => own(one) !== "" &&
    !one.closest("caption, title, desc"));
  const sizeOf = (one) => parseFloat(getComputedStyle(one).fontSize) *
    (one instanceof SVGElement ? one.getScreenCTM().a : 1);
  const contrast = (one) => {
    const behind = [];
    for (let at = one; at !== null; at = at.parentElement) {
      behind.unshift(getComputedStyle(at).backgroundColor);
    }
    const style = getComputedStyle(one);
    const ink = one instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(behind), light([...behind, ink])].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const shown = (one) => one.tagName + " " + (own(one) || one.outerHTML).slice(0, 40);
  const hasNoSize = (one) => {
    const { width, height } = one.getBoundingClientRect();
    return width < 8 || height < 8 || (one instanceof HTMLImageElement && !one.naturalWidth);
  };
  return {
    tooWide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    tooSmall: texts.filter((one) => sizeOf(one) < 15.99).map(shown),
    unseen: [...document.querySelectorAll("svg, img")].filter(hasNoSize).map(shown),
    faint: texts.filter((one) => contrast(one) < 4.5).map((one) => shown(one) + contrast(one)),
    paper: getComputedStyle(document.body).backgroundColor,
    texts: texts.length,
    scripts: document.scripts.length,
  };
})()`;

const screens = [
  { width: 390, height: 844, isDark: false },
  { width: 390, height: 844, isDark: true },
  { width: 1280, height: 900, isDark: false },
  { width: 1280, height: 900, isDark: true },
] as const;

Deno.test({
  name: "report: a browser shows it on every screen, readable, from nothing but its file",
  ignore: program === undefined,
  fn: async () => {
    await using folder = await temporaryFolder();
    const pages = await writePages(folder.path);
    await using browser = await BrowserPage.open(program!);
    for (const page of pages) {
      const papers = new Set<string>();
      for (const screen of screens) {
        const url = pathToFileURL(page).href, where = `${page} ${JSON.stringify(screen)}`;
        await browser.show(url, screen);
        const { tooWide, tooSmall, unseen, faint, paper, scripts, texts } = await browser
          .evaluate<Seen>(look);
        const found = { tooWide, tooSmall, unseen, faint, scripts };
        assert.deepEqual(
          found,
          { tooWide: 0, tooSmall: [], unseen: [], faint: [], scripts: 0 },
          where,
        );
        assert(texts > 0, where);
        assert.deepEqual(browser.requests.splice(0), [url], where);
        assert.deepEqual(browser.complaints, [], where);
        papers.add(paper);
      }
      assert.equal(papers.size, 2, "dark and light differ");
    }
  },
});
