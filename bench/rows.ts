/** The table of rows: what the bench times, in order. */
import { type Conv, type ConvOp, type NetName, withBatch, type Workload } from "./workload.ts";

/** One row of the bench. */
export interface Row {
  /** Short and unique; what `--only` looks for, beside the title. */
  readonly id: string;
  readonly title: string;
  /** Rows of one group share the processes of their engines. */
  readonly group: string;
  /** On CPUs, and on WebGPU where the adapter is a real GPU. */
  readonly workload: Workload;
  /** On a software adapter, which takes seconds where a GPU takes milliseconds. */
  readonly onSoftware: Workload;
}

const shapes = [[64, 32], [128, 16], [256, 8], [512, 4]] as const;

const convTitles: Readonly<Record<ConvOp, string>> = {
  "conv": "conv 3×3",
  "conv-input-gradient": "conv 3×3, input gradient",
  "conv-weight-gradient": "conv 3×3, weight gradient",
};

function row(
  id: string,
  title: string,
  workload: Workload,
  software?: number,
  group: string = workload.op,
): Row {
  return {
    id,
    title,
    group,
    workload,
    onSoftware: software === undefined ? workload : withBatch(workload, software),
  };
}

const convRows = (op: ConvOp): Row[] =>
  shapes.map(([channels, size]) =>
    row(
      `${op}-${channels}`,
      `${convTitles[op]}, ${channels}ch ${size}²`,
      { op, batch: 64, size, channels },
      8,
    )
  );

/** The depthwise convolutions of MobileNetV2 and EfficientNet-Lite, by what is special about them. */
const depthwise: readonly (readonly [name: string, title: string, settings: Partial<Conv>])[] = [
  ["3", "depthwise 3×3, 144ch 56²", { size: 56, channels: 144 }],
  ["3-stride-2", "depthwise 3×3, stride 2, 96ch 112²", { size: 112, channels: 96, stride: 2 }],
  ["5", "depthwise 5×5, 240ch 28²", { size: 28, channels: 240, kernel: 5 }],
];

const depthwiseRows = (op: ConvOp): Row[] =>
  depthwise.map(([name, title, settings]) => {
    const size = { batch: 4, size: 0, channels: 0, ...settings }, pass = op.slice("conv".length);
    const what = op === "conv" ? title : `${title}, ${pass.slice(1).replace("-", " ")}`;
    return row(`depthwise-${name}${pass}`, what, { op, depthwise: true, ...size }, 1, "depthwise");
  });

const images = { batch: 64, size: 32, channels: 64 } as const;

const inferRows = (model: NetName, id: string, title: string): Row[] => [
  row(`${id}-infer`, `${title} inference, 224²`, { op: "infer", model, batch: 1 }),
  row(
    `${id}-infer-16`,
    `${title} inference, 224², batch 16`,
    { op: "infer", model, batch: 16 },
    1,
  ),
];

/** All rows. */
export const rows: readonly Row[] = [
  row("gemm", "GEMM 1024³", { op: "matmul", m: 1024, k: 1024, n: 1024 }),
  ...convRows("conv"),
  ...convRows("conv-input-gradient"),
  ...convRows("conv-weight-gradient"),
  row(
    "depthwise",
    "depthwise 3×3, 128ch 16²",
    { op: "conv", batch: 64, size: 16, channels: 128, depthwise: true },
    8,
    "depthwise",
  ),
  ...depthwiseRows("conv"),
  ...depthwiseRows("conv-input-gradient"),
  ...depthwiseRows("conv-weight-gradient"),
  row(
    "batch-norm-relu",
    "batch norm + ReLU, 64ch 32²",
    { op: "batch-norm-relu", ...images, backward: false },
    8,
  ),
  row(
    "batch-norm-relu-backward",
    "batch norm + ReLU, forward and backward",
    { op: "batch-norm-relu", ...images, backward: true },
    8,
  ),
  row("tutorial-4", "tutorial CNN step, batch 4", { op: "train", model: "tutorial-cnn", batch: 4 }),
  row(
    "tutorial-256",
    "tutorial CNN step, batch 256",
    { op: "train", model: "tutorial-cnn", batch: 256 },
    32,
  ),
  row(
    "resnet18-step",
    "ResNet-18 step, 32², batch 64",
    { op: "train", model: "resnet18-small", batch: 64 },
    2,
  ),
  row(
    "mobilenet-step",
    "MobileNetV2 step, 96², batch 32",
    { op: "train", model: "mobilenet_v2", batch: 32, size: 96 },
    1,
  ),
  ...inferRows("resnet18", "resnet18", "ResNet-18"),
  ...inferRows("mobilenet_v2", "mobilenet", "MobileNetV2"),
  ...inferRows("tf_efficientnet_lite0", "efficientnet", "EfficientNet-Lite0"),
  row(
    "resnet18-replay",
    "ResNet-18 step, 32², batch 64: host time of a replay",
    { op: "replay", model: "resnet18-small", batch: 64 },
    2,
  ),
  row(
    "resnet18-plan",
    "ResNet-18 step, 32², batch 64: the plan",
    { op: "plan", model: "resnet18-small", batch: 64 },
  ),
];

/** Rows whose id or title holds the text, whatever its case. */
export function rowsLike(text: string): readonly Row[] {
  const wanted = text.toLowerCase();
  return rows.filter(({ id, title }) => `${id}\n${title}`.toLowerCase().includes(wanted));
}
