/**
 * A process that goes through a folder of pictures and does not tidy up: `DIR WORKERS`. It prints
 * what it saw as a number, and how many threads it had.
 */
import { Loader } from "../../data/loader.ts";
import { openFolder } from "../../data/folder.ts";
import { batches } from "../../data/source.ts";
import { small } from "./folder_support.ts";

const [folder, workers] = Deno.args;
const loader = new Loader({ workers: Number(workers) });
const { train } = await openFolder(folder, { loader, cacheBytes: 0 });
let sum = 0;
const order = { batchSize: 2, last: "pad", shuffle: true, prefetch: 2 } as const;
for await (
  const { fields } of batches(
    train.source(small, { augmentation: [{ kind: "horizontal-flip" }] }),
    order,
  )
) {
  for (const word of fields.pixels) sum = (Math.imul(sum, 31) + word) | 0;
}
console.log(JSON.stringify({ sum, running: loader.running, notes: loader.notes }));
