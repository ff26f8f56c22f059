/**
 * The nets of the bench, said once for every library in JavaScript: as calls of a few layers. Paths
 * of parameters are those of our models.
 */
import type { ModelEntry } from "../../models/model.ts";
import { isModelName, models } from "../../models/models.ts";
import { parametersOf } from "../../models/parameter.ts";
import { parameterElements } from "../fill.ts";
import { Refusal } from "../serve.ts";
import { classesOf, type NetName } from "../workload.ts";
import { efficientnetLite0, mobilenetV2 } from "./mobile_nets.ts";

/** Places before and after an image along an axis. */
export type Sides = readonly [before: number, after: number];

/** A convolution's settings. */
export interface ConvOptions {
  readonly stride: number;
  /** On both axes. */
  readonly sides: Sides;
  readonly bias: boolean;
  /** Each channel by itself (default false). */
  readonly depthwise?: boolean;
}

/** The layers a library has to offer; `T` is its tensor. */
export interface Layers<T> {
  /** Square filters. */
  conv(x: T, path: string, options: ConvOptions): T;
  /** Batch normalisation: of the batch in training, by running statistics in inference. */
  norm(x: T, path: string, eps: number): T;
  relu(x: T): T;
  relu6(x: T): T;
  add(a: T, b: T): T;
  maxPool(x: T, size: number, stride: number, padding: number): T;
  /** Mean over height and width: `[n,c]`. */
  mean(x: T): T;
  /** `[n, h·w·c]` in the order our Linear layers expect. */
  flatten(x: T): T;
  linear(x: T, path: string): T;
}

/** Logits of a net. */
export function forward<T>(name: NetName, layers: Layers<T>, x: T): T {
  if (name === "tutorial-cnn") return tutorialCnn(layers, x);
  if (name === "mobilenet_v2") return mobilenetV2(layers, x);
  if (name === "tf_efficientnet_lite0") return efficientnetLite0(layers, x);
  return resnet18(name, layers, x);
}

function tutorialCnn<T>(f: Layers<T>, x: T): T {
  const conv: ConvOptions = { stride: 1, sides: [0, 0], bias: true };
  const first = f.maxPool(f.relu(f.conv(x, "conv1", conv)), 2, 2, 0);
  const second = f.maxPool(f.relu(f.conv(first, "conv2", conv)), 2, 2, 0);
  const hidden = f.relu(f.linear(f.flatten(second), "fc1"));
  return f.linear(f.relu(f.linear(hidden, "fc2")), "fc3");
}

function resnet18<T>(name: NetName, f: Layers<T>, x: T): T {
  const big = name === "resnet18";
  const stem: ConvOptions = { stride: big ? 2 : 1, sides: big ? [3, 3] : [1, 1], bias: false };
  let h = f.relu(f.norm(f.conv(x, "conv1", stem), "bn1", 1e-5));
  if (big) h = f.maxPool(h, 3, 2, 1);
  for (let layer = 1; layer <= 4; layer++) {
    for (let block = 0; block < 2; block++) {
      h = basicBlock(f, h, `layer${layer}.${block}`, layer > 1 && block === 0 ? 2 : 1);
    }
  }
  return f.linear(f.mean(h), "fc");
}

function basicBlock<T>(f: Layers<T>, x: T, path: string, stride: number): T {
  const conv = (x: T, name: string, stride: number, padding: number): T =>
    f.conv(x, `${path}.${name}`, { stride, sides: [padding, padding], bias: false });
  const norm = (x: T, name: string): T => f.norm(x, `${path}.${name}`, 1e-5);
  const first = f.relu(norm(conv(x, "conv1", stride, 1), "bn1"));
  const second = norm(conv(first, "conv2", 1, 1), "bn2");
  const shortcut = stride === 1 ? x : norm(conv(x, "downsample.0", stride, 0), "downsample.1");
  return f.relu(f.add(second, shortcut));
}

/** A parameter in our layout. */
export interface Parameter {
  readonly path: string;
  readonly shape: readonly number[];
  readonly elements: Float32Array<ArrayBuffer>;
}

/** A model of ours. @throws {Refusal} where the table has none of this name */
export function entryOf(name: NetName): ModelEntry {
  if (!isModelName(name)) throw new Refusal(`the table of models has no ${name}`);
  return models[name];
}

/** All parameters of a net, running statistics included. */
export function parameters(name: NetName): Parameter[] {
  const model = entryOf(name).create({ classes: classesOf(name) });
  return [...parametersOf(model)].map(([path, { shape }]) => ({
    path,
    shape,
    elements: parameterElements(path, shape),
  }));
}

/** Whether the optimiser moves it. */
export const isTrained = (path: string): boolean => !/running_(mean|var)$/.test(path);

/** Filters `[kh,kw,cin,cout]` as `[cout,cin,kh,kw]`. */
export function toOihw(
  elements: Float32Array,
  [kh, kw, cin, cout]: readonly number[],
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(elements.length);
  let at = 0;
  for (let o = 0; o < cout; o++) {
    for (let c = 0; c < cin; c++) {
      for (let k = 0; k < kh * kw; k++) result[at++] = elements[(k * cin + c) * cout + o];
    }
  }
  return result;
}

/** Images `[n,h,w,c]` as `[n,c,h,w]`. */
export function toNchw(
  elements: Float32Array,
  [n, h, w, c]: readonly number[],
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(elements.length);
  let at = 0;
  for (let i = 0; i < n; i++) {
    for (let ch = 0; ch < c; ch++) {
      for (let p = 0; p < h * w; p++) result[at++] = elements[(i * h * w + p) * c + ch];
    }
  }
  return result;
}

/** The place in `[n,c,h,w]` of a place in `[n,h,w,c]`. */
export function nchwPlace(place: number, [, h, w, c]: readonly number[]): number {
  const channel = place % c, pixel = Math.floor(place / c);
  const image = Math.floor(pixel / (h * w));
  return (image * c + channel) * h * w + pixel % (h * w);
}

/** The place in `[o,c,kh,kw]` of a place in `[kh,kw,c,o]`. */
export function oihwPlace(place: number, [kh, kw, cin, cout]: readonly number[]): number {
  const o = place % cout, rest = Math.floor(place / cout);
  return (o * cin + rest % cin) * kh * kw + Math.floor(rest / cin);
}
