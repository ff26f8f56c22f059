/**
 * Convolutions and matrix products by constant weights, which take in what follows them: a bias,
 * and a batch normalisation, since `(w·x + b − mean)·scale + beta = (w·scale)·x + (b − mean)·scale + beta`.
 */
import { primitives as p } from "../../core/expr.ts";
import { asLeaf, type Node, type Tensor } from "../../core/graph.ts";
import { literalValue } from "../../core/structure.ts";
import { sameShape } from "../../core/shape.ts";
import { operandsOf } from "./expressions.ts";
import { onnxNode } from "./graph.ts";
import type { Layout, Placed, Product, Translation } from "./translation.ts";

/** A product where it stands in the graph. */
export function placedProduct(product: Product, layout: Layout, to: Translation): Placed {
  const { label, shape, elements, bias } = product;
  const weights = [to.weight(label, shape, elements)];
  if (bias) {
    const rounded = (): Float32Array => Float32Array.from(bias.elements);
    weights.push(to.weight(bias.label, [product.channels], rounded));
  }
  return { value: product.write(...weights), layout, product };
}

/** Batch normalisation as `batchNormInference` writes it, of constant vectors. */
interface Norm {
  readonly x: Tensor;
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly eps: number;
  /** Its layer. */
  readonly path: string;
}

/** A batch normalisation that ends in this node: `(x − mean)·(gamma·rsqrt(variance + eps)) + beta`. */
function normAt(node: Node, to: Translation): Norm | undefined {
  const [scaled, beta] = operandsOf(node.outputs[0], p.add) ?? [];
  const [moved, scale] = scaled ? operandsOf(scaled, p.mul) ?? [] : [];
  const [x, mean] = moved ? operandsOf(moved, p.sub) ?? [] : [];
  const [gamma, root] = scale ? operandsOf(scale, p.mul) ?? [] : [];
  const [sum] = root ? operandsOf(root, p.rsqrt) ?? [] : [];
  const [variance, small] = sum ? operandsOf(sum, p.add) ?? [] : [];
  const eps = small && literalValue(small);
  if (!x || !variance || eps === undefined || x.shape.length < 2) return undefined;
  const channels = [x.shape[x.shape.length - 1]], vectors = [gamma, beta, mean, variance];
  if (!vectors.every((t) => sameShape(t.shape, channels))) return undefined;
  const [g, b, m, v] = vectors.map((t) => to.constantOf(t));
  if (!g || !b || !m || !v) return undefined;
  return { x, gamma: g, beta: b, mean: m, variance: v, eps, path: scale!.node.path };
}

/**
 * A batch normalisation, where one ends in this node: put into the product before it, where nothing
 * else reads that and folding is asked for, or an operation of its own.
 */
export function normalized(node: Node, to: Translation, keep: boolean): Placed | undefined {
  const norm = normAt(node, to);
  if (!norm) return undefined;
  const { product, layout } = to.placed(norm.x);
  const isFoldable = !keep && product && to.pass.readers(norm.x) === 1;
  if (isFoldable) return placedProduct(folded(product, norm), layout, to);
  const { x, path, gamma, beta, mean, variance, eps } = norm, isImage = x.shape.length >= 3;
  const vectors = Object.entries({ weight: gamma, bias: beta, running_mean: mean })
    .concat([["running_var", variance]])
    .map(([name, list]) => to.weight(`${path}.${name}`, [list.length], () => list));
  const own = isImage ? to.channelsFirst(x) : to.plain(x);
  const value = onnxNode("BatchNormalization", [own, ...vectors], path, {
    epsilon: { float: eps },
  });
  return { value, layout: isImage ? "channelsFirst" : "plain" };
}

/** A product with a normalisation in its weights, reckoned in float64. */
function folded(product: Product, { gamma, beta, mean, variance, eps, path }: Norm): Product {
  const { channelOf, elements } = product, before = product.bias?.elements;
  const scale = Float64Array.from(gamma, (g, c) => g / Math.sqrt(variance[c] + eps));
  const bias = Float64Array.from(beta, (b, c) => ((before?.[c] ?? 0) - mean[c]) * scale[c] + b);
  const label = product.bias?.label ?? `${path}.bias`;
  const scaled = (): Float32Array => elements().map((w, k) => w * scale[channelOf(k)]);
  return { ...product, elements: scaled, bias: { label, elements: bias } };
}

/** A sum of a product that nothing else reads and a constant for each channel: its bias. */
export function biased(node: Node, to: Translation): Placed | undefined {
  const pair = operandsOf(node.outputs[0], p.add);
  if (!pair) return undefined;
  for (const [x, constant] of [pair, pair.toReversed()]) {
    if (literalValue(x) !== undefined) continue;
    const { product, layout } = to.placed(x), vector = to.constantOf(constant);
    const fits = product && vector && to.pass.readers(x) === 1 &&
      vector.length === product.channels && constant.shape.at(-1) === vector.length &&
      x.shape.length >= constant.shape.length;
    if (!fits) continue;
    const before = product.bias?.elements;
    const elements = Float64Array.from(vector, (v, c) => v + (before?.[c] ?? 0));
    const label = asLeaf(constant)?.label || `${x.node.path}.bias`;
    return placedProduct({ ...product, bias: { label, elements } }, layout, to);
  }
  return undefined;
}
