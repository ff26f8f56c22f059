/** `deno task bench`: times kernels and steps of ours and of other libraries, in one run. */
import { start } from "../cli/start.ts";

await start(import.meta, () => import("./bench_main.ts"));
