/** Opens a data set for a command, with the progress of a download. */
import type { Dataset, Progress } from "../data/dataset.ts";
import { type DatasetName, datasets } from "../data/datasets.ts";
import type { Context } from "./command.ts";
import { formatBytes } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Shortest time between two lines about a download, in milliseconds. */
const lineMs = 1000;

/** Opens a data set by name; what is not given is not passed on. The signal ends a download. */
export async function openNamedDataset(
  name: DatasetName,
  options: { readonly dataDir?: string; readonly download: boolean },
  { err }: Context,
  signal?: AbortSignal,
): Promise<Dataset> {
  return await datasets[name]({
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    ...(options.download ? { download: true } : {}),
    ...(signal === undefined ? {} : { signal }),
    onProgress: downloadLines(name, err),
  });
}

/** Tells how far a download is, a line a second. */
export function downloadLines(name: string, err: Terminal): (progress: Progress) => void {
  let shownAtMs = -Infinity;
  return ({ loadedBytes, totalBytes }) => {
    const now = performance.now(), isDone = loadedBytes === totalBytes;
    if (!isDone && now - shownAtMs < lineMs) return;
    shownAtMs = now;
    const total = totalBytes === undefined ? "" : ` of ${formatBytes(totalBytes)}`;
    err.line(`downloading ${name}: ${formatBytes(loadedBytes)}${total}`);
  };
}
