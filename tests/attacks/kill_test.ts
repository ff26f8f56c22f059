/**
 * `train` killed or asked to end at random moments, some of them while it resumes, ends where an
 * uninterrupted run ends, bit for bit. `-- --slow` kills 100 runs and signals 40.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Random } from "../../core/rng.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";
import { command, commandWords, root, spawn } from "../end_to_end/processes.ts";
import { type Leftovers, leftovers } from "../end_to_end/run_sessions.ts";
import { runFiles } from "../../train/run_folder.ts";

const isSlow = Deno.args.includes("--slow");
const recipe = "--epochs 3 --batch-size 500 --seed 5 --validation 0.1 --device wasm --log-every 7"
  .split(" ");

/** What the run in a folder left. */
async function leftIn(run: string): Promise<Leftovers> {
  return await leftovers({ file: (name) => join(run, runFiles[name]) });
}

/** The run below a folder; undefined where it died before it had its name. */
async function runIn(runs: string): Promise<string | undefined> {
  const names = await namesIn(runs).catch(() => []);
  const found = names.filter((name) => !name.endsWith(".part"));
  assert(found.length <= 1, `${found}`);
  return found.length > 0 ? join(runs, found[0]) : undefined;
}

/** Starts `train` and sends it a signal after some time; the exit code it ends with. */
async function trainUntil(
  args: readonly string[],
  folder: string,
  signal: Deno.Signal,
  ms: number,
): Promise<number> {
  const child = spawn([Deno.execPath(), ...commandWords("train", args, folder)], { cwd: root });
  const ended = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
  const timer = setTimeout(() => child.kill(signal), ms);
  const { code } = await child.status;
  clearTimeout(timer);
  await Promise.all(ended);
  return code;
}

/** An uninterrupted run: what it leaves, and how long it takes. */
async function whole() {
  await using folder = await temporaryFolder();
  const start = performance.now();
  const { code, err } = await command("train", ["--runs", folder.path, ...recipe], {
    writable: folder.path,
  });
  assert.equal(code, 0, err);
  const ms = performance.now() - start;
  return { left: await leftIn((await runIn(folder.path))!), ms };
}

/** The codes a run may end with when a signal comes: it may have been done before. */
const codes: Readonly<Partial<Record<Deno.Signal, number>>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

async function attack(signals: readonly Deno.Signal[], count: number, seed: number): Promise<void> {
  const { left, ms } = await whole(), random = new Random(seed, "kills");
  let resumed = 0;
  for (let k = 0; k < count; k++) {
    await using folder = await temporaryFolder();
    const signal = signals[k % signals.length], at = (): number => random.uniform() * ms;
    const what = `run ${k} of seed ${seed}, ${signal}`;
    const check = (code: number): void => {
      if (codes[signal] !== undefined) {
        assert([0, codes[signal]].includes(code), `${what}: ${code}`);
      }
    };
    check(await trainUntil(["--runs", folder.path, ...recipe], folder.path, signal, 300 + at()));
    const run = await runIn(folder.path);
    if (run === undefined) continue;
    const resume = ["--resume", run, "--device", "wasm", "--log-every", "7"];
    if (random.uniform() < 0.4) check(await trainUntil(resume, folder.path, signal, 300 + at()));
    const { code, err } = await command("train", resume, { writable: folder.path });
    assert.equal(code, 0, `${what}: ${err}`);
    assert.deepEqual(await leftIn(run), left, what);
    resumed++;
  }
  console.log(`${signals}: ${resumed} of ${count} runs had begun and were resumed`);
  assert(resumed > 0);
}

const ignore = Deno.build.os === "windows";
const seed = isSlow ? Date.now() % 2 ** 32 : 1;

Deno.test({
  name: "kill: runs killed at random moments resume bit for bit",
  ignore,
  fn: async () => await attack(["SIGKILL"], isSlow ? 100 : 2, seed),
});

Deno.test({
  name: "kill: runs asked to end save and resume bit for bit",
  ignore,
  fn: async () => await attack(["SIGINT", "SIGTERM", "SIGHUP"], isSlow ? 40 : 3, seed),
});
