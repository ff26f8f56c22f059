/** A model with its weights as an ONNX file, for other runtimes. */
import type { Tensor } from "../../core/graph.ts";
import { UsageError } from "../../core/errors.ts";
import { input } from "../../core/structure.ts";
import { version } from "../../core/version.ts";
import type { ModelUsage } from "../checkpoint.ts";
import type { Model } from "../model.ts";
import { Pass } from "../pass.ts";
import type { Preparation } from "../preparation.ts";
import type { Weights } from "../weights.ts";
import { mapped, unmapped } from "./expressions.ts";
import { encodeOnnx } from "./file.ts";
import { type OnnxConstant, type OnnxInput, onnxNode, type OnnxValue } from "./graph.ts";
import { operations } from "./operations.ts";
import { biased, normalized } from "./product.ts";
import { sameSize, traceSizes, unfit } from "./sizes.ts";
import { Translation } from "./translation.ts";

/**
 * What an exported model is fed with.
 *
 * - `unit`: red, green and blue from 0 to 1; the graph normalises them
 * - `bytes`: the same from 0 to 255
 * - `normalized`: what the net itself sees; whoever runs the model normalises
 */
export type OnnxPixels = "unit" | "bytes" | "normalized";

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions {
  /** What the model is fed with (default `unit`). */
  readonly pixels?: OnnxPixels;
  /**
   * Keep batch normalisation as operations of its own (default false: it is folded into the weights
   * of the convolution before it).
   */
  readonly keepBatchNorm?: boolean;
  /**
   * Element type of weights in the file (default `F32`); `F16` halves it and rounds to 11 bits. What
   * is computed is f32 either way; vectors, such as biases, stay f32.
   */
  readonly dtype?: "F32" | "F16";
  /** Further metadata, such as the accuracy reached. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The bytes of an ONNX file (operators of version 17) that computes what the model does in
 * evaluation.
 *
 * - Input `pixels`, f32 `[batch,channels,height,width]`, of the preparation's size; any batch.
 * - Outputs `logits` and `probabilities` (their softmax), f32 `[batch,classes]`.
 * - Metadata: `model`, `classes` (a JSON list of names), `preparation` (JSON, what is done to a
 *   picture before), and `pixels`, the option.
 *
 * Any model of operations that have a translation can be exported: all of the table, and your own.
 * Accuracy: a few roundings of f32, since other runtimes sum in another order.
 *
 * @param usage names of the classes, and what is done to a picture
 * @throws {UsageError} when an operation has no translation (it is named), when names of classes do
 *   not fit the model, or when the file would have 2 GiB or more
 * @throws {CheckpointError} when a weight is too large for the element type, 65,504 at most for F16
 * @throws {ShapeError} when the model does not take pictures of the preparation's size
 * @throws {DeviceError} when the weights were closed, or the device was lost
 * @source onnx.ai, "Operators"
 * @example
 * ```ts
 * import { exportOnnx } from "../onnx.ts";
 * import { initialWeights, models, openDevice } from "../../mod.ts";
 * using device = await openDevice("wasm");
 * const { create, preparation } = models["tutorial-cnn"];
 * using weights = initialWeights(device, create({ classes: 2 }), 0);
 * const bytes = await exportOnnx(weights, { classes: ["cat", "dog"], preparation });
 * console.log(bytes.length > 100_000); // true; Deno.writeFile("model.onnx", bytes)
 * ```
 */
export async function exportOnnx(
  weights: Weights,
  usage: ModelUsage,
  options: ExportOnnxOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { model } = weights, { classes, preparation } = usage, { name } = model;
  const { pixels = "unit", metadata = {} } = options;
  if (classes.length !== model.classes) {
    throw new UsageError(
      `Cannot export ${name} as ONNX: it has ${model.classes} outputs, ` +
        `${classes.length} names of classes are given`,
    );
  }
  const elements = new Map<Tensor, Float32Array>();
  for (const t of weights.parameters.values()) elements.set(t, await weights.read(t));
  const logits = translated(model, elements, preparation, { ...options, pixels });
  const probabilities = onnxNode("Softmax", [logits], "", { axis: -1 });
  const shape = ["batch", classes.length];
  return encodeOnnx({
    name,
    version,
    results: [
      { name: "logits", value: logits, shape },
      { name: "probabilities", value: probabilities, shape },
    ],
    metadata: {
      ...metadata,
      ...{ model: name, classes: JSON.stringify(classes) },
      ...{ preparation: JSON.stringify(preparation), pixels },
    },
  });
}

/** The model's logits, from the input of the file. */
function translated(
  model: Model,
  weights: ReadonlyMap<Tensor, Float32Array>,
  preparation: Preparation,
  { pixels, keepBatchNorm = false, dtype }: ExportOnnxOptions & { readonly pixels: OnnxPixels },
): OnnxValue {
  const { height, width, channels } = preparation, pictures = new Set<Tensor>();
  const pass = traceSizes(model.name, (batch) => {
    const x = input([batch, height, width, channels], "pixels");
    pictures.add(x);
    return model.forward(x, new Pass({ train: false, batchSize: batch }));
  });
  const to = new Translation(model.name, pass, weights, dtype === "F16");
  for (const node of pass.nodes) {
    const [y] = node.outputs;
    if (pictures.has(y)) {
      to.place(y, { value: normalizedPixels(preparation, pixels), layout: "channelsFirst" });
    } else if (node.op.kind === "map" && node.inputs.length > 0) {
      to.place(y, normalized(node, to, keepBatchNorm) ?? biased(node, to) ?? mapped(node, to));
    } else if (node.inputs.length > 0) {
      const row = operations.get(node.op);
      if (!row) throw unmapped(model.name, node);
      to.place(y, row.write(node, to));
    }
  }
  const [n, count, ...more] = pass.sizesOf(pass.output);
  if (!sameSize(n, { perPicture: 1 }) || count !== model.classes || more.length > 0) {
    const wanted = `logits [n,${model.classes}] are wanted`;
    throw unfit(model.name, `its result is ${pass.output} for 2 pictures, ${wanted}`);
  }
  return to.plain(pass.output);
}

/** `(pixels − mean) / std`, channel by channel, from what the file is fed with. */
function normalizedPixels(preparation: Preparation, pixels: OnnxPixels): OnnxValue {
  const { height, width, channels, mean, std } = preparation;
  const shape = ["batch", channels, height, width];
  const given: OnnxInput = { kind: "input", label: "pixels", shape };
  if (pixels === "normalized") return given;
  const white = pixels === "bytes" ? 255 : 1;
  const vector = (label: string, list: readonly number[]): OnnxConstant => {
    const elements = (): Float32Array => Float32Array.from(list, (v) => v * white);
    return { kind: "constant", label, shape: [1, channels, 1, 1], elements };
  };
  const centred = onnxNode("Sub", [given, vector("mean", mean)], "normalize");
  return onnxNode("Div", [centred, vector("std", std)], "normalize");
}
