/** What operations with kernels of their own are in ONNX: a row for each. */
import type { Node, Op, Tensor } from "../../core/graph.ts";
import { reshapeOp } from "../../core/structure.ts";
import { type ConcatAttrs, concatOp, padOp, sliceOp, transposeOp } from "../../ops/layout.ts";
import { conv2dOp, type ConvAttrs, convTranspose2dOp } from "../../ops/conv2d.ts";
import { type MatmulAttrs, matmulOp } from "../../ops/matmul.ts";
import { avgPoolOp, maxPoolOp, type PoolAttrs } from "../../ops/pool.ts";
import { type ReduceAttrs, reduceOp } from "../../ops/reduce.ts";
import { softmaxOp } from "../../ops/softmax.ts";
import { type Pair, type WindowGeometry, windowGeometry } from "../../ops/window.ts";
import { diskShape, toDisk } from "../layout.ts";
import type { DiskLayout } from "../parameter.ts";
import { onnxIntegers, onnxNode, type OnnxValue } from "./graph.ts";
import { placedProduct } from "./product.ts";
import { sameSize, type Size, unfit } from "./sizes.ts";
import { channelsSecond, type Placed, type Translation, transposed } from "./translation.ts";

/** How an operation is written: its result, from those of the operations before it. */
interface Row<A = unknown> {
  write(node: Node<A>, to: Translation): Placed;
}

const row = <A>(op: Op<A>, write: Row<A>["write"]): readonly [Op, Row] => [op, { write }];

/** Rows by the operation itself. */
export const operations: ReadonlyMap<Op, Row> = new Map([
  row(conv2dOp, convolution),
  row(convTranspose2dOp, transposedConvolution),
  row(maxPoolOp, (node, to) => pooled("MaxPool", node, to)),
  row(avgPoolOp, (node, to) => pooled("AveragePool", node, to)),
  row(matmulOp, product),
  row(reduceOp, reduction),
  row(softmaxOp, softmax),
  row(reshapeOp, reshape),
  row(padOp, padding),
  row(sliceOp, (node, to) => part(node, to)),
  row(concatOp, concatenation),
  row(transposeOp, ({ inputs: [x], attrs: { order }, path }, to) => ({
    value: transposed(to.plain(x), order, path),
    layout: "plain",
  })),
]);

/** The label of a weight. */
const labelOf = (w: Tensor, path: string): string =>
  (w.node.attrs as { label?: string }).label || `${path || "product"}.weight`;

const conv: DiskLayout = { kind: "conv" };

/** Where windows lie, as `Conv` and the pools have it. */
function windows({ kh, kw, sh, sw, dh, dw }: WindowGeometry) {
  return { kernel_shape: [kh, kw], strides: [sh, sw], dilations: [dh, dw] };
}

function convolution(node: Node<ConvAttrs>, to: Translation): Placed {
  const { inputs: [x, w], attrs, path } = node, [kh, kw, , channels] = w.shape;
  const g = windowGeometry("export", x.shape, [kh, kw], attrs);
  const pads = [g.pt, g.pl, g.pb, g.pr], attributes = { ...windows(g), pads, group: attrs.groups };
  const images = to.channelsFirst(x);
  const write = (...weights: readonly OnnxValue[]): OnnxValue =>
    onnxNode("Conv", [images, ...weights], path, attributes);
  const elements = to.constantOf(w), each = w.shape[0] * w.shape[1] * w.shape[2];
  if (!elements) {
    return { value: write(transposed(to.plain(w), [3, 2, 0, 1], path)), layout: "channelsFirst" };
  }
  const weights = { label: labelOf(w, path), shape: diskShape(w.shape, conv), channels, write };
  return placedProduct(
    {
      ...weights,
      elements: () => toDisk(elements, w.shape, conv),
      channelOf: (k) => Math.floor(k / each),
    },
    "channelsFirst",
    to,
  );
}

function transposedConvolution(
  node: Node<ConvAttrs & { readonly size: Pair }>,
  to: Translation,
): Placed {
  const { inputs: [x, w], outputs: [y], attrs, path } = node, [kh, kw, each, cin] = w.shape;
  const { groups } = attrs, g = windowGeometry("export", y.shape, [kh, kw], attrs);
  const more = (size: number, axis: 1 | 2, s: number, reach: number, around: number): number =>
    size - ((x.shape[axis] - 1) * s + reach - around);
  const output_padding = [
    more(g.h, 1, g.sh, g.dh * (kh - 1) + 1, g.pt + g.pb),
    more(g.w, 2, g.sw, g.dw * (kw - 1) + 1, g.pl + g.pr),
  ];
  const pads = [g.pt, g.pl, g.pb, g.pr];
  const attributes = { ...windows(g), pads, output_padding, group: groups };
  const images = to.channelsFirst(x);
  const write = (...weights: readonly OnnxValue[]): OnnxValue =>
    onnxNode("ConvTranspose", [images, ...weights], path, attributes);
  const elements = to.constantOf(w), places = kh * kw;
  if (!elements) {
    return { value: write(transposed(to.plain(w), [3, 2, 0, 1], path)), layout: "channelsFirst" };
  }
  return placedProduct(
    {
      ...{ label: labelOf(w, path), shape: diskShape(w.shape, conv), channels: y.shape[3], write },
      elements: () => toDisk(elements, w.shape, conv),
      // [cin, cout/groups, kh, kw]: the inputs of a group go to its own outputs.
      channelOf: (k) => {
        const from = Math.floor(k / (each * places)), group = Math.floor(from * groups / cin);
        return group * each + Math.floor(k / places) % each;
      },
    },
    "channelsFirst",
    to,
  );
}

/**
 * Margins for windows that round up are written as padding, which never wins a maximum and counts
 * as zeros in our sums: not every runtime agrees on `ceil_mode`.
 */
function pooled(op: "MaxPool" | "AveragePool", node: Node<PoolAttrs>, to: Translation): Placed {
  const { inputs: [x], attrs, path } = node, isMean = op === "AveragePool";
  const g = windowGeometry("export", x.shape, attrs.size, attrs);
  const { dilations, ...rest } = windows(g);
  if (isMean && dilations.some((d) => d !== 1)) {
    throw unfit(to.name, `${node.label} has a dilation, which an AveragePool has not`);
  }
  const bottom = Math.max(g.pb, (g.oh - 1) * g.sh + g.dh * (g.kh - 1) + 1 - g.h - g.pt);
  const right = Math.max(g.pr, (g.ow - 1) * g.sw + g.dw * (g.kw - 1) + 1 - g.w - g.pl);
  const attributes = { ...rest, pads: [g.pt, g.pl, bottom, right] };
  const own = isMean ? { ...attributes, count_include_pad: 1 } : { ...attributes, dilations };
  return { value: onnxNode(op, [to.channelsFirst(x)], path, own), layout: "channelsFirst" };
}

function product(node: Node<MatmulAttrs>, to: Translation): Placed {
  const { inputs: [a, b], attrs: { transposeA, transposeB }, path } = node;
  const elements = to.constantOf(b), { layout } = to.placed(a);
  const isFlat = a.shape.length === 2 && b.shape.length === 2;
  if (isFlat && elements && !transposeA && !transposeB) {
    // Weights as PyTorch has them, for inputs in whichever order they lie.
    const flattened = typeof layout === "object" ? layout.flattened : undefined;
    const disk: DiskLayout = { kind: "linear", flattened }, [inputs, channels] = b.shape;
    const rows = flattened ? to.placed(a).value : to.plain(a);
    return placedProduct(
      {
        ...{ label: labelOf(b, path), shape: [channels, inputs], channels },
        elements: () => toDisk(elements, b.shape, disk),
        channelOf: (k) => Math.floor(k / inputs),
        write: (...weights) => onnxNode("Gemm", [rows, ...weights], path, { transB: 1 }),
      },
      "plain",
      to,
    );
  }
  const turned = (t: Tensor, swap: boolean): OnnxValue => {
    const axes = t.shape.map((_, k) => k), last = axes.length - 1;
    return swap ? transposed(to.plain(t), [...axes.slice(0, -2), last, last - 1]) : to.plain(t);
  };
  const value = onnxNode("MatMul", [turned(a, transposeA), turned(b, transposeB)], path);
  return { value, layout: "plain" };
}

/** `[outer,mid,inner]` → `[outer,inner]`; over whole images it is a global pool. */
function reduction(node: Node<ReduceAttrs>, to: Translation): Placed {
  const { inputs: [x], attrs: { kind, mid, scale }, path } = node;
  const isMean = kind === "sum" && Math.abs(scale * mid - 1) < 1e-9;
  const images = x.node.op === reshapeOp ? x.node.inputs[0] : undefined;
  if (images?.shape.length === 4 && keepsEnds(images, x, to) && (isMean || kind === "max")) {
    const op = isMean ? "GlobalAveragePool" : "GlobalMaxPool";
    const pool = onnxNode(op, [to.channelsFirst(images)], path);
    return { value: onnxNode("Flatten", [pool], path, { axis: 1 }), layout: "plain" };
  }
  const { layout, value } = to.placed(x), isFirst = layout === "channelsFirst";
  const own = isFirst ? value : to.plain(x), axes = [isFirst ? 2 : 1];
  if (kind === "max" || isMean) {
    const op = kind === "max" ? "ReduceMax" : "ReduceMean";
    return { value: onnxNode(op, [own], path, { axes, keepdims: 0 }), layout: "plain" };
  }
  const sum = onnxNode("ReduceSum", [own, onnxIntegers("axes", axes)], path, { keepdims: 0 });
  const scaled = scale === 1 ? sum : onnxNode("Mul", [sum, to.number(scale)], path);
  return { value: scaled, layout: "plain" };
}

function softmax(node: Node<{ readonly log: boolean }>, to: Translation): Placed {
  const { inputs: [x], attrs: { log }, path } = node, { layout, value } = to.placed(x);
  const isFirst = layout === "channelsFirst", axis = isFirst ? 1 : -1;
  const own = isFirst ? value : to.plain(x);
  return {
    value: onnxNode(log ? "LogSoftmax" : "Softmax", [own], path, { axis }),
    layout: isFirst ? layout : "plain",
  };
}

/** Whether two shapes have the first and the last axis in common: between them there is no order. */
function keepsEnds(a: Tensor, b: Tensor, to: Translation): boolean {
  const from = to.sizesOf(a), into = to.sizesOf(b);
  return from.length >= 2 && into.length >= 2 && sameSize(from[0], into[0]) &&
    sameSize(from.at(-1), into.at(-1));
}

function reshape(node: Node, to: Translation): Placed {
  const { inputs: [x], outputs: [y], path } = node, { value, layout } = to.placed(x);
  const into = to.sizesOf(y), rank = into.length, isFlat = typeof layout === "object";
  const from = to.sizesOf(x);
  if (from.length === rank && from.every((size, axis) => sameSize(size, into[axis]))) {
    return { value, layout };
  }
  // A vector for each picture is also an image of one pixel, channels first or last.
  const isVector = layout === "plain" && x.shape.length === 2 && rank >= 3;
  if (keepsEnds(x, y, to) && (layout === "channelsFirst" || isVector)) {
    const sizes = rank === 2 ? into : channelsSecond<Size>(into);
    return {
      value: to.reshaped(value, sizes, path),
      layout: rank === 2 ? "plain" : "channelsFirst",
    };
  }
  const isBatch = sameSize(from[0], into[0]);
  if (layout === "channelsFirst" && isBatch && x.shape.length === 4 && rank === 2) {
    const [, h, w, c] = x.shape, flat = onnxNode("Flatten", [value], path, { axis: 1 });
    return { value: flat, layout: { flattened: [h, w, c] } };
  }
  if (isFlat && isBatch && rank >= 3 && into.at(-1) === layout.flattened[2]) {
    return { value: to.reshaped(value, channelsSecond(into), path), layout: "channelsFirst" };
  }
  return { value: to.reshaped(to.plain(x), into, path), layout: "plain" };
}

function padding(
  node: Node<{ readonly margins: readonly (readonly [number, number])[]; readonly value: number }>,
  to: Translation,
): Placed {
  const { inputs: [x], attrs: { margins, value: fill }, path } = node;
  const { value, layout } = to.placed(x), isFirst = layout === "channelsFirst";
  if (typeof to.sizesOf(x)[0] === "object" && margins[0].some((size) => size > 0)) {
    throw unfit(to.name, `${node.label} adds pictures to a batch`);
  }
  const ordered = isFirst ? channelsSecond(margins) : margins;
  const pads = [...ordered.map(([before]) => before), ...ordered.map(([, after]) => after)];
  const own = isFirst ? value : to.plain(x);
  const inputs = [own, onnxIntegers("pads", pads), to.number(fill)];
  return { value: onnxNode("Pad", inputs, path), layout: isFirst ? layout : "plain" };
}

function part(node: Node<{ readonly starts: readonly number[] }>, to: Translation): Placed {
  const { inputs: [x], outputs: [y], attrs: { starts }, path } = node;
  const { value, layout } = to.placed(x), isFirst = layout === "channelsFirst";
  const rank = y.shape.length, from = to.sizesOf(x), sizes = to.sizesOf(y);
  const cut = sizes.flatMap((size, axis) => sameSize(size, from[axis]) ? [] : [axis]);
  const ends = cut.map((axis) => {
    const size = sizes[axis];
    if (typeof size === "number" && typeof from[axis] === "number") return starts[axis] + size;
    throw unfit(to.name, `${node.label} takes pictures out of a batch`);
  });
  const place = channelsSecond(sizes.map((_, axis) => axis));
  const axes = cut.map((axis) => isFirst ? place.indexOf(axis) : axis);
  const lists = [["starts", cut.map((axis) => starts[axis])], ["ends", ends], [
    "axes",
    axes,
  ]] as const;
  const own = isFirst && rank >= 3 ? value : to.plain(x);
  const inputs = [own, ...lists.map(([label, list]) => onnxIntegers(label, list))];
  return { value: onnxNode("Slice", inputs, path), layout: isFirst ? layout : "plain" };
}

function concatenation({ inputs, attrs, path }: Node<ConcatAttrs>, to: Translation): Placed {
  const rank = inputs[0].shape.length, place = channelsSecond(inputs[0].shape.map((_, k) => k));
  const isFirst = inputs.some((t) => to.placed(t).layout === "channelsFirst");
  const parts = inputs.map((t) => isFirst ? to.channelsFirst(t, rank) : to.plain(t));
  const axis = isFirst ? place.indexOf(attrs.axis) : attrs.axis;
  return {
    value: onnxNode("Concat", parts, path, { axis }),
    layout: isFirst ? "channelsFirst" : "plain",
  };
}
