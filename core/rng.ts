/**
 * Counter-based random numbers: every value is a pure function of a seed and a position, so the
 * number of workers, threads or devices never changes a result.
 *
 * The generator is Threefry-2x32 with 20 rounds: additions, rotations and xors of 32-bit words only,
 * so the same bits come out of TypeScript, Rust and WGSL.
 *
 * @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
 */

const rotations = [13, 15, 26, 6, 17, 29, 16, 24];
const parity = 0x1bd11bda;
const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** Two random 32-bit words for a key of two words and a counter of two words. */
export function threefry(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const key = [k0 | 0, k1 | 0, k0 ^ k1 ^ parity];
  let x = (c0 + key[0]) | 0, y = (c1 + key[1]) | 0;
  for (let round = 0; round < 20; round++) {
    x = (x + y) | 0;
    y = rotate(y, rotations[round % 8]) ^ x;
    if (round % 4 === 3) {
      const turn = (round + 1) / 4;
      x = (x + key[turn % 3]) | 0;
      y = (y + key[(turn + 1) % 3] + turn) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}

/** A 32-bit word from a text: FNV-1a over UTF-16 code units. Names a site in a {@link Random}. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A stream of random numbers; equal arguments give equal streams. */
export class Random {
  readonly #k0: number;
  readonly #k1: number;
  #counter = 0;
  #spare: number | undefined;

  /**
   * Starts a stream at its first number.
   *
   * @param seed chosen by the user, up to 2⁵³
   * @param site what the numbers are for, such as a parameter path or `"shuffle"`
   * @param index position within the site, such as an epoch or an image
   */
  constructor(seed: number, site = "", index = 0) {
    const high = Math.floor(seed / 2 ** 32);
    [this.#k0, this.#k1] = threefry(seed >>> 0, high ^ hashText(site), index >>> 0, 0x5eed);
  }

  /** A uniform 32-bit word. */
  word(): number {
    if (this.#spare !== undefined) {
      const word = this.#spare;
      this.#spare = undefined;
      return word;
    }
    const [word, spare] = threefry(this.#k0, this.#k1, this.#counter++, 0);
    this.#spare = spare;
    return word;
  }

  /** The uniform word at a place of the stream, from 0; nothing is drawn by it. */
  wordAt(place: number): number {
    return threefry(this.#k0, this.#k1, Math.floor(place / 2), 0)[place % 2];
  }

  /** A number in [0, 1) with 24 random bits, exact in f32. */
  uniform(): number {
    return (this.word() >>> 8) / 2 ** 24;
  }

  /** A whole number in [0, n), without bias. */
  below(n: number): number {
    if (!(n >= 1 && n <= 2 ** 32)) {
      throw new RangeError(`Cannot draw below ${n}, a whole number from 1 to 2³² is wanted`);
    }
    const limit = Math.floor(2 ** 32 / n) * n;
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** A normal deviate with mean 0 and variance 1 (Box–Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** The numbers 0 … n−1 in random order (Fisher–Yates). */
  permutation(n: number): Uint32Array<ArrayBuffer> {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}
