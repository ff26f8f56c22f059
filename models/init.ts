/** Initialisers: the elements a parameter begins with. */
import type { Random } from "../core/rng.ts";
import { type Shape, sizeOf } from "../core/shape.ts";

/** Draws the elements of a parameter, in row-major order of its memory layout. */
export type Init = (shape: Shape, random: Random) => Float32Array<ArrayBuffer>;

/** Every element `value`. */
export const fill = (value: number): Init => (shape) => new Float32Array(sizeOf(shape)).fill(value);

/** Uniform in [−bound, bound). */
export const uniform = (bound: number): Init => (shape, random) =>
  Float32Array.from({ length: sizeOf(shape) }, () => (2 * random.uniform() - 1) * bound);

/** Normal with mean 0 and the given standard deviation. */
export const normal = (deviation: number): Init => (shape, random) =>
  Float32Array.from({ length: sizeOf(shape) }, () => random.normal() * deviation);

/**
 * PyTorch's default for convolutions, linear layers and their biases: U(±1/√fan_in).
 *
 * @source PyTorch `nn.Linear.reset_parameters`, which is Kaiming uniform with a = √5
 */
export const torchDefault = (fanIn: number): Init => uniform(1 / Math.sqrt(fanIn));

/**
 * Normal with variance 2/fan_out, for convolutions before ReLU in residual nets.
 *
 * @source He et al. 2015, "Delving deep into rectifiers", in torchvision's `fan_out` form
 */
export const kaimingNormal = (fanOut: number): Init => normal(Math.sqrt(2 / fanOut));

/**
 * Uniform with variance 2/fan_in, for convolutions before ReLU in nets without batch norm.
 *
 * @source He et al. 2015, "Delving deep into rectifiers", arXiv:1502.01852
 */
export const kaimingUniform = (fanIn: number): Init => uniform(Math.sqrt(6 / fanIn));
