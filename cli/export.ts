/** `deno task export`: writes a model file for other libraries. */
import { start } from "./start.ts";

await start(import.meta, () => import("./export_main.ts"));
