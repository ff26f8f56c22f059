/** Weights that Fovea's tests and PyTorch draw by one formula. */
import type { Device } from "../../core/device.ts";
import { sizeOf } from "../../core/shape.ts";
import { diskShape } from "../../models/layout.ts";
import { type ModelName, models } from "../../models/models.ts";
import { asParameter } from "../../models/parameter.ts";
import { Weights } from "../../models/weights.ts";

/** Numbers from −1 to below 1, as `fixtures/torchvision/make.py` draws them. */
export function signed(name: string, count: number): Float32Array<ArrayBuffer> {
  const seed = crc32(new TextEncoder().encode(name));
  return Float32Array.from({ length: count }, (_, k) => {
    let x = (k + seed) >>> 0;
    for (const factor of [0x7feb352d, 0x846ca68b]) {
      x = Math.imul(x ^ (x >>> 16), factor);
      x ^= x >>> 15;
    }
    return 2 * ((x >>> 8) / 2 ** 24) - 1;
  });
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** The elements of a parameter on disk, as `fixtures/torchvision/make.py` draws them. */
function drawn(path: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const u = signed(path, sizeOf(shape));
  if (shape.length > 1) {
    const scale = Math.fround(Math.sqrt(6 / sizeOf(shape.slice(1))));
    return u.map((v) => v * scale);
  }
  const isScale = path.endsWith("running_var") || path.endsWith("weight");
  return u.map((v) => isScale ? 1 + v / 2 : v / 8);
}

/** A net with drawn weights. */
export function drawnWeights(device: Device, name: ModelName, classes: number): Weights {
  const weights = new Weights(device, models[name].create({ classes }));
  const tensors = [...weights.parameters].map(([path, t]) => {
    const shape = diskShape(t.shape, asParameter(t)!.layout);
    const bytes = new Uint8Array(drawn(path, shape).buffer);
    return [path, { dtype: "F32", shape, bytes }] as const;
  });
  weights.load({ tensors: new Map(tensors) });
  return weights;
}
