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

/**
 * A convolution padded by half of its filter, as many channels out as in, or a gradient of it. Its
 * images are those that go in; {@link convShapes} has the others.
 */
export interface Conv extends Images {
  readonly op: ConvOp;
  readonly depthwise?: boolean;
  /** Height and width of the filters (default 3). */
  readonly kernel?: 3 | 5;
  /** Default 1. */
  readonly stride?: 1 | 2;
}

/** A convolution in numbers. */
export interface ConvShapes {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  /** Filters in our layout, `[kh,kw,cin/groups,cout]`. */
  readonly filters: readonly [number, number, number, number];
  /** The images that come out. */
  readonly out: Images;
}

/** What follows from a convolution's settings. */
export function convShapes(w: Conv): ConvShapes {
  const { batch, size, channels, depthwise = false, kernel = 3, stride = 1 } = w;
  return {
    ...{ kernel, stride, padding: kernel >> 1, groups: depthwise ? channels : 1 },
    filters: [kernel, kernel, depthwise ? 1 : channels, channels],
    out: { batch, size: Math.ceil(size / stride), channels },
  };
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
  /** Height and width of its pictures, where not those it is made for. */
  readonly size?: number;
}

/** Models that peers have too. */
export type NetName =
  | "tutorial-cnn"
  | "resnet18-small"
  | "resnet18"
  | "mobilenet_v2"
  | "tf_efficientnet_lite0";

const isSmall = (model: NetName): boolean => model === "tutorial-cnn" || model === "resnet18-small";

/** Height and width of a net's pictures. */
export const pictureSize = ({ model, size }: Net): number => size ?? (isSmall(model) ? 32 : 224);

/** Number of a model's classes. */
export const classesOf = (model: NetName): number => isSmall(model) ? 10 : 1000;

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
      const { filters, out } = convShapes(w);
      const products = filters.reduce((a, b) => a * b) * out.batch * out.size ** 2;
      return { count: 2e-9 * products, unit: "GFLOP" };
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
