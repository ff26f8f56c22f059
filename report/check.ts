/** Reads report data that come from a file: another version or a person may have written them. */
import { DataError } from "../core/errors.ts";
import type { Json, PngUrl, ReportData } from "./data.ts";

/** What a value must be. Keys of objects that end in `?` may be missing. */
type Wanted = "number" | "text" | "png" | "json" | readonly [Wanted] | {
  readonly [key: string]: Wanted;
};

/** The {@link Wanted} of a type: keeps the table below and `ReportData` from drifting apart. */
type WantedOf<T> = T extends number ? "number"
  : T extends PngUrl ? "png"
  : T extends string ? "text"
  : T extends readonly (infer E)[] ? readonly [WantedOf<E>]
  : T extends { readonly [key: string]: Json } ? (string extends keyof T ? "json" : Fields<T>)
  : Fields<T>;

type Fields<T> = {
  readonly [K in keyof T & string as undefined extends T[K] ? `${K}?` : K]-?: WantedOf<
    NonNullable<T[K]>
  >;
};

const scores = { "loss?": "number", "accuracy?": "number", "top5?": "number" } as const;
const picture = {
  "image": "png",
  "name?": "text",
  "truth?": "text",
  "guesses": [{ label: "text", probability: "number" }],
  "loss?": "number",
} as const;

const run = {
  "name?": "text",
  "model?": "text",
  "dataset?": "text",
  "device?": "text",
  "version?": "text",
  "started?": "text",
  "parameters?": "number",
  "pictures?": { "training?": "number", "validation?": "number", "test?": "number" },
  "classes?": "number",
  "epochs?": "number",
  "seconds?": "number",
  "best?": { "epoch?": "number", "stage?": "text", validation: scores },
  "test?": scores,
} as const;

const wanted: WantedOf<ReportData> = {
  "run?": run,
  "epochs?": [{
    "epoch": "number",
    "training?": scores,
    "validation?": scores,
    "test?": scores,
    "seconds?": "number",
    "imagesPerSecond?": "number",
    "waiting?": "number",
  }],
  "learningRate?": [{ epoch: "number", rate: "number" }],
  "stages?": [{
    "name": "text",
    "firstEpoch?": "number",
    "lastEpoch?": "number",
    "decisions": [{ decision: "text", reason: "text" }],
  }],
  "measured?": { "part": "text", "pictures": "number", "epoch?": "number" },
  "confusion?": [["number"]],
  "classes?": [{
    "name": "text",
    "precision?": "number",
    "recall?": "number",
    "f1?": "number",
    "support": "number",
  }],
  "calibration?": {
    "error?": "number",
    "bins": [{
      "from": "number",
      "to": "number",
      "count": "number",
      "confidence?": "number",
      "accuracy?": "number",
    }],
  },
  "predictions?": [picture],
  "mistakes?": [picture],
  "explained?": [{ ...picture, "heat": "png", "target?": "text" }],
  "firstBatch?": "png",
  "notes?": ["text"],
  "skipped?": [{ name: "text", reason: "text" }],
  "settings?": "json",
};

/**
 * Report data from the text of a file. Fields of later versions are left out; `null`, which is what
 * JSON makes of NaN, is a value that is missing.
 *
 * @param file for errors
 * @throws {DataError} when it is no JSON, or a field is not what it must be
 */
export function parseReportData(text: string, file: string): ReportData {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DataError(`Cannot read ${file}: it is no JSON, report data are wanted`, {
      ...{ cause, file },
    });
  }
  return read(value, wanted, "", (at, found, name) => {
    const where = at === "" ? "it" : at;
    return new DataError(`Cannot read ${file}: ${where} is ${found}, ${name} is wanted`, { file });
  }) as ReportData;
}

type Refuse = (at: string, found: string, wanted: string) => DataError;

/** A copy of a value with what is wanted of it. */
function read(value: unknown, shape: Wanted, at: string, refuse: Refuse): unknown {
  if (typeof shape === "string") {
    if (isOf[shape](value)) return value;
    throw refuse(at, shown(value), names[shape]);
  }
  if (shape instanceof Array) {
    if (!Array.isArray(value)) throw refuse(at, shown(value), "a list");
    return value.map((one, k) => read(one, shape[0], `${at}[${k}]`, refuse));
  }
  if (!isObject(value)) throw refuse(at, shown(value), "an object");
  const found = Object.entries(shape).flatMap(([key, inner]) => {
    const name = key.replace(/\?$/, ""), field = value[name] ?? undefined;
    if (field === undefined && key !== name) return [];
    return [[name, read(field, inner, at === "" ? name : `${at}.${name}`, refuse)]];
  });
  return Object.fromEntries(found);
}

const names = {
  number: "a finite number",
  text: "a text",
  png: "a data: URL of a PNG",
  json: "an object",
} as const;

const isOf: Readonly<Record<keyof typeof names, (value: unknown) => boolean>> = {
  number: Number.isFinite,
  text: (value) => typeof value === "string",
  png: (value) => typeof value === "string" && isPngUrl(value),
  json: isObject,
};

/** Whether a text is a `data:` URL of a PNG, and nothing else that a browser would fetch. */
export function isPngUrl(text: string): text is PngUrl {
  return text.startsWith("data:image/png;base64,iVBORw0KGgo") &&
    /^[A-Za-z0-9+/]*={0,2}$/.test(text.slice(text.indexOf(",") + 1));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "an object";
  const text = JSON.stringify(value);
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}
