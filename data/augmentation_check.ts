/** Checks of an augmentation, and its JSON: a fault is named by step and field. */
import { DataError, UsageError } from "../core/errors.ts";
import type { Augmentation, AugmentationStep, Flip, Interval } from "./augmentation.ts";

/** What a field must be; `wanted` says it in words. */
interface Rule {
  readonly is: (value: unknown) => boolean;
  readonly wanted: string;
  readonly isRequired?: boolean;
}

const isNumber = (v: unknown, low: number, high: number): v is number =>
  typeof v === "number" && v >= low && v <= high;
const number = (low: number, high: number, wanted: string): Rule => ({
  is: (v) => isNumber(v, low, high),
  wanted,
});
const whole = (low: number, high: number): Rule => ({
  is: (v) => Number.isInteger(v) && isNumber(v, low, high),
  wanted: `a whole number from ${low} to ${high}`,
});
const isInterval = (v: unknown, low: number, high: number): v is Interval =>
  Array.isArray(v) && v.length === 2 && v.every((x) => isNumber(x, low, high)) && v[0] <= v[1];
const interval = (low: number, high: number, wanted: string): Rule => ({
  is: (v) => isInterval(v, low, high),
  wanted: `two numbers ${wanted}, the smaller one first,`,
});
const either = (number: Rule, interval: Rule): Rule => ({
  is: (v) => number.is(v) || interval.is(v),
  wanted: `${number.wanted} or ${interval.wanted}`,
});
const oneOf = (...names: string[]): Rule => ({
  is: (v) => typeof v === "string" && names.includes(v),
  wanted: `one of ${names.join(", ")}`,
});
const required = (rule: Rule): Rule => ({ ...rule, isRequired: true });

// Bounds beyond which nothing but rounding would be left.
const tiny = 1e-6, huge = 1e6;
const p = number(0, 1, "a number from 0 to 1");
const share = interval(tiny, 1, "above 0, up to 1");
const ratio = interval(tiny, huge, "above 0");
const factor = either(
  number(0, huge, "a number from 0"),
  interval(0, huge, "from 0"),
);
const hue = either(
  number(0, 0.5, "a number from 0 to 0.5"),
  interval(-0.5, 0.5, "from -0.5 to 0.5"),
);
const degrees = either(number(0, huge, "a number from 0"), interval(-huge, huge, "of degrees"));
const fill: Rule = {
  is: (v) => Array.isArray(v) && v.length === 3 && v.every((x) => whole(0, 255).is(x)),
  wanted: "three whole numbers from 0 to 255",
};
const warp = { interpolation: oneOf("nearest", "bilinear"), fill };
const bins = whole(2, 1000);

type Kind = AugmentationStep["kind"];
type FieldsOf<K extends Kind> = Exclude<keyof Extract<AugmentationStep, { kind: K }>, "kind">;

const rules:
  & { readonly [K in Exclude<Kind, Flip["kind"]>]: Record<FieldsOf<K>, Rule> }
  & {
    readonly [K in Flip["kind"]]: Record<Exclude<keyof Flip, "kind">, Rule>;
  } = {
    "random-resized-crop": { scale: share, ratio },
    "random-crop": { padding: required(whole(0, 65_535)), mode: oneOf("zero", "reflect"), fill },
    "horizontal-flip": { p },
    "vertical-flip": { p },
    "rotation": { degrees: required(degrees), ...warp },
    "color-jitter": { brightness: factor, contrast: factor, saturation: factor, hue },
    "gaussian-blur": {
      kernel: required({
        is: (v) => whole(1, 255).is(v) && v as number % 2 === 1,
        wanted: "an odd number from 1 to 255",
      }),
      sigma: interval(tiny, huge, "above 0"),
      p,
    },
    "random-erasing": { p, scale: share, ratio, value: oneOf("zero", "noise") },
    "rand-augment": { ops: whole(0, 100), magnitude: whole(0, 999), bins, ...warp },
    "trivial-augment-wide": { bins, ...warp },
  };

const shown = (value: unknown): string => {
  try {
    return `${JSON.stringify(value)}`.slice(0, 80);
  } catch {
    return "no JSON";
  }
};

/** What is wrong with the step at a place, or nothing. */
function stepFault(step: unknown, place: number): string | undefined {
  const at = `step ${place} of its augmentation`;
  if (typeof step !== "object" || step === null || Array.isArray(step)) {
    return `${at} is ${shown(step)}, an object is wanted`;
  }
  const { kind, ...fields } = Object.fromEntries(Object.entries(step));
  const own: Readonly<Record<string, Rule>> | undefined = typeof kind === "string"
    ? Object.entries(rules).find(([name]) => name === kind)?.[1]
    : undefined;
  if (own === undefined) {
    return `${at} is of kind ${shown(kind)}, one of ${Object.keys(rules).join(", ")} is wanted`;
  }
  for (const [name, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(own, name) ? own[name] : undefined;
    if (rule === undefined) {
      const wanted = `of ${Object.keys(own).join(", ")}`;
      return `${at}, ${kind}, has an unknown field ${shown(name)}, fields ${wanted} are wanted`;
    }
    if (value === undefined && !rule.isRequired) continue;
    if (!rule.is(value)) {
      return `${at}, ${kind}: ${name} is ${shown(value)}, ${rule.wanted} is wanted`;
    }
  }
  const missing = Object.keys(own).find((name) => own[name].isRequired && !(name in fields));
  if (missing !== undefined) {
    return `${at}, ${kind}: ${missing} is missing, ${own[missing].wanted} is wanted`;
  }
  if (kind === "random-resized-crop" && place !== 0) {
    return `${at} is ${kind}, it is wanted as step 0: a part is taken before the picture is scaled`;
  }
  if (kind === "rand-augment") {
    const { magnitude = 9, bins = 31 } = fields;
    if (!(Number(magnitude) < Number(bins))) {
      return `${at}, ${kind}: magnitude is ${magnitude}, less than its ${bins} bins is wanted`;
    }
  }
}

/** What is wrong with an augmentation, or nothing. */
function augmentationFault(value: unknown): string | undefined {
  if (!Array.isArray(value)) return `its augmentation is ${shown(value)}, a list is wanted`;
  for (const [place, step] of value.entries()) {
    const fault = stepFault(step, place);
    if (fault !== undefined) return fault;
  }
}

/**
 * Checks an augmentation before anything is done for it.
 *
 * @param action what is being done, for messages
 * @throws {UsageError} naming the first step and field that is wrong, and what is wanted
 */
export function checkAugmentation(augmentation: Augmentation, action = "augment"): void {
  const fault = augmentationFault(augmentation);
  if (fault !== undefined) throw new UsageError(`Cannot ${action}: ${fault}`);
}

/**
 * Reads an augmentation from JSON, as `JSON.stringify` writes it. Fields may be left out where they
 * have a default; one that is not known is refused, since it might change what the net sees.
 *
 * @param action what is being done, for messages
 * @throws {DataError} naming the first step and field that is wrong, and what is wanted
 * @example
 * ```ts
 * import { parseAugmentation } from "../mod.ts";
 * const [flip] = parseAugmentation('[{ "kind": "horizontal-flip", "p": 0.5 }]');
 * console.log(flip.kind); // "horizontal-flip"
 * ```
 */
export function parseAugmentation(text: string, action = "read an augmentation"): Augmentation {
  const fail = (what: string): never => {
    throw new DataError(`Cannot ${action}: ${what}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    fail("its augmentation is no JSON, a list of steps is wanted");
  }
  const fault = augmentationFault(value);
  return fault === undefined ? value as Augmentation : fail(fault);
}
