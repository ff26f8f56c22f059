/** Which tensor of a file goes to which parameter of a model, and what is left on either side. */
import { plainName, quoted } from "./byte_reader.ts";
import { sameShape, type Shape, show } from "../../core/shape.ts";
import { CheckpointError } from "../../core/errors.ts";
import type { StateDict } from "./state_dict.ts";
import type { StoredTensor } from "./stored_tensor.ts";

/**
 * A tensor's name in the model by its name in the file; undefined leaves it out. Names that a map
 * does not have stay as they are.
 */
export type Rename = ((name: string) => string | undefined) | ReadonlyMap<string, string>;

/** Options of {@link Weights.load}. */
export interface LoadOptions {
  /** Whether tensors that are missing or left over are an error (default true). */
  readonly strict?: boolean;
  /** Names in the model by names in the file. */
  readonly rename?: Rename;
  /** Parameters that stay as they are, by path; a tensor of such a name counts as no left-over. */
  readonly skip?: (path: string) => boolean;
  /**
   * Whether parameters stay as they are where the file's have another shape, as a head for other
   * classes has (default false: it is an error).
   */
  readonly leaveReshaped?: boolean;
}

/** What {@link Weights.load} did, by path. */
export interface LoadReport {
  /** Parameters that the file filled, in the order of the model. */
  readonly loaded: readonly string[];
  /** Parameters that the file lacks, in the order of the model; they stay as they were. */
  readonly missing: readonly string[];
  /** Tensors that the model lacks, by their names after renaming, in the order of the file. */
  readonly leftOver: readonly string[];
  /** Parameters of another shape than in the file; they stay as they were. */
  readonly reshaped: readonly string[];
}

/** The outcome of {@link matchTensors}. */
export interface Match extends LoadReport {
  /** The tensor for each path in {@link loaded}. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** What forbids to load it, with the tensor at fault; undefined where nothing does. */
  readonly problem?: { readonly key: string; readonly text: string };
}

/** PyTorch's count of batches in batch normalisation, which only an unset momentum needs. */
const isCounter = (name: string): boolean => /(^|\.)num_batches_tracked$/.test(name);

/**
 * Finds a tensor for every parameter. It reads no elements.
 *
 * @param shapes on disk, by path, in the order of the model
 */
export function matchTensors(
  shapes: ReadonlyMap<string, Shape>,
  tensors: ReadonlyMap<string, StoredTensor>,
  { strict = true, skip = () => false, leaveReshaped = false }: LoadOptions,
): Match {
  const found = new Map<string, StoredTensor>(), missing: string[] = [], reshaped: string[] = [];
  for (const [path, shape] of shapes) {
    if (skip(path)) continue;
    const stored = tensors.get(path);
    if (!stored) missing.push(path);
    else if (sameShape(stored.shape, shape)) found.set(path, stored);
    else reshaped.push(path);
  }
  const leftOver = [...tensors.keys()].filter((name) =>
    !shapes.has(name) && !isCounter(name) && !skip(name)
  );
  const report = { loaded: [...found.keys()], missing, leftOver, reshaped };
  const problem = (): Match["problem"] => {
    if (missing.length > 0 && (strict || found.size + reshaped.length === 0)) {
      const text = `it lacks ${firstOf(missing)}${hint(missing, leftOver)}`;
      return { key: missing[0], text };
    }
    if (reshaped.length > 0 && !leaveReshaped) {
      const [key] = reshaped, wanted = show(shapes.get(key)!);
      return {
        key,
        text: `${key} has shape ${show(tensors.get(key)!.shape)}, ${wanted} is wanted`,
      };
    }
    if (leftOver.length > 0 && strict) {
      return { key: leftOver[0], text: `it holds ${firstOf(leftOver)}` };
    }
  };
  return { ...report, tensors: found, problem: problem() };
}

const firstOf = ([first, ...others]: readonly string[]): string =>
  others.length === 0 ? plainName(first) : `${plainName(first)} and ${others.length} more`;

/** What to do where names differ in what stands before them alone. */
function hint(missing: readonly string[], leftOver: readonly string[]): string {
  const [path] = missing, held = new Set(leftOver);
  const longer = leftOver.find((name) => name.endsWith(`.${path}`));
  if (longer !== undefined) {
    const prefix = longer.slice(0, -path.length);
    const count = missing.filter((each) => held.has(prefix + each)).length;
    const taken = `take ${quoted(prefix)} off ${count} of its names`;
    return `; it holds ${plainName(longer)}: did you mean to ${taken}?`;
  }
  const shorter = leftOver.find((name) => path.endsWith(`.${name}`));
  if (shorter === undefined) return "";
  const prefix = path.slice(0, -shorter.length);
  const count =
    missing.filter((each) => each.startsWith(prefix) && held.has(each.slice(prefix.length))).length;
  const put = `put ${quoted(prefix)} before ${count} of its names`;
  return `; it holds ${plainName(shorter)}: did you mean to ${put}?`;
}

/**
 * A file's tensors under the names that a model has.
 *
 * @param file name for messages
 * @throws {CheckpointError} when two of them get one name
 */
export function renamed<T extends Pick<StateDict, "tensors">>(
  dict: T,
  rename: Rename | undefined,
  file: string,
): T {
  if (rename === undefined) return dict;
  const tensors = new Map<string, StoredTensor>(), origins = new Map<string, string>();
  for (const [name, tensor] of dict.tensors) {
    const path = typeof rename === "function" ? rename(name) : rename.get(name) ?? name;
    if (path === undefined) continue;
    const other = origins.get(path);
    if (other !== undefined) {
      throw new CheckpointError(
        `Cannot rename tensors of ${file}: ${plainName(other)} and ${plainName(name)} both become ${
          plainName(path)
        }`,
        { key: path },
      );
    }
    origins.set(path, name);
    tensors.set(path, tensor);
  }
  return { ...dict, tensors };
}
