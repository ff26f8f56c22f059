/** What is timed: plain data, so that it can be sent to every engine. */

/** A piece of work that every engine understands, or refuses. All tensors are f32, NHWC. */
export type Workload =
  /** `[m,k]·[k,n]`. */
  | { readonly op: "matmul"; readonly m: number; readonly k: number; readonly n: number }
  | Conv
  | Norm
  /** Forward, loss, backward and update by SGD with momentum. */
  | (Net & { readonly op: "train" })
  /** Logits of pictures, with running statistics. */
  | (Net & { readonly op: "infer" })
  /** A training step as above: host time of a replay alone, without waiting for the device. */
  | (Net & { readonly op: "replay" })
  /** A training step as above: nothing is timed, the plan is described. */
  | (Net & { readonly op: "plan" });

/** A convolution 3×3 with stride 1 and padding 1, as many channels out as in, or a gradient of it. */
export interface Conv extends Images {
  readonly op: ConvOp;
  readonly depthwise?: boolean;
}

/** Batch normalisation with the batch's statistics, then ReLU; `backward` adds dx, dγ, dβ. */
export interface Norm extends Images {
  readonly op: "batch-norm-relu";
  readonly backward: boolean;
}

/** The three passes of a convolution. */
export type ConvOp = "conv" | "conv-input-gradient" | "conv-weight-gradient";

/** Square images with channels. */
export interface Images {
  readonly batch: number;
  /** Height and width. */
  readonly size: number;
  readonly channels: number;
}

/** A model of the table `models`, with ten classes (a thousand for pictures of 224). */
export interface Net {
  readonly model: NetName;
  readonly batch: number;
}

/** Models that peers have too. */
export type NetName = "tutorial-cnn" | "resnet18-small" | "resnet18";

/** Height and width of a model's pictures. */
export const pictureSize = (model: NetName): number => model === "resnet18" ? 224 : 32;

/** Number of a model's classes. */
export const classesOf = (model: NetName): number => model === "resnet18" ? 1000 : 10;

/** How much one call does, in the unit its rate is given in. */
export interface Amount {
  readonly count: number;
  readonly unit: "GFLOP" | "image" | "call";
}

/** What one call of a workload comes to. A multiply-add counts as two. */
export function amountOf(w: Workload): Amount {
  switch (w.op) {
    case "matmul":
      return { count: 2e-9 * w.m * w.k * w.n, unit: "GFLOP" };
    case "conv":
    case "conv-input-gradient":
    case "conv-weight-gradient": {
      const taps = 9 * (w.depthwise ? 1 : w.channels);
      return { count: 2e-9 * w.batch * w.size ** 2 * w.channels * taps, unit: "GFLOP" };
    }
    case "replay":
    case "plan":
      return { count: 1, unit: "call" };
    default:
      return { count: w.batch, unit: "image" };
  }
}

/** The same work with another number of images. */
export function withBatch(w: Workload, batch: number): Workload {
  return w.op === "matmul" ? w : { ...w, batch };
}
