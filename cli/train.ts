/** `deno task train`: trains a model on a data set. */
import { start } from "./start.ts";

await start(import.meta, () => import("./train_main.ts"));
