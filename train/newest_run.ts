/** Which run is the newest. */
import { join } from "node:path";
import { runFiles } from "./run_folder.ts";

/**
 * The best weights of the run that was begun or resumed last, by the time in its `config.json`: a
 * name says when it was begun, and may have been changed. Undefined where there are none.
 *
 * @param root the `runs` folder
 */
export async function newestBest(root: string): Promise<string | undefined> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(root)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  let newest = "", found: string | undefined;
  for (const name of names.sort()) {
    const path = join(root, name, runFiles.best);
    const isFile = await Deno.stat(path).then((s) => s.isFile, () => false);
    const time = isFile ? await timeOf(join(root, name, runFiles.config)) : undefined;
    if (time === undefined || time < newest) continue;
    newest = time;
    found = path;
  }
  return found;
}

/** The later of a run's two times; ISO 8601 in UTC sorts as text. */
async function timeOf(config: string): Promise<string | undefined> {
  try {
    const { started, resumed } = JSON.parse(await Deno.readTextFile(config));
    return [resumed, started].find((time) => typeof time === "string");
  } catch {
    return undefined; // no run, or a damaged one
  }
}
