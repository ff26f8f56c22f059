/** Inspect: what a file of tensors holds, of Fovea or PyTorch. */
import { readFile } from "../data/files.ts";
import { sizeBytes } from "../models/checkpoint/stored_tensor.ts";
import { readStateDict, type StateDict } from "../models/checkpoint/state_dict.ts";
import { defineCommand } from "./command.ts";
import { outputOptions } from "./common_options.ts";
import { formatBytes, formatCount } from "./format.ts";
import { path, text } from "./options.ts";
import { jsonLine, printable } from "./printable.ts";
import { tableOf } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** The command. */
export const command = defineCommand({
  name: "inspect",
  summary: "Show the tensors and metadata of a checkpoint",
  examples: [
    { words: [{ path: "runs/my-run/best.safetensors" }], note: "a model file of Fovea's" },
    { words: [{ path: "resnet18.pth" }, "--json"], note: "one of PyTorch's, as data" },
  ],
  permissions: ["--allow-read"],
  positionals: { file: path({ help: "safetensors, or PyTorch's .pth or .pt", required: true }) },
  options: {
    entry: text({
      help: "entry that holds the tensors",
      unset: "the likeliest",
      valueName: "NAME",
    }),
    ...outputOptions,
  },
  run: async ({ options, positionals }, { out, lines }): Promise<void> => {
    const { entry } = options, file = positionals.file;
    const bytes = await readFile("inspect", file);
    const dict = readStateDict(bytes, lines.path(file), entry === undefined ? {} : { entry });
    if (options.json) out.line(jsonLine(asData(dict)));
    else show(dict, out);
  },
});

function asData({ format, unwrapped, ignored, metadata, tensors }: StateDict) {
  const list = [...tensors].map(([name, t]) => {
    return { name, dtype: t.dtype, shape: t.shape, bytes: sizeBytes(t) };
  });
  return { format, unwrapped, ignored, metadata, tensors: list };
}

/** Metadata are whole texts, class names among them: a line is enough to know them by. */
const valueWidth = 96;

function show(dict: StateDict, out: Terminal): void {
  const { format, unwrapped, ignored, metadata, tensors } = dict, all = [...tensors.values()];
  const bytes = all.reduce((sum, t) => sum + sizeBytes(t), 0);
  const elements = all.reduce((sum, t) => sum + t.shape.reduce((a, b) => a * b, 1), 0);
  out.line(
    `${format}: ${formatCount(tensors.size)} tensors, ${formatCount(elements)} elements, ` +
      formatBytes(bytes),
  );
  if (unwrapped.length > 0) out.line(`taken off the names: ${printable(unwrapped.join(", "))}`);
  if (ignored.length > 0) out.line(`beside the tensors: ${printable(ignored.join(", "))}`);
  for (const [key, value] of Object.entries(metadata)) {
    const short = value.length <= valueWidth ? value : `${value.slice(0, valueWidth - 1)}…`;
    out.line(printable(`${key}: ${short}`));
  }
  const rows = [...tensors].map(([name, { dtype, shape }]) => [
    ...[printable(name), dtype, shape.join("×") || "scalar"],
  ]);
  out.line("");
  for (const line of tableOf(["tensor", "type", "shape"], rows, "lll")) out.line(line);
}
