/** `deno task models`: the architectures of the table. */
import { start } from "./start.ts";

await start(import.meta, () => import("./models_main.ts"));
