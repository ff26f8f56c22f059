/** Convolutions, and transposed ones. */
import { ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../core/graph.ts";
import { show } from "../../core/shape.ts";
import { conv2d, type Conv2dOptions, convTranspose2d } from "../../ops/conv2d.ts";
import { add } from "../../ops/pointwise.ts";
import type { Pair } from "../../ops/window.ts";
import { type Init, torchDefault } from "../init.ts";
import { parameter } from "../parameter.ts";
import type { Layer } from "./layer.ts";

/** Options of {@link Conv2d}. */
export interface Conv2dLayerOptions extends Conv2dOptions {
  /** Add a learned number to every output channel (default true). */
  readonly bias?: boolean;
  /** How the weights begin (default {@link torchDefault}). */
  readonly init?: Init;
  /** How the biases begin (default {@link torchDefault}). */
  readonly biasInit?: Init;
}

/** A size for each axis. */
const pairOf = (size: number | Pair): Pair => typeof size === "number" ? [size, size] : size;

/** Convolution with square or oblong filters, `[n,h,w,cin]` → `[n,h',w',cout]`; see `ops.conv2d`. */
export class Conv2d implements Layer {
  /** Filters, `[kh,kw,cin/groups,cout]`. */
  readonly weight: Tensor;
  /** `[cout]`, unless switched off. */
  readonly bias?: Tensor;
  readonly #options: Conv2dOptions;

  /**
   * Makes the parameters.
   *
   * @param channelsIn cin, a multiple of the groups
   * @param channelsOut cout, a multiple of the groups
   * @param kernel height and width of the filters in pixels, one number for both
   * @param options padding `"same"` is TensorFlow's: ⌈h/stride⌉ rows for pictures of any size
   * @throws {ShapeError} when a size is no whole number from 1
   */
  constructor(
    channelsIn: number,
    channelsOut: number,
    kernel: number | Pair,
    { bias = true, init, biasInit, ...options }: Conv2dLayerOptions = {},
  ) {
    const [kh, kw] = pairOf(kernel), perGroup = channelsIn / (options.groups ?? 1);
    const fallback = torchDefault(kh * kw * perGroup), layout = { kind: "conv" } as const;
    this.weight = parameter([kh, kw, perGroup, channelsOut], { init: init ?? fallback, layout });
    if (bias) this.bias = parameter([channelsOut], { init: biasInit ?? fallback });
    this.#options = options;
  }

  /**
   * `x ∗ weight + bias` for x `[n,h,w,cin]`.
   *
   * @throws {ShapeError} when channels differ, or no window fits
   */
  forward(x: Tensor): Tensor {
    const y = conv2d(x, this.weight, this.#options);
    return this.bias ? add(y, this.bias) : y;
  }
}

/** Options of {@link ConvTranspose2d}. */
export interface ConvTranspose2dLayerOptions extends Conv2dLayerOptions {
  /** Places that the padding takes away, on all sides (default 0). */
  readonly padding?: number;
  /** Rows and columns more at the bottom and right, less than the stride (default 0). */
  readonly outputPadding?: number | Pair;
}

/**
 * Transposed convolution, which enlarges pictures; see `ops.convTranspose2d`.
 *
 * Shapes: `[n,h,w,cin]` → `[n, (h−1)·s − 2p + d·(kh−1) + outputPadding + 1, …, cout]`, as PyTorch's.
 *
 * @source Dumoulin & Visin 2016, arXiv:1603.07285, §4
 */
export class ConvTranspose2d implements Layer {
  /**
   * `[kh,kw,cout/groups,cin]`: the filters of the convolution from the result back to x, so that they
   * lie on disk as PyTorch has them, `[cin,cout/groups,kh,kw]`.
   */
  readonly weight: Tensor;
  /** `[cout]`, unless switched off. */
  readonly bias?: Tensor;
  readonly #kernel: Pair;
  readonly #outputPadding: Pair;
  readonly #options: Conv2dOptions & { readonly padding: number };

  /**
   * Makes the parameters.
   *
   * @param channelsIn cin, a multiple of the groups
   * @param channelsOut cout, a multiple of the groups
   * @param kernel height and width of the filters in pixels, one number for both
   * @throws {ShapeError} when a size is no whole number from 1, or `outputPadding` is not below the
   *   stride
   */
  constructor(
    channelsIn: number,
    channelsOut: number,
    kernel: number | Pair,
    options: ConvTranspose2dLayerOptions = {},
  ) {
    const { bias = true, init, biasInit, outputPadding = 0, padding = 0, ...rest } = options;
    const [kh, kw] = this.#kernel = pairOf(kernel), perGroup = channelsOut / (rest.groups ?? 1);
    const fallback = torchDefault(kh * kw * perGroup), layout = { kind: "conv" } as const;
    this.weight = parameter([kh, kw, perGroup, channelsIn], { init: init ?? fallback, layout });
    if (bias) this.bias = parameter([channelsOut], { init: biasInit ?? fallback });
    this.#options = { ...rest, padding };
    this.#outputPadding = pairOf(outputPadding);
    const stride = pairOf(rest.stride ?? 1);
    if (this.#outputPadding.some((more, k) => !(more >= 0 && more < stride[k]))) {
      throw new ShapeError(
        `Cannot make a ConvTranspose2d: outputPadding is ${show(this.#outputPadding)}, ` +
          `from 0 to below the stride ${show(stride)} is wanted`,
      );
    }
  }

  /**
   * The transposed convolution of x `[n,h,w,cin]`, plus the bias.
   *
   * @throws {ShapeError} when channels differ, or nothing is left of the result
   */
  forward(x: Tensor): Tensor {
    const { stride = 1, dilation = 1, padding } = this.#options;
    const strides = pairOf(stride), dilations = pairOf(dilation);
    const size = (k: 0 | 1): number =>
      ((x.shape[k + 1] ?? 1) - 1) * strides[k] - 2 * padding +
      dilations[k] * (this.#kernel[k] - 1) + this.#outputPadding[k] + 1;
    const outputSize: Pair = [size(0), size(1)];
    const y = convTranspose2d(x, this.weight, { ...this.#options, outputSize });
    return this.bias ? add(y, this.bias) : y;
  }
}
