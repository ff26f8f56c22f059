/** `deno task report`: writes the report of a run. */
import { start } from "./start.ts";

await start(import.meta, () => import("./report_main.ts"));
