/** From the object that a training script saved to the dict of tensors in it. */
import { type Fail, quoted } from "./byte_reader.ts";
import { kindOf, PyDict, TorchTensor, type Value } from "./pickle_values.ts";

/** Names under which training scripts keep a model's tensors, likeliest first. */
const wrappers: readonly string[] = [
  ...["state_dict", "model_state_dict", "model_state", "model", "module", "net", "network"],
  ...["params", "weights", "model_ema", "state_dict_ema", "params_ema", "ema"],
];
/** More than any script nests; a dict may hold itself. */
const maxDepth = 8;

/** A dict of tensors, and what lay around it. */
export interface Unwrapped {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** Entries gone into, outermost first. */
  readonly path: readonly string[];
  /** Numbers and texts that lay beside them, such as `epoch`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Entries that lay beside the tensors and are none. */
  readonly ignored: readonly string[];
}

/**
 * Goes into entries until one holds tensors.
 *
 * @param entry a dotted path to go to, instead of the likeliest
 * @param fail raises the error
 */
export function unwrap(value: Value, entry: string | undefined, fail: Fail): Unwrapped {
  const path: string[] = [], notes = new Map<string, string>();
  const wanted = entry === undefined ? undefined : pathsOf(value, entry);
  let at = value;
  for (;;) {
    if (!(at instanceof PyDict)) {
      return fail(`${placeOf(path)} holds ${kindOf(at)}, a dict of tensors by name is wanted`);
    }
    const next = wanted === undefined ? likeliest(at) : wanted[path.length];
    if (next === undefined || path.length === maxDepth) break;
    if (!at.entries.has(next)) {
      return fail(`${placeOf(path)} has no entry ${quoted(next)}; ${entriesOf(at)}`);
    }
    for (const [name, note] of at.entries) if (isNote(note)) notes.set(name, `${note}`);
    path.push(next);
    at = at.entries.get(next)!;
  }
  const tensors = new Map<string, TorchTensor>(), ignored: string[] = [];
  for (const [name, each] of at.entries) {
    if (each instanceof TorchTensor) tensors.set(name, each);
    else ignored.push(name);
  }
  if (tensors.size === 0) fail(`${placeOf(path)} holds no tensor by name; ${entriesOf(at)}`);
  return { tensors, path, metadata: Object.fromEntries(notes), ignored };
}

/** The parts of a path; names of entries may have dots themselves, so each is looked up. */
function pathsOf(value: Value, entry: string): string[] {
  const parts: string[] = [];
  let at = value, left = entry;
  while (left !== "" && at instanceof PyDict && parts.length < maxDepth) {
    const dict: PyDict = at, rest = left;
    const name = [...dict.entries.keys()].find((k) => rest === k || rest.startsWith(`${k}.`)) ??
      rest;
    parts.push(name);
    at = dict.entries.get(name) ?? null;
    left = rest.slice(name.length + 1);
  }
  return parts;
}

/** The entry that most likely holds the model's tensors; undefined where the dict itself does. */
function likeliest(dict: PyDict): string | undefined {
  return wrappers.find((name) => {
    const inner = dict.entries.get(name);
    return inner instanceof PyDict &&
      (holdsTensors(inner) || wrappers.some((n) => inner.entries.get(n) instanceof PyDict));
  });
}

function holdsTensors(dict: PyDict): boolean {
  return dict.entries.values().some((value) => value instanceof TorchTensor);
}

const isNote = (value: Value): boolean =>
  ["string", "number", "bigint", "boolean"].includes(typeof value);

const placeOf = (path: readonly string[]): string =>
  path.length === 0 ? "it" : `its entry ${quoted(path.join("."))}`;

/** The names of a dict's entries, for a message. */
function entriesOf({ entries, unnamed }: PyDict): string {
  const shown = entries.keys().take(6).map(quoted).toArray().join(", ");
  if (entries.size === 0) return unnamed > 0 ? "its keys are no texts" : "it is empty";
  return `its entries are ${shown}${entries.size > 6 ? " …" : ""}`;
}
