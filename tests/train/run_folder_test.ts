/** What stands around a run: its lock, the rows of its metrics, which run is the newest. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "../../core/errors.ts";
import { newestBest } from "../../train/newest_run.ts";
import { RunFolder } from "../../train/run_folder.ts";
import { appendRow, cutRows, syncRows } from "../../train/run_metrics.ts";
import { namesIn, temporaryFolder } from "../data/support.ts";

const now = new Date("2026-01-31T12:00:00Z");

Deno.test("run folder: it has its name once it is published, and a number where that is taken", async () => {
  await using root = await temporaryFolder();
  using first = await RunFolder.create(root.path, "net", "data", now);
  using second = await RunFolder.create(root.path, "net", "data", now);
  assert.deepEqual(await namesIn(root.path), [
    "2026-01-31-120000-net-data-2.part",
    "2026-01-31-120000-net-data.part",
  ]);
  await second.publish();
  await first.publish();
  assert.deepEqual(await namesIn(root.path), [
    "2026-01-31-120000-net-data",
    "2026-01-31-120000-net-data-2",
  ]);
  const third = await RunFolder.create(root.path, "net", "data", now);
  third[Symbol.dispose]();
  assert.equal((await namesIn(root.path)).length, 2, "what was never published is gone");
  assert.equal(first.path, join(root.path, "2026-01-31-120000-net-data"));
});

Deno.test("run folder: one owner at a time, named; the next one finds no trace", async () => {
  await using root = await temporaryFolder();
  const owner = await RunFolder.open(root.path);
  await assert.rejects(RunFolder.open(root.path), (error) => {
    assert(error instanceof UsageError);
    assert.match(
      error.message,
      new RegExp(`: process ${Deno.pid} is training in it, a run of its`),
    );
    return true;
  });
  owner[Symbol.dispose]();
  owner[Symbol.dispose]();
  assert.deepEqual(await namesIn(root.path), []);
  using _next = await RunFolder.open(root.path);
});

Deno.test("run folder: the lock of an owner who died is taken over", async () => {
  await using root = await temporaryFolder();
  const holder = `const f = await Deno.open("lock", { write: true, create: true });
    await f.lock(true); await Deno.writeTextFile("lock", Deno.pid + "\\n"); console.log("held");
    setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", holder],
    cwd: root.path,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await assert.rejects(RunFolder.open(root.path), new RegExp(`process ${child.pid} is training`));
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  assert.deepEqual(await namesIn(root.path), ["lock"]);
  using _next = await RunFolder.open(root.path);
});

/** A file of three rows, with something behind them, cut to `bytes`. */
async function cut(behind: Uint8Array | string, bytes?: number) {
  await using root = await temporaryFolder();
  const path = join(root.path, "metrics.jsonl");
  for (const epoch of [1, 2, 3]) await appendRow(path, { epoch, loss: epoch === 2 ? NaN : 1 });
  const whole = await syncRows(path);
  const data = typeof behind === "string" ? new TextEncoder().encode(behind) : behind;
  await Deno.writeFile(path, data, { append: true });
  const note = await cutRows(path, bytes ?? whole);
  const rows = (await Deno.readTextFile(path)).split("\n").filter(Boolean);
  return {
    note: note?.slice(path.length + 2),
    rows: rows.map((row) => JSON.parse(row).epoch),
    whole,
  };
}

Deno.test("metrics: rows behind the moment go, with a word", async () => {
  assert.deepEqual((await cut("")).note, undefined);
  const later = "rows written after the last save were dropped";
  for (const behind of ['{"epoch":4}\n', '{"epo', "\n", new Uint8Array(40)]) {
    const { note, rows } = await cut(behind);
    assert.deepEqual([note, rows], [later, [1, 2, 3]]);
  }
});

Deno.test("metrics: damaged rows at the end of the moment go, and missing ones are told", async () => {
  const { whole } = await cut("");
  assert.deepEqual((await cut(new Uint8Array(40), whole + 40)).rows, [1, 2, 3]);
  assert.equal(
    (await cut(new Uint8Array(40), whole + 40)).note,
    "damaged rows at its end were dropped",
  );
  assert.deepEqual((await cut('{"epo', whole + 6)).rows, [1, 2, 3]);
  assert.equal((await cut("", whole + 7)).note, "7 bytes of it are missing");
});

Deno.test("newest run: by the time in its configuration, whatever its name", async () => {
  await using root = await temporaryFolder();
  const make = async (name: string, config: string | undefined, best = true): Promise<void> => {
    await Deno.mkdir(join(root.path, name));
    if (config !== undefined) {
      await Deno.writeTextFile(join(root.path, name, "config.json"), config);
    }
    if (best) await Deno.writeTextFile(join(root.path, name, "best.safetensors"), "");
  };
  const at = (started: string, resumed?: string) => JSON.stringify({ started, resumed });
  assert.equal(await newestBest(join(root.path, "none")), undefined);
  assert.equal(await newestBest(root.path), undefined);
  await make("z-old", at("2026-01-01T00:00:00.000Z"));
  await make("a-new", at("2026-03-01T00:00:00.000Z"));
  await make("no-best", at("2027-01-01T00:00:00.000Z"), false);
  await make("no-config", undefined);
  await make("damaged", "{");
  await make("odd", '{"started":3}');
  assert.equal(await newestBest(root.path), join(root.path, "a-new", "best.safetensors"));
  await make("resumed", at("2025-01-01T00:00:00.000Z", "2026-04-01T00:00:00.000Z"));
  assert.equal(await newestBest(root.path), join(root.path, "resumed", "best.safetensors"));
});
