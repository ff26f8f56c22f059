/** Opens a data set for a command, with the progress of a download. */
import type { Dataset } from "../data/dataset.ts";
import { type DatasetName, datasets } from "../data/datasets.ts";
import type { Context } from "./command.ts";
import { formatBytes } from "./format.ts";

/** Shortest time between two lines about a download, in milliseconds. */
const lineMs = 1000;

/** Opens a data set by name; what is not given is not passed on. The signal ends a download. */
export async function openNamedDataset(
  name: DatasetName,
  options: { readonly dataDir?: string; readonly download: boolean },
  { err }: Context,
  signal?: AbortSignal,
): Promise<Dataset> {
  let shownAtMs = -Infinity;
  return await datasets[name]({
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    ...(options.download ? { download: true } : {}),
    ...(signal === undefined ? {} : { signal }),
    onProgress({ loadedBytes, totalBytes }) {
      const now = performance.now(), isDone = loadedBytes === totalBytes;
      if (!isDone && now - shownAtMs < lineMs) return;
      shownAtMs = now;
      const total = totalBytes === undefined ? "" : ` of ${formatBytes(totalBytes)}`;
      err.line(`downloading ${name}: ${formatBytes(loadedBytes)}${total}`);
    },
  });
}
