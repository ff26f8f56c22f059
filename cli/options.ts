/**
 * The kinds of option a command can have. A command lists its options once, in a table; parsing,
 * types and help all follow from it:
 *
 * ```ts
 * const options = group("Training", {
 *   epochs: integer({ help: "passes over the data", default: 2, min: 1 }),
 *   batchSize: integer({ help: "images in a step", unset: "from the data set's recipe" }),
 * });
 * // Values<typeof options> = { epochs: number; batchSize: number | undefined }
 * ```
 */

import { isAbsolute, join } from "./std.ts";

/** What the texts given for an option came to: a value, or the text that is none. */
export type Reading<T> = { readonly value: T } | { readonly found: string };

/** One option, or one positional argument. */
export interface Option<out T> {
  /** One line for the help page, without a capital or a period. */
  readonly help: string;
  /** Heading of the help page it stands under. */
  readonly group?: string;
  /** One letter that stands for it, without the dash. */
  readonly short?: string;
  /** Left out of the help page: for tasks and tools, not for people. */
  readonly hidden: boolean;
  /** Stands for the value in help, such as `N`; empty for a flag, which takes none. */
  readonly valueName: string;
  /** What a good value is, such as `an integer of at least 1`. */
  readonly wanted: string;
  /** Names among which a mistyped value is sought. */
  readonly choices: readonly string[];
  /** Must be given. */
  readonly required: boolean;
  /** Takes every positional argument from here on. */
  readonly repeats: boolean;
  /** Value where the option is not given. */
  readonly fallback: T;
  /** What help says of the fallback, empty for nothing. */
  readonly shownDefault: string;
  /** The value of the texts given for the option, of which there is at least one. */
  read(texts: readonly string[], base: string | undefined): Reading<T>;
}

/** A command's options by name: `batchSize` is `--batch-size`. */
export type OptionTable = { readonly [name: string]: Option<unknown> };

/** The values of a table of options. */
export type Values<O extends OptionTable> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** What every kind of option can be told. */
export interface Settings<T> {
  /** One line for the help page, without a capital or a period. */
  readonly help: string;
  /** Value where the option is not given; without it the value is `undefined`. */
  readonly default?: T;
  /** Instead of a default: what holds where the option is not given, said in help. */
  readonly unset?: string;
  /** The option must be given. */
  readonly required?: true;
  /** One letter that stands for it, without the dash. */
  readonly short?: string;
  /** Leaves it out of the help page. */
  readonly hidden?: true;
  /** Stands for the value in help. */
  readonly valueName?: string;
}

/** Settings of a number, bounds included in the range. */
export interface NumberSettings extends Settings<number> {
  /** Smallest allowed value. */
  readonly min?: number;
  /** Largest allowed value. */
  readonly max?: number;
  /** The value must be larger than this. */
  readonly above?: number;
}

/** Type of an option's value: never `undefined` where there is a default or it must be given. */
export type ValueOf<T, S> = S extends { default: T } | { required: true } ? T : T | undefined;

/** What a kind of option says of its values. */
interface Kind {
  readonly valueName: string;
  readonly wanted: string;
  readonly choices?: readonly string[];
}

function described<T>(
  settings: Settings<T>,
  kind: Kind,
): Omit<Option<T>, "fallback" | "read"> {
  const standard = settings.default;
  return {
    help: settings.help,
    short: settings.short,
    hidden: settings.hidden ?? false,
    valueName: settings.valueName ?? kind.valueName,
    wanted: kind.wanted,
    choices: kind.choices ?? [],
    required: settings.required ?? false,
    repeats: false,
    shownDefault: settings.unset ?? (standard === undefined ? "" : `${standard}`),
  };
}

function option<T, S extends Settings<T>>(
  settings: S,
  kind: Kind,
  readOne: (text: string, base: string | undefined) => Reading<T>,
): Option<ValueOf<T, S>> {
  return {
    ...described(settings, kind),
    // The conditional type says what the line does: no default means undefined.
    fallback: settings.default as ValueOf<T, S>,
    // The last one wins, so that a task's own options can be overridden after them.
    read: (texts, base) => readOne(texts[texts.length - 1], base) as Reading<ValueOf<T, S>>,
  };
}

/** Type of a flag: `undefined` only where `unset` says what holds then. */
export type FlagOf<S> = S extends { unset: string } ? boolean | undefined : boolean;

/** On or off: `--json`, `--no-json`. Off where not given, unless `unset` says what else holds. */
export function flag<const S extends Settings<boolean>>(settings: S): Option<FlagOf<S>> {
  const { unset, default: standard } = settings;
  return {
    ...described(settings, { valueName: "", wanted: "true or false" }),
    fallback: (standard ?? (unset === undefined ? false : undefined)) as FlagOf<S>,
    shownDefault: unset ?? (standard ? "on" : ""),
    read: (texts) => {
      const text = texts[texts.length - 1];
      const value = text === "true";
      return value || text === "false" ? { value: value as FlagOf<S> } : { found: text };
    },
  };
}

function range(kind: string, { min, max, above }: NumberSettings): string {
  if (above !== undefined) {
    return `${kind} above ${above}${max === undefined ? "" : ` up to ${max}`}`;
  }
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind} of at least ${min}`;
  return max === undefined ? kind : `${kind} of at most ${max}`;
}

function readNumber(text: string, settings: NumberSettings, pattern: RegExp): Reading<number> {
  const value = Number(text);
  const { min = -Infinity, max = Infinity, above = -Infinity } = settings;
  const good = pattern.test(text) && Number.isFinite(value) &&
    value >= min && value <= max && value > above;
  return good ? { value } : { found: text };
}

/** A whole number, exact up to 2⁵³. */
export function integer<const S extends NumberSettings>(settings: S): Option<ValueOf<number, S>> {
  return option<number, S>(
    settings,
    { valueName: "N", wanted: range("an integer", settings) },
    (text) => {
      const reading = readNumber(text, settings, /^[+-]?\d+$/);
      return "value" in reading && !Number.isSafeInteger(reading.value) ? { found: text } : reading;
    },
  );
}

/** A decimal number, such as `0.9`, `.5` or `1e-3`. */
export function number<const S extends NumberSettings>(settings: S): Option<ValueOf<number, S>> {
  return option<number, S>(
    settings,
    { valueName: "X", wanted: range("a number", settings) },
    (text) => readNumber(text, settings, decimalPattern),
  );
}

const decimalPattern = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A decimal number; NaN for any other text, some of which `Number` would take for one. */
export const decimal = (text: string): number => decimalPattern.test(text) ? Number(text) : NaN;

/** Bytes by unit; a kilobyte is 1,000 bytes, a kibibyte 1,024. */
const units: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** An amount of memory, such as `500MB` or `1.5GB`, in bytes. */
export function bytes<const S extends Settings<number>>(settings: S): Option<ValueOf<number, S>> {
  return option<number, S>(
    settings,
    { valueName: "SIZE", wanted: "a size such as 500MB" },
    (text) => {
      const [, amount, unit] = /^(\d+\.?\d*)\s*([kmg]i?b|)$/.exec(text.trim().toLowerCase()) ?? [];
      const value = Math.floor(Number(amount) * units[unit]);
      return amount !== undefined && value > 0 ? { value } : { found: text };
    },
  );
}

/** Any text, the empty one too. */
export function text<const S extends Settings<string>>(settings: S): Option<ValueOf<string, S>> {
  return option<string, S>(
    settings,
    { valueName: "TEXT", wanted: "a text" },
    (text) => ({ value: text }),
  );
}

/** One of a few names. */
export function choice<const C extends string, const S extends Settings<NoInfer<C>>>(
  choices: readonly C[],
  settings: S,
): Option<ValueOf<C, S>> {
  return option<C, S>(
    settings,
    { valueName: "NAME", wanted: `one of ${choices.join(", ")}`, choices },
    (text) => {
      const value = choices.find((choice) => choice === text);
      return value === undefined ? { found: text } : { value };
    },
  );
}

/** A file or folder: what a person types is meant from where they stand, which `base` tells. */
export function path<const S extends Settings<string>>(settings: S): Option<ValueOf<string, S>> {
  return option<string, S>(
    settings,
    { valueName: "PATH", wanted: "a path" },
    (text, base) => {
      if (text === "") return { found: text };
      const stands = base === undefined || isAbsolute(text) || /^(https?|file):/.test(text);
      return { value: stands ? text : join(base, text) };
    },
  );
}

/** A path, or one of a few names, which stay as they are; `./name` is the file of that name. */
export function nameOrPath<const S extends Settings<string>>(
  names: readonly string[],
  settings: S,
): Option<ValueOf<string, S>> {
  const file = path<S>(settings);
  return option<string, S>(
    settings,
    { valueName: "PATH", wanted: file.wanted },
    (text, base) => {
      if (names.includes(text)) return { value: text };
      const reading = file.read([text], base);
      return "found" in reading ? reading : { value: reading.value ?? text };
    },
  );
}

/** Settings of a list. */
export interface ListSettings<T> extends Settings<readonly T[]> {
  /** How many values there must be. */
  readonly count?: number;
}

/** Several values in one: `--mean .5,.5,.5`. */
export function list<T, const S extends ListSettings<NonNullable<NoInfer<T>>>>(
  element: Option<T>,
  settings: S,
): Option<ValueOf<readonly NonNullable<T>[], S>> {
  const { count } = settings;
  const wanted = `${count ?? "several"} values separated by commas, each ${element.wanted}`;
  const { valueName, choices } = element;
  return option<readonly NonNullable<T>[], S>(
    settings,
    { valueName: `${valueName},…`, wanted, choices },
    (text, base) => {
      const reading = readAll(element, text.split(",").map((part) => part.trim()), base);
      const isGood = "value" in reading && (count ?? reading.value.length) === reading.value.length;
      return isGood ? reading : { found: text };
    },
  );
}

/** All positional arguments from here on: `predict a.png b.png`. */
export function rest<T>(
  element: Option<T>,
  settings: { readonly min?: number } = {},
): Option<readonly NonNullable<T>[]> {
  return {
    ...element,
    required: (settings.min ?? 0) > 0,
    repeats: true,
    fallback: [],
    shownDefault: "",
    read: (texts, base) => readAll(element, texts, base),
  };
}

function readAll<T>(
  element: Option<T>,
  texts: readonly string[],
  base: string | undefined,
): Reading<readonly NonNullable<T>[]> {
  const values: NonNullable<T>[] = [];
  for (const text of texts) {
    const reading = element.read([text], base);
    if ("found" in reading) return reading;
    // Only an option that is not given is undefined; a text that was read never is.
    values.push(reading.value as NonNullable<T>);
  }
  return { value: values };
}

/** Puts a table of options under one heading of the help page. */
export function group<const O extends OptionTable>(heading: string, table: O): O {
  const entries = Object.entries(table).map(([name, made]) => [name, { ...made, group: heading }]);
  return Object.fromEntries(entries) as O;
}
