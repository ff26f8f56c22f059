/** Where a net looks, found by covering parts of a picture: stands in for Grad-CAM in these tests. */
import type { PngUrl } from "../../report/data.ts";
import { pngUrl } from "../../report/png_url.ts";
import { encodePng } from "../../wasm/image.ts";

const patch = 8, step = 4, grey = 0xff808080;

/** For each pixel, how much likelier the likeliest class is while the pixel is seen; 0–1. */
export async function heatOf(
  pixels: Uint32Array<ArrayBuffer>,
  side: number,
  ask: (pixels: Uint32Array<ArrayBuffer>) => Promise<number[]>,
): Promise<Float32Array> {
  const whole = await ask(pixels), best = whole.indexOf(Math.max(...whole));
  const heat = new Float32Array(side * side);
  for (let top = 0; top <= side - patch; top += step) {
    for (let left = 0; left <= side - patch; left += step) {
      const covered = pixels.slice();
      const each = (visit: (at: number) => void) => {
        for (let y = top; y < top + patch; y++) {
          for (let x = left; x < left + patch; x++) visit(y * side + x);
        }
      };
      each((at) => covered[at] = grey);
      const loss = Math.max(0, whole[best] - (await ask(covered))[best]);
      each((at) => heat[at] += loss);
    }
  }
  const most = Math.max(...heat, 1e-9);
  return heat.map((value) => value / most);
}

/** A picture under its heat, from nothing over red to yellow. */
export function overlaid(pixels: Uint32Array, heat: Float32Array, side: number): PngUrl {
  const data = new Uint8Array(3 * side * side);
  heat.forEach((value, at) => {
    const colour = [255, 255 * Math.max(0, 2 * value - 1), 0], mix = 0.7 * Math.sqrt(value);
    colour.forEach((c, k) =>
      data[3 * at + k] = (1 - mix) * (pixels[at] >>> (8 * k) & 255) + mix * c
    );
  });
  return pngUrl(encodePng({ width: side, height: side, data }));
}
