/**
 * A run that dies at any of its changes of a file resumes to what an uninterrupted run leaves, bit
 * for bit: weights, moments, best and last model file, metrics.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { TutorialCnn } from "../../models/tutorial_cnn.ts";
import { openDevice } from "../../open_device.ts";
import { newestBest } from "../../train/newest_run.ts";
import { type Recipe, recipes } from "../../train/recipes.ts";
import { RunFolder } from "../../train/run_folder.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { smallDataset } from "../end_to_end/images.ts";
import { leftovers, session, type Setting } from "../end_to_end/run_sessions.ts";
import { type Death, DyingFiles } from "./dying_files.ts";

const device = await openDevice("wasm", { threads: 1 });
const small = await smallDataset(64, 32);
const dataset = { ...small, validation: small.test };
const recipe: Recipe = { ...recipes["fashion-mini"], batchSize: 16, epochs: 3, seed: 3 };
const setting: Setting = { device, dataset, recipe, make: () => new TutorialCnn({ classes: 10 }) };

async function create(root: string): Promise<RunFolder> {
  return await RunFolder.create(root, "net", "data", new Date("2026-01-31T12:00:00Z"));
}

/** A whole run without a death: what it leaves, and the changes it makes. */
async function wholeRun() {
  await using root = await temporaryFolder();
  using files = new DyingFiles();
  using folder = await create(root.path);
  await session(setting, folder, { resume: false, readingMs: 1e6 });
  return { left: await leftovers(folder), changes: [...files.changes] };
}

/** Begins or resumes a run that dies; false where it came to its end. */
async function dies(death: Death, start: () => Promise<RunFolder>, resume: boolean) {
  using files = new DyingFiles(death);
  try {
    using folder = await start();
    await session(setting, folder, { resume });
  } catch (error) {
    if (!files.isDead) throw error;
  }
  return files.isDead;
}

/** Name of the run under a root; undefined where it died before it had one. */
async function nameIn(root: string): Promise<string | undefined> {
  const names = (await namesIn(root)).filter((name) => !name.endsWith(".part"));
  assert(names.length <= 1, `${names}`);
  return names.at(0);
}

const whole = await wholeRun();

Deno.test("crash: a run begins, saves and ends by many changes of files", () => {
  assert(whole.changes.length > 60, `${whole.changes.length} changes`);
  for (const name of ["mkdir", "rename", "write", "sync", "writeTextFile"]) {
    assert(whole.changes.includes(name), name);
  }
});

/** Dead before a change is dead after the one before it; only writing can be half done. */
const deaths: readonly Death[] = [
  { at: 1, when: "before" },
  ...whole.changes.flatMap((name, k): Death[] => [
    ...(name.startsWith("write") ? [{ at: k + 1, when: "half" } as const] : []),
    { at: k + 1, when: "after" },
  ]),
];

Deno.test("crash: dead at any change, resumed, it is as if nothing had happened", async () => {
  let resumed = 0;
  for (const death of deaths) {
    await using root = await temporaryFolder();
    const what = `${death.when} change ${death.at}, ${whole.changes[death.at - 1]}`;
    const isDead = await dies(death, () => create(root.path), false);
    // The lock goes last, when everything is done; closing does not fail where that does.
    if (!isDead) assert(death.at >= whole.changes.length - 1, what);
    const name = await nameIn(root.path);
    if (name === undefined) continue;
    using folder = await RunFolder.open(join(root.path, name));
    await session(setting, folder, { resume: true });
    assert.deepEqual(await leftovers(folder), whole.left, what);
    assert.equal(await newestBest(root.path), folder.file("best"), what);
    resumed++;
  }
  assert(resumed > 50, `${resumed} of ${deaths.length} deaths left a run`);
});

Deno.test("crash: dead while it resumes, it can be resumed", async () => {
  const first = whole.changes.indexOf("writeTextFile") + 4;
  for (let at = 1; at < 30; at++) {
    await using root = await temporaryFolder();
    await dies({ at: first, when: "after" }, () => create(root.path), false);
    const path = join(root.path, (await nameIn(root.path))!);
    await dies({ at, when: at % 2 ? "half" : "after" }, () => RunFolder.open(path), true);
    using folder = await RunFolder.open(path);
    await session(setting, folder, { resume: true });
    assert.deepEqual(await leftovers(folder), whole.left, `${at}`);
  }
});
