/** `deno task evaluate`: measures a model file on a data set. */
import { start } from "./start.ts";

await start(import.meta, () => import("./evaluate_main.ts"));
