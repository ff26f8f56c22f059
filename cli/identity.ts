/** Name and version as commands print them, and the tasks in `deno.json`. */
import { version } from "../core/version.ts";
import config from "../deno.json" with { type: "json" };

export { version };

/** `Fovea 0.1.0`. */
export const fovea = `Fovea ${version}`;

/** The command lines of the tasks, by their names. */
export const tasks: ReadonlyMap<string, string> = new Map(
  Object.entries(config.tasks).flatMap(([name, task]) =>
    typeof task !== "string" && "command" in task ? [[name, task.command] as const] : []
  ),
);
