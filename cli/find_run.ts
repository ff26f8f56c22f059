/** Run folders, as they are named on the command line. */
import { basename, join } from "node:path";
import { UsageError } from "../core/errors.ts";
import { fileError, fileSize } from "../data/files.ts";
import { readRuns, type RunRecord } from "../report/read_run.ts";
import { runFiles } from "../train/run_folder.ts";
import { path } from "./options.ts";

/** Where runs are made unless told otherwise. */
const standardRoot = "runs";

/** The folder that runs are looked for in. */
export const runsOption = path({
  help: "folder that run folders are in",
  unset: standardRoot,
  valueName: "DIR",
});

/** The folder that an option means. */
export function runsRoot(runs: string | undefined): string {
  return runs ?? standardRoot;
}

/**
 * All runs of a folder, the newest first.
 *
 * @throws {UsageError} when there is no such folder
 */
export async function listRuns(root: string): Promise<RunRecord[]> {
  const isThere = await Deno.stat(root).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError("list runs", root, "read", error);
  });
  if (isThere) return await readRuns(root);
  throw new UsageError(`Cannot list runs: ${root} does not exist, a folder of runs is wanted`, {
    hint: "train first, or name the folder with --runs",
  });
}

/**
 * The folder of a run: as it was typed, or the one of that name among the runs.
 *
 * @param typed a path; the newest run where none was typed
 * @throws {UsageError} when nothing was typed and there are no runs
 */
export async function findRun(typed: string | undefined, root: string): Promise<string> {
  if (typed === undefined) return await newestRun(root);
  const among = join(root, basename(typed));
  const isRun = async (folder: string): Promise<boolean> =>
    await fileSize("find the run", join(folder, runFiles.config)) !== undefined;
  return !await isRun(typed) && await isRun(among) ? among : typed;
}

async function newestRun(root: string): Promise<string> {
  const [newest] = await listRuns(root);
  if (newest !== undefined) return newest.path;
  throw new UsageError(`Cannot find a run: ${root} holds none, the folder of a run is wanted`, {
    hint: "train first, or give the folder of a run",
  });
}
