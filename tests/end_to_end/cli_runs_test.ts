/** The commands `runs` and `report` as a user runs them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { namesIn } from "../data/support.ts";
import { makeRun } from "../report/runs.ts";
import { command, lastObject } from "./processes.ts";

const folder = await Deno.makeTempDir({ prefix: "fovea-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const runs = join(folder, "runs");
await makeRun(runs, "first", {
  started: "2026-01-02T10:00:00.000Z",
  accuracies: [0.5, 0.6, 0.4],
  test: 0.55,
});
await makeRun(runs, "second", {
  started: "2026-01-03T11:30:00.000Z",
  ...{ accuracies: [0.7], recipe: { lr: 0.1 } },
});

/** Columns of a line, which stand two or more spaces apart. */
const cells = (line: string): string[] => line.trim().split(/ {2,}/);

Deno.test("runs: a line for each run, the newest first", async () => {
  const { code, out, err } = await command("runs", [], { cwd: folder });
  assert.equal(code, 0, err);
  const [head, ...lines] = out.trimEnd().split("\n").map(cells);
  assert.deepEqual(head.slice(0, 5), ["run", "started (UTC)", "data set", "model", "epochs"]);
  assert.deepEqual(lines, [
    ["second", "2026-01-03 11:30", "pets", "tutorial-cnn", "1 of 3", "70.00 %", "1", "-", "2.00 s"],
    ["first", "2026-01-02 10:00", "pets", "tutorial-cnn", "3", "60.00 %", "2", "55.00 %", "6.00 s"],
  ]);
});

Deno.test("runs: two of them side by side, by name or by path", async () => {
  const words = ["first", join("runs", "second")];
  const { code, out, err } = await command("runs", words, { cwd: folder });
  assert.equal(code, 0, err);
  const rows = out.trimEnd().split("\n").map(cells);
  const row = (name: string) => rows.find(([title]) => title === name)?.slice(1);
  assert.deepEqual(rows[0], ["first", "second"]);
  assert.deepEqual(row("best validation"), ["60.00 %", "70.00 %"]);
  assert.deepEqual(row("test"), ["55.00 %", "-"]);
  assert.deepEqual(rows.slice(rows.findIndex(([title]) => title === "settings that differ")), [
    ["settings that differ"],
    ["lr", "0.004", "0.1"],
  ]);
});

Deno.test("runs: as data", async () => {
  const list = await command("runs", ["--json", "--runs", runs]);
  const names = list.out.trimEnd().split("\n").map((line) => JSON.parse(line).name);
  assert.deepEqual(names, ["second", "first"]);
  const pair = await command("runs", ["--json", "--runs", runs, "first", "second"]);
  const { differences } = lastObject(pair.out);
  assert.deepEqual(differences, [{ setting: "lr", values: ["0.004", "0.1"] }]);
});

Deno.test("runs: what is missing is told", async () => {
  const none = await command("runs", ["--runs", join(folder, "gone")]);
  assert.equal(none.code, 2);
  assert.match(none.err, /Cannot list runs: .*gone does not exist, a folder of runs is wanted/);
  const one = await command("runs", ["first"], { cwd: folder });
  assert.equal(one.code, 2);
  assert.match(one.err, /one is given, two or more are wanted/);
  const unknown = await command("runs", ["first", "third"], { cwd: folder });
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /Cannot read the run third: it holds no config\.json/);
});

Deno.test("report: of the newest run, of a named one, and into another file", async () => {
  const options = { cwd: folder, writable: folder };
  const newest = await command("report", [], options);
  assert.equal(newest.code, 0, newest.err);
  assert.match(newest.out, /^runs\/second\/report\.html \(\d+(\.\d)? kB\)/);
  const named = await command("report", ["first", "--json"], options);
  assert.equal(lastObject(named.out).report, join("runs", "first", "report.html"));
  const page = await Deno.readTextFile(join(runs, "first", "report.html"));
  assert.match(page, /tutorial-cnn on pets.*55\.00 %/s);
  const other = join(folder, "other.html");
  await command("report", ["first", "--out", other], options);
  assert.equal(await Deno.readTextFile(other), page);
  assert.deepEqual(await namesIn(join(runs, "first")), [
    ...["config.json", "metrics.jsonl", "report.html"],
  ]);
});

Deno.test("report: without the permission it prints the line that has it", async () => {
  const { code, err } = await command("report", ["first"], { cwd: folder });
  assert.equal(code, 2);
  assert.match(
    err,
    /^hint: run deno run --allow-read --allow-write=runs \S+\/cli\/report\.ts first$/m,
  );
});
