/** Run folders that no training made. */
import { join } from "node:path";

/** What a run folder is made of. */
export interface MadeRun {
  readonly started: string;
  readonly resumed?: string;
  readonly recipe?: Readonly<Record<string, unknown>>;
  /** Validation accuracy of each epoch. */
  readonly accuracies: readonly number[];
  readonly test?: number;
  /** Written behind the rows of metrics. */
  readonly behind?: string;
}

const recipe = {
  ...{ model: "tutorial-cnn", epochs: 3, lr: 0.004, schedule: "one-cycle" },
  preparation: { height: 32, mean: [0.5, 0.5, 0.5] },
};

/** Writes a run folder; returns its path. */
export async function makeRun(root: string, name: string, made: MadeRun): Promise<string> {
  const folder = join(root, name), { started, resumed, accuracies, test, behind = "" } = made;
  await Deno.mkdir(folder, { recursive: true });
  const config = {
    ...{ version: "0.1.0", started, resumed, device: "WASM", dataset: "pets", parameters: 12 },
    ...{ model: "tutorial-cnn", classes: ["cat", "dog"], recipe: { ...recipe, ...made.recipe } },
  };
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
  const rows = accuracies.map((top1, k) => ({
    ...{ kind: "epoch", epoch: k + 1, loss: k === 1 ? "NaN" : 1 / (k + 1), top1: top1 + 0.1 },
    ...{ validation: { loss: 1 - top1, top1 }, seconds: 2, examples_per_second: 100 },
  }));
  const tested = test === undefined ? [] : [{ kind: "test", epoch: 1, loss: 0.3, top1: test }];
  const text = [{ kind: "log", epoch: 1, batch: 5, loss: 2 }, ...rows, ...tested]
    .map((row) => `${JSON.stringify(row)}\n`).join("");
  await Deno.writeTextFile(join(folder, "metrics.jsonl"), text + behind);
  return folder;
}
