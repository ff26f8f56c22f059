/** From packed pixels to normalised floats: the first operation of every model. */
import { ShapeError } from "../core/errors.ts";
import { applyOne, type MacroOp, type Tensor } from "../core/graph.ts";
import { inputRef, outputRef, perElement, reads, writes } from "../core/kernel.ts";
import { f32, sizeOf } from "../core/shape.ts";
import { wgslNumber } from "../core/wgsl_floats.ts";
import { checkDType } from "./check.ts";
import { call } from "./kernels.ts";

/** Options of {@link pixels}. */
export interface PixelsOptions {
  /** 1: red alone, for grey images; 3: RGB (default); 4: RGBA. */
  readonly channels?: 1 | 3 | 4;
  /** Mean of each channel on the scale 0 … 1. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel on the same scale. */
  readonly std: readonly number[];
}

interface PixelsAttrs {
  readonly channels: number;
  /** y = byte · scale + shift, per channel. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

const pixelsOp: MacroOp<PixelsAttrs> = {
  kind: "macro",
  name: "pixels",
  infer([x], { channels }, where) {
    checkDType("unpack pixels", where, "x", x, "u32");
    return [f32([...x.shape, channels])];
  },
  grad: () => [null],
  wasm({ inputs: [x], attrs: { channels, scale, shift } }) {
    const floats = [...padTo4(scale), ...padTo4(shift)];
    return {
      calls: [call("pixels", inputRef(0), outputRef(0), sizeOf(x.shape), channels, { floats })],
    };
  },
  wgsl({ inputs: [x], attrs: { channels, scale, shift } }) {
    const count = sizeOf(x.shape), { head, groups } = perElement(count);
    const lines = scale.map((s, ch) =>
      `y[i * ${channels}u + ${ch}u] = f32((p >> ${8 * ch}u) & 255u) * ${wgslNumber(s)} + ${
        wgslNumber(shift[ch])
      };`
    );
    return {
      passes: [{
        label: `pixels[${count}x${channels}]`,
        bindings: [reads("x", 0, "u32"), writes("y")],
        groups,
        code: `${head}\n  let p = x[i];\n  ${lines.join("\n  ")}\n}`,
      }],
    };
  },
};

const padTo4 = (values: readonly number[]): number[] => [0, 1, 2, 3].map((k) => values[k] ?? 0);

/**
 * Unpacks and normalises pixels: `y = (byte / 255 − mean) / std`.
 *
 * Shapes: x u32 `[n,h,w]`, one pixel each, RGBA8 with red in the low byte → f32 `[n,h,w,channels]`.
 * No gradient.
 *
 * @throws {ShapeError} when x is no u32, mean and std do not have one number per channel, or a std
 *   is not above 0
 */
export function pixels(x: Tensor, options: PixelsOptions): Tensor {
  const { channels = 3, mean, std } = options;
  for (const [name, list] of [["mean", mean], ["std", std]] as const) {
    if (list.length === channels && list.every(Number.isFinite)) continue;
    throw new ShapeError(
      `Cannot unpack pixels: ${name} is [${list}], ${channels} finite numbers are wanted, ` +
        "one per channel",
    );
  }
  if (std.some((s) => s <= 0)) {
    throw new ShapeError(`Cannot unpack pixels: std is [${std}], numbers above 0 are wanted`);
  }
  const scale = std.map((s) => 1 / (255 * s)), shift = std.map((s, ch) => -mean[ch] / s);
  return applyOne(pixelsOp, [x], { channels, scale, shift });
}
