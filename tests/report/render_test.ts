/** The page as text: well formed and inert whatever is in the data, and no section without data. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { parseReportData } from "../../report/check.ts";
import type { ReportData } from "../../report/data.ts";
import { escapeHtml, markup } from "../../report/html.ts";
import { flat } from "../../report/lists.ts";
import { renderReport } from "../../report/render.ts";
import { scale, ticksOf } from "../../report/ticks.ts";
import { grey, hostile, hostileReport, manyClasses } from "./made_report.ts";
import { readPage } from "./markup.ts";

const whole: ReportData = {
  ...manyClasses(3),
  stages: [{ name: "head", firstEpoch: 1, lastEpoch: 30, decisions: [] }],
  predictions: [{ image: grey, guesses: [{ label: "species 1", probability: 0.5 }] }],
  mistakes: [{
    image: grey,
    truth: "species 2",
    guesses: [{ label: "species 1", probability: 1 }],
  }],
  explained: [{ image: grey, heat: grey, guesses: [{ label: "species 1", probability: 0.5 }] }],
  firstBatch: grey,
  learningRate: [{ epoch: 0, rate: 0 }, { epoch: 60, rate: 1 }],
  skipped: [{ name: "a.jpg", reason: "it is empty" }],
  settings: { lr: 0.1 },
};

const sectionsOf = (data: ReportData): string[] =>
  readPage(renderReport(data)).elements.filter(({ name }) => name === "section")
    .map(({ attributes }) => attributes.get("id") ?? "");

Deno.test("report: every page is well formed, and has its ids once", () => {
  const pages = { whole, hostile: hostileReport(), nothing: {}, many: manyClasses(160) };
  for (const [name, data] of Object.entries(pages)) {
    const { elements, faults } = readPage(renderReport(data));
    assert.deepEqual(faults, [], name);
    const ids = elements.flatMap(({ attributes }) => attributes.get("id") ?? []);
    assert.equal(new Set(ids).size, ids.length, name);
    const links = elements.flatMap(({ name, attributes }) =>
      name === "a" ? [attributes.get("href")] : []
    );
    assert.deepEqual(links.filter((href) => !ids.includes(href!.slice(1))), [], name);
  }
});

Deno.test("report: what is missing in the data is left out of the page, and nothing else", () => {
  assert.deepEqual(sectionsOf({}), []);
  const all = sectionsOf(whole);
  assert.equal(all.length, 11);
  const gone: Partial<Record<keyof ReportData, string>> = {
    ...{ stages: "stages", confusion: "confusion", classes: "classes" },
    ...{ calibration: "calibration", mistakes: "mistakes", predictions: "predictions" },
    ...{ explained: "grad-cam", firstBatch: "first-batch", skipped: "data", settings: "settings" },
  };
  for (const [key, id] of Object.entries(gone)) {
    const { [key as keyof ReportData]: _, ...rest } = whole;
    // A matrix needs the names of its classes.
    const wanted = all.filter((one) => one !== id && (key !== "classes" || one !== "confusion"));
    assert.deepEqual(sectionsOf(rest), wanted, key);
  }
  const { epochs: _, learningRate: __, ...rest } = whole;
  assert(!sectionsOf(rest).includes("curves"));
});

Deno.test("report: no text becomes markup, none loads anything, none turns the line around", () => {
  const page = renderReport(hostileReport()), { elements } = readPage(page);
  const names = new Set(elements.map(({ name }) => name));
  for (const name of ["script", "iframe", "object", "form"]) assert(!names.has(name), name);
  const attributes = elements.flatMap((one) => [...one.attributes]);
  assert.deepEqual(attributes.filter(([name]) => name.startsWith("on")), []);
  const loaded = attributes.filter(([name]) => ["src", "href"].includes(name));
  assert.deepEqual(loaded.filter(([, url]) => !/^(#|data:)/.test(url)), []);
  assert(!/[\u202e\0]/.test(page));
  assert(page.includes(escapeHtml(hostile)));
});

Deno.test("report: a picture that is no PNG within the page is not shown", () => {
  const image = `data:image/png;base64,x" onerror="alert(1)` as typeof grey;
  const page = renderReport({ predictions: [{ image, guesses: [] }], firstBatch: image });
  assert(!page.includes("onerror"));
});

Deno.test("markup: any text comes back when it is read", () => {
  const read = (text: string) =>
    text.replace(
      /&(amp|lt|gt|quot|#39);/g,
      (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name as string]!,
    );
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const { text: written } = markup`<p title="${text}">${text}</p>`;
    const plain = /^<p title="([^"]*)">([^<]*)<\/p>$/.exec(written);
    assert(plain);
    assert.equal(plain[1], plain[2]);
    // Control characters and marks of direction are replaced, all others are kept.
    if (!escapeHtml(text).includes("\ufffd")) assert.equal(read(plain[1]), text);
  }));
});

Deno.test("report data: what is written is read again", () => {
  for (const data of [whole, hostileReport(), {}]) {
    const text = JSON.stringify(data), read = parseReportData(text, "report_data.json");
    const noNull = (_: string, value: unknown) => value === null ? undefined : value;
    assert.deepEqual(read, JSON.parse(text, noNull));
    assert.equal(renderReport(read), renderReport(data));
  }
  assert.deepEqual(parseReportData('{"later": 1, "run": {"later": 1}}', "a"), { run: {} });
});

Deno.test("report: NaN, null and what is missing look alike", () => {
  const page = (none: Record<string, number>): string =>
    renderReport({
      run: { test: none, best: { epoch: 1, validation: none } },
      epochs: [{ epoch: 1, training: none, validation: { loss: 1, ...none }, ...none }],
      classes: [{ name: "a", support: 1, ...none }, { name: "b", support: 0, f1: 0.5 }],
      calibration: {
        bins: [{ from: 0, to: 1, count: 0, ...none }, { from: 0.5, to: 1, count: 2 }],
      },
    });
  const missing = page({});
  const keys = ["accuracy", "top5", "seconds", "imagesPerSecond", "waiting", "precision", "f1"];
  for (const key of keys) assert.equal(page({ [key]: NaN }), missing, key);
  assert(!/NaN|undefined|Infinity/.test(missing));
  const text = JSON.stringify({ calibration: { error: NaN, bins: [] }, classes: [] });
  assert.deepEqual(parseReportData(text, "a"), { calibration: { bins: [] }, classes: [] });
});

Deno.test("report data: what does not fit is named with its place", () => {
  const wrong: [string, RegExp][] = [
    ["", /Cannot read r\.json: it is no JSON, report data are wanted/],
    ["[]", /r\.json: it is a list, an object is wanted/],
    ['{"epochs": [{"epoch": 1}, {}]}', /epochs\[1\]\.epoch is missing, a finite number is wanted/],
    ['{"confusion": [[1, "2"]]}', /confusion\[0\]\[1\] is "2", a finite number is wanted/],
    ['{"run": {"best": {"epoch": 1}}}', /run\.best\.validation is missing, an object is wanted/],
    ['{"firstBatch": "http://a/b.png"}', /firstBatch is "http:.*, a data: URL of a PNG is wanted/],
    ['{"notes": "no"}', /notes is "no", a list is wanted/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(() => parseReportData(text, "r.json"), (error) => {
      assert(error instanceof DataError && error.file === "r.json");
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("ticks: round, in order, and around all values", () => {
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const share = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
  fc.assert(fc.property(value, share, (low, size) => {
    // Values that differ in their last digits alone have no round numbers between them.
    const span = size * Math.max(1, Math.abs(low));
    const { extent: [from, to], at } = ticksOf([low, low + span], 4);
    const slack = 1e-6 * (to - from);
    assert(from <= low + slack && to >= low + span - slack, `${from} ${to}`);
    assert(at.length >= 2 && at.length <= 8, `${at}`);
    const steps = at.slice(1).map((tick, k) => tick - at[k]);
    assert(steps.every((step) => step > 0 && Math.abs(step - steps[0]) < slack));
  }));
  assert.deepEqual(ticksOf([0.51, 1.15], 4).at.map((x) => x.toFixed(1)), [
    "0.4",
    "0.6",
    "0.8",
    "1.0",
    "1.2",
  ]);
  assert.deepEqual(ticksOf([1, 15], 5, true).at, [5, 10, 15]);
  assert.deepEqual(ticksOf([0.5, 1.5], 5, true).at, [1]);
  assert.equal(scale([1, 3], [10, 20])(2), 15);
});

Deno.test("settings: nested ones get a path, lists of plain values a line", () => {
  const nested = { a: 1, b: { c: [1, 2], d: [{ kind: "x", p: 0.5 }] }, e: [], f: null };
  assert.deepEqual(flat(nested), [
    ...[["a", "1"], ["b.c", "1, 2"], ["b.d.1.kind", "x"], ["b.d.1.p", "0.5"]],
    ...[["e", "none"], ["f", "null"]],
  ]);
});
