/** Which model file a command uses. */
import { readFile } from "../data/files.ts";
import { type Checkpoint, decodeCheckpoint } from "../models/checkpoint.ts";
import { newestBest } from "../train/newest_run.ts";
import type { CommandLines } from "./command_lines.ts";

/** A model file and where it was found. */
export interface FoundWeights {
  readonly checkpoint: Checkpoint;
  /** In words, such as `weights of runs/…/best.safetensors`. */
  readonly origin: string;
}

/**
 * The file given; else the newest run's best, where reading `runs` is allowed already (it is not
 * worth a question); else the tutorial CNN's weights for CIFAR-10, which ship as a module.
 */
export async function findWeights(
  file: string | undefined,
  lines: CommandLines,
): Promise<FoundWeights> {
  const path = file ?? await newestAllowed("runs");
  if (path !== undefined) {
    const shown = lines.path(path);
    const checkpoint = decodeCheckpoint(await readFile("read the weights", path), shown);
    return { checkpoint, origin: `weights of ${shown}` };
  }
  const { tutorialCnnCifar10 } = await import("../models/pretrained/tutorial_cnn_cifar10.ts");
  const checkpoint = decodeCheckpoint(tutorialCnnCifar10(), "the built-in weights");
  return { checkpoint, origin: "built-in weights for CIFAR-10" };
}

async function newestAllowed(root: string): Promise<string | undefined> {
  const { state } = await Deno.permissions.query({ name: "read", path: root });
  return state === "granted" ? await newestBest(root) : undefined;
}
