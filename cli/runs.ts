/** `deno task runs`: lists the runs of a folder, or compares some. */
import { start } from "./start.ts";

await start(import.meta, () => import("./runs_main.ts"));
