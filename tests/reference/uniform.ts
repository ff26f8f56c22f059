/** Uniform random numbers one by one. */
import { hashText, threefry } from "../../core/rng.ts";

/** The words under which a place draws. */
export function keyOf(seed: number, site: number): [number, number] {
  return threefry(seed % 2 ** 32, Math.floor(seed / 2 ** 32) ^ hashText("uniform"), site, 0);
}

/** The number of an element of a step: 24 bits of the first word for (element, step). */
export function uniformAt(key: readonly [number, number], step: number, element: number): number {
  return Math.floor(threefry(key[0], key[1], element % 2 ** 32, step)[0] / 256) / 2 ** 24;
}
