/** Small pictures, each with content of its own, and folders of them. */
import { dirname } from "node:path";
import type { Preparation } from "../../models/preparation.ts";
import { encodePng } from "../../wasm/image.ts";

/** A PNG of noise that follows from its number: others have other bytes. */
export function picture(number: number, width = 6, height = 5): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  for (let k = 0; k < data.length; k++) data[k] = Math.imul(number + 1, 2654435761) >>> (k % 25);
  data[0] = number;
  data[1] = number >> 8;
  return encodePng({ width, height, data }, { effort: "fast" });
}

/** Writes files into folders, which are made. */
export async function writeTree(root: string, files: Record<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.mkdir(dirname(`${root}/${name}`), { recursive: true });
    await Deno.writeFile(`${root}/${name}`, bytes);
  }
}

/** Pictures of classes, by path: `count` of each, numbered from `first` on. */
export function classFiles(
  classes: readonly string[],
  count: number,
  first = 0,
): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  classes.forEach((name, c) => {
    for (let k = 0; k < count; k++) {
      files[`${name}/${first + k}.png`] = picture(first + c * 1000 + k);
    }
  });
  return files;
}

/** A small net's preparation. */
export const small: Preparation = {
  ...{ height: 8, width: 8, fit: "crop", share: 1, filter: "bilinear", channels: 3 },
  ...{ mean: [0, 0, 0], std: [1, 1, 1] },
};
