/** Pictures on a terminal: two pixels a character, in 24-bit colour. */
import type { Image } from "../data/image.ts";
import { resizeImage } from "../data/image.ts";

/** Room for a picture. */
export interface Room {
  /** Characters in a line. */
  readonly columns: number;
  /** Lines. */
  readonly rows: number;
}

/**
 * The lines of a picture, made small enough for the room and never larger than it is. A character is
 * an upper half block: its colour is the upper pixel, its background the lower one.
 */
export function halfBlocks(image: Image, { columns, rows }: Room): string[] {
  const shrink = Math.min(1, columns / image.width, 2 * rows / image.height);
  const side = (size: number): number => Math.max(1, Math.floor(size * shrink));
  const { data, width, height } = resizeImage(image, side(image.width), side(image.height));
  const colour = (x: number, y: number): string =>
    data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3).join(";");
  return Array.from({ length: Math.ceil(height / 2) }, (_, row) => {
    const cells = Array.from({ length: width }, (_, x) => {
      const below = 2 * row + 1 < height ? `48;2;${colour(x, 2 * row + 1)}` : "49";
      return `\x1b[38;2;${colour(x, 2 * row)};${below}m▀`;
    });
    return `${cells.join("")}\x1b[0m`;
  });
}
