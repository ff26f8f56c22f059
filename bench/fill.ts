/**
 * Inputs and weights, as a pure function of a seed and a position, so that every engine computes on
 * the same numbers without a file. `peers/torch_fill.py` says the same in Python.
 */

/** Mixes a 32-bit word well. @source Wellons 2018, "Prospecting for hash functions" (lowbias32) */
export function mix(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Element `i` of the stream of a seed: 32 random bits. */
const word = (seed: number, i: number): number => mix(i + Math.imul(seed, 0x9e3779b9));

/** Uniform in ±bound. */
export function uniform(count: number, seed: number, bound = 0.5): Float32Array<ArrayBuffer> {
  const elements = new Float32Array(count);
  for (let i = 0; i < count; i++) elements[i] = (word(seed, i) / 2 ** 31 - 1) * bound;
  return elements;
}

/** A seed from a parameter's path: FNV-1a over its ASCII characters. */
export function seedOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * The elements of a parameter, in our layout (`[kh,kw,cin,cout]`, `[in,out]`): uniform with He's
 * variance for filters and matrices, 1 for scales and variances, 0 for the rest.
 */
export function parameterElements(
  path: string,
  shape: readonly number[],
): Float32Array<ArrayBuffer> {
  const count = shape.reduce((a, b) => a * b, 1);
  if (shape.length === 1) {
    return new Float32Array(count).fill(/(weight|running_var)$/.test(path) ? 1 : 0);
  }
  const fanIn = count / shape[shape.length - 1];
  return uniform(count, seedOf(path), Math.sqrt(6 / fanIn));
}

/** Pictures as packed pixels, RGBA8 with red in the low byte. */
export function pixels(count: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(count).map((_, i) => word(pixelSeed, i));
}

/** Mean and standard deviation, of every channel, by which pictures are normalised. */
export const normalisation = { mean: 0.5, std: 0.25 } as const;

/** The same pictures as an engine wants them that takes floats: NHWC, three channels, normalised. */
export function pictures(count: number): Float32Array<ArrayBuffer> {
  const elements = new Float32Array(3 * count), { mean, std } = normalisation;
  for (const [i, pixel] of pixels(count).entries()) {
    for (let c = 0; c < 3; c++) {
      elements[3 * i + c] = (((pixel >>> (8 * c)) & 255) / 255 - mean) / std;
    }
  }
  return elements;
}

/** Labels of a batch. */
export function labels(batch: number, classes: number): Int32Array<ArrayBuffer> {
  return new Int32Array(batch).map((_, i) => word(labelSeed, i) % classes);
}

const pixelSeed = 101;
const labelSeed = 102;

/** Seeds of the operands of single operations. */
export const seeds = { x: 1, w: 2, dy: 3 } as const;

/**
 * Learning rate and momentum of the steps that are compared. Timed steps have a rate of 0: else a net
 * would learn its one batch by heart, and what fades to denormal numbers is slow on some processors.
 */
export const training = { rate: 0.01, momentum: 0.9 } as const;

/** Steps whose losses are compared. */
export const checkedSteps = 3;

/** Positions at which results are compared, out of `size`, in our layout. */
export function samplePositions(size: number, count = 1024): number[] {
  return Array.from({ length: Math.min(size, count) }, (_, i) => (i * 2654435761) % size);
}

/** The elements at these positions. */
export function sampleOf(elements: ArrayLike<number>): number[] {
  return samplePositions(elements.length).map((i) => elements[i]);
}
