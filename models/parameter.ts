/** Parameters: variables that know how they begin and how they lie on disk. */
import { applyOne, asLeaf, type LeafAttrs, leafOp, Tensor } from "../core/graph.ts";
import type { Random } from "../core/rng.ts";
import { checkShape, f32, type Shape } from "../core/shape.ts";
import type { Init } from "./init.ts";

/**
 * How a parameter lies on disk, where PyTorch's order holds.
 *
 * - `plain`: as in memory
 * - `conv`: `[kh,kw,cin,cout]` in memory, `[cout,cin,kh,kw]` on disk
 * - `linear`: `[in,out]` in memory, `[out,in]` on disk; `flattened` says that the inputs were an
 *   image `[h,w,c]` here and `[c,h,w]` there
 */
export type DiskLayout =
  | { readonly kind: "plain" }
  | { readonly kind: "conv" }
  | { readonly kind: "linear"; readonly flattened?: readonly [h: number, w: number, c: number] };

/** A variable of a model. */
export interface ParameterAttrs extends LeafAttrs {
  /** Draws the elements it begins with. */
  readonly init: Init;
  /** How its axes are ordered in a file. */
  readonly layout: DiskLayout;
  /** False for running statistics, which no gradient reaches. */
  readonly trainable: boolean;
}

/** Options of {@link parameter}. */
export interface ParameterOptions {
  /** Draws the elements it begins with. */
  readonly init: Init;
  /** How its axes are ordered in a file (default `plain`). */
  readonly layout?: DiskLayout;
  /** False for what no gradient reaches (default true). */
  readonly trainable?: boolean;
}

/**
 * A parameter, f32; it gets its path when {@link parametersOf} walks the model.
 *
 * @param shape in memory order
 * @throws {ShapeError} when a size is no whole number from 1
 */
export function parameter(shape: Shape, options: ParameterOptions): Tensor {
  checkShape("make a parameter", shape);
  const attrs: ParameterAttrs = {
    type: f32(shape),
    role: "variable",
    label: "",
    init: options.init,
    layout: options.layout ?? { kind: "plain" },
    trainable: options.trainable ?? true,
  };
  return applyOne(leafOp, [], attrs);
}

/** A parameter's attributes, or undefined for any other tensor. */
export function asParameter(t: Tensor): ParameterAttrs | undefined {
  const leaf = asLeaf(t);
  return leaf && "init" in leaf ? leaf as ParameterAttrs : undefined;
}

/**
 * All parameters of a model by path, in the order of its fields: `layer1.0.conv1.weight`, as in
 * torchvision. Their labels are set to these paths, so that errors name the layer.
 */
export function parametersOf(model: object): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  eachParameter(model, "", (path, t) => {
    asParameter(t)!.label = path;
    found.set(path, t);
  });
  return found;
}

/** Key of the method by which an object says what its parts are called in paths. */
export const parts: unique symbol = Symbol("parts");

/** An object whose parts have other names in paths than its fields: those that files have. */
export interface NamesParts {
  /** Its parts by name, in the order of files. */
  [parts](): object;
}

const namesParts = (value: object): value is NamesParts => parts in value;

/** What a model or layer is made of, by name; nothing for a tensor and for plain data. */
function partsOf(value: unknown): [name: string, part: unknown][] {
  if (typeof value !== "object" || value === null) return [];
  if (value instanceof Tensor || ArrayBuffer.isView(value)) return [];
  return Object.entries(namesParts(value) ? value[parts]() : value);
}

function eachParameter(value: unknown, path: string, see: (path: string, t: Tensor) => void): void {
  if (value instanceof Tensor && asParameter(value)) see(path, value);
  for (const [name, part] of partsOf(value)) {
    eachParameter(part, path ? `${path}.${name}` : name, see);
  }
}

function parametersIn(part: object): Tensor[] {
  const found: Tensor[] = [];
  eachParameter(part, "", (_, t) => found.push(t));
  return found;
}

/** What decides whether a part trains: its trainable parameters, or all it has where none is. */
function decisiveIn(part: object): Tensor[] {
  const all = parametersIn(part), trainable = all.filter((t) => asParameter(t)!.trainable);
  return trainable.length > 0 ? trainable : all;
}

/**
 * The largest parts of a model that hold parameters, but none of these, with all that is in them:
 * also layers without parameters, such as a dropout between two frozen ones. Of running statistics
 * only those count that stand in a part by themselves.
 */
export function layersWithout(model: object, trained: ReadonlySet<Tensor>): Set<object> {
  const found = new Set<object>();
  const objectsIn = (part: object): object[] =>
    partsOf(part).map(([, value]) => value)
      .filter((value): value is object => typeof value === "object" && value !== null);
  const addAll = (part: object): void => {
    if (found.has(part) || part instanceof Tensor) return;
    found.add(part);
    objectsIn(part).forEach(addAll);
  };
  const visit = (part: object): void => {
    const own = decisiveIn(part);
    if (own.length > 0 && !own.some((t) => trained.has(t))) addAll(part);
    else objectsIn(part).forEach(visit);
  };
  visit(model);
  return found;
}

/** The elements a parameter begins with. */
export function initialElements(t: Tensor, random: Random): Float32Array<ArrayBuffer> {
  return asParameter(t)!.init(t.shape, random);
}
