/** `deno run cli/predict.ts img.png`: says what is on pictures. */
import { start } from "./start.ts";

await start(import.meta, () => import("./predict_main.ts"));
