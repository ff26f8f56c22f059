/** `deno task inspect`: what a checkpoint holds. */
import { start } from "./start.ts";

await start(import.meta, () => import("./inspect_main.ts"));
