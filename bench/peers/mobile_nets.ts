/** Nets of depthwise convolutions, said once for every library in JavaScript, as in `nets.ts`. */
import type { Layers, Sides } from "./nets.ts";

/** A convolution with its norm, by the paths of both. */
interface Unit {
  readonly conv: string;
  readonly norm: string;
  readonly stride?: number;
  readonly sides?: Sides;
  readonly depthwise?: boolean;
}

function unit<T>(f: Layers<T>, x: T, eps: number, { conv, norm, ...options }: Unit): T {
  const { stride = 1, sides = [0, 0], depthwise } = options;
  return f.norm(f.conv(x, conv, { stride, sides, depthwise, bias: false }), norm, eps);
}

/** Factor of the inner channels, channels, blocks and stride of each stage. */
const mobileStages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** MobileNetV2 as torchvision's. */
export function mobilenetV2<T>(f: Layers<T>, x: T): T {
  const norm = (x: T, at: Unit): T => unit(f, x, 1e-5, at), one: Sides = [1, 1];
  const pair = (path: string): Unit => ({ conv: `${path}.0`, norm: `${path}.1` });
  let h = f.relu6(norm(x, { ...pair("features.0"), stride: 2, sides: one })), from = 32, k = 1;
  for (const [widening, to, depth, first] of mobileStages) {
    for (let b = 0; b < depth; b++, k++) {
      const path = `features.${k}.conv`, stride = b === 0 ? first : 1, inner = widening > 1 ? 1 : 0;
      const wide = inner ? f.relu6(norm(h, pair(`${path}.0`))) : h;
      const filter: Unit = { ...pair(`${path}.${inner}`), stride, sides: one, depthwise: true };
      const filtered = f.relu6(norm(wide, filter));
      const last = { conv: `${path}.${inner + 1}`, norm: `${path}.${inner + 2}` };
      const narrow = norm(filtered, last);
      h = stride === 1 && from === to ? f.add(h, narrow) : narrow;
      from = to;
    }
  }
  const last = f.relu6(norm(h, pair(`features.${k}`)));
  return f.linear(f.mean(last), "classifier.1");
}

/** Kernel, stride, factor of the inner channels, channels and blocks of each stage. */
const liteStages = [
  [3, 1, 1, 16, 1],
  [3, 2, 6, 24, 2],
  [5, 2, 6, 40, 2],
  [3, 2, 6, 80, 3],
  [5, 1, 6, 112, 3],
  [5, 2, 6, 192, 4],
  [3, 1, 6, 320, 1],
] as const;

/** TensorFlow's SAME for images of even size. */
const sameSides = (kernel: number, stride: number): Sides =>
  stride === 1 ? [kernel >> 1, kernel >> 1] : [(kernel - 2) >> 1, (kernel - 1) >> 1];

/** EfficientNet-Lite0 as timm's. */
export function efficientnetLite0<T>(f: Layers<T>, x: T): T {
  const norm = (x: T, at: Unit): T => unit(f, x, 1e-3, at);
  const stem = { conv: "conv_stem", norm: "bn1", stride: 2, sides: sameSides(3, 2) };
  let h = f.relu6(norm(x, stem)), from = 32;
  for (const [s, [kernel, first, widening, to, depth]] of liteStages.entries()) {
    for (let b = 0; b < depth; b++) {
      const path = `blocks.${s}.${b}`, stride = b === 0 ? first : 1, isWide = widening > 1;
      const at = (conv: string, bn: number, options: Partial<Unit> = {}): Unit => ({
        ...{ conv: `${path}.${conv}`, norm: `${path}.bn${bn}` },
        ...options,
      });
      const wide = isWide ? f.relu6(norm(h, at("conv_pw", 1))) : h;
      const filter = { stride, sides: sameSides(kernel, stride), depthwise: true };
      const filtered = f.relu6(norm(wide, at("conv_dw", isWide ? 2 : 1, filter)));
      const narrow = norm(filtered, isWide ? at("conv_pwl", 3) : at("conv_pw", 2));
      h = stride === 1 && from === to ? f.add(narrow, h) : narrow;
      from = to;
    }
  }
  const last = f.relu6(norm(h, { conv: "conv_head", norm: "bn2" }));
  return f.linear(f.mean(last), "classifier");
}
