/** The table of rows: what the bench times, in order. */
import { type ConvOp, withBatch, type Workload } from "./workload.ts";

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

function row(id: string, title: string, workload: Workload, software?: number): Row {
  return {
    id,
    title,
    group: workload.op,
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

const images = { batch: 64, size: 32, channels: 64 } as const;

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
  ),
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
  row("resnet18-infer", "ResNet-18 inference, 224²", { op: "infer", model: "resnet18", batch: 1 }),
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
