/** What run folders tell: whole ones, damaged ones, and those of a run under way. */
import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { DataError, UsageError } from "../../core/errors.ts";
import { differences } from "../../report/compare_runs.ts";
import { readReportData, readRun, readRuns } from "../../report/read_run.ts";
import { temporaryFolder } from "../data/support.ts";
import { makeRun } from "./runs.ts";

const started = "2026-01-02T10:00:00.000Z";

Deno.test("read run: epochs, the best of them, the last test; numbers that are none are missing", async () => {
  await using root = await temporaryFolder();
  const accuracies = [0.6, 0.8, 0.8], behind = '{"kind":"test","top1":0.75,"epoch":2}\n{"kind":"ep';
  const path = await makeRun(root.path, "a", { started, accuracies, test: 0.7, behind });
  const { run, epochs, settings } = await readRun(path);
  assert.deepEqual(epochs.map(({ epoch, training }) => [epoch, training?.loss]), [
    ...[[1, 1], [2, undefined], [3, 1 / 3]],
  ]);
  assert.deepEqual([run.best?.epoch, run.best?.validation.accuracy], [2, 0.8]);
  assert.deepEqual(run.test, { accuracy: 0.75 });
  assert.deepEqual([run.name, run.classes, run.parameters, run.epochs], ["a", 2, 12, 3]);
  assert.deepEqual(settings.preparation, { height: 32, mean: [0.5, 0.5, 0.5] });
});

Deno.test("read run: what a fine-tuning kept is the best epoch of that stage, or the fitted head", async () => {
  await using root = await temporaryFolder();
  const rows = (stage: string) =>
    [
      { kind: "epoch", stage: "last", epoch: 1, loss: 1, validation: { loss: 1, top1: 0.5 } },
      { kind: "epoch", stage: "last", epoch: 2, loss: 1, validation: { loss: 1, top1: 0.7 } },
      { kind: "epoch", stage: "all", epoch: 3, loss: 1, validation: { loss: 1, top1: 0.9 } },
      { kind: "kept", stage, accuracy: 0.7, loss: 1 },
    ].map((row) => `${JSON.stringify(row)}\n`).join("");
  for (const [stage, epoch] of [["last", 2], ["head", undefined]] as const) {
    const path = await makeRun(root.path, stage, { started, accuracies: [], behind: rows(stage) });
    const { best } = (await readRun(path)).run;
    assert.deepEqual([best?.stage, best?.epoch, best?.validation.accuracy], [stage, epoch, 0.7]);
  }
});

Deno.test("read run: a test before the last epoch is that of other weights", async () => {
  await using root = await temporaryFolder();
  const behind = '{"kind":"epoch","epoch":2,"loss":1,"top1":0.9}\n';
  const path = await makeRun(root.path, "a", { started, accuracies: [0.6], test: 0.7, behind });
  assert.equal((await readRun(path)).run.test, undefined);
  const stored = { run: { test: { accuracy: 0.7 }, seconds: 3 } };
  await Deno.writeTextFile(join(path, "report_data.json"), JSON.stringify(stored));
  const { run } = await readReportData(path);
  assert.deepEqual([run?.test, run?.seconds], [undefined, 3]);
});

Deno.test("read run: a folder that holds none is refused, one of an old version is not", async () => {
  await using root = await temporaryFolder();
  await assert.rejects(readRun(root.path), (error) => {
    assert(error instanceof UsageError);
    assert.match(error.message, /it holds no config\.json, the folder of a run is wanted/);
    return true;
  });
  await Deno.writeTextFile(join(root.path, "config.json"), "{");
  await assert.rejects(readRun(root.path), /config\.json is damaged/);
  await Deno.writeTextFile(join(root.path, "config.json"), '{"model":3,"recipe":"old"}');
  assert.deepEqual((await readRun(root.path)).run, { name: basename(root.path) });
});

Deno.test("list of runs: the newest first, by when they were begun or resumed", async () => {
  await using root = await temporaryFolder();
  const at = (day: number) => `2026-01-0${day}T00:00:00.000Z`;
  await makeRun(root.path, "z-old", { started: at(1), accuracies: [] });
  await makeRun(root.path, "b-new", { started: at(4), accuracies: [] });
  await makeRun(root.path, "resumed", { started: at(2), resumed: at(5), accuracies: [] });
  await makeRun(root.path, "begun.part", { started: at(6), accuracies: [] });
  await Deno.mkdir(join(root.path, "no-run"));
  await makeRun(root.path, "damaged", { started: at(7), accuracies: [] });
  await Deno.writeTextFile(join(root.path, "damaged", "config.json"), "{");
  const names = (await readRuns(root.path)).map(({ path }) => basename(path));
  assert.deepEqual(names, ["resumed", "b-new", "z-old"]);
  await assert.rejects(readRuns(join(root.path, "gone")), DataError);
});

Deno.test("differences: settings that are not the same everywhere, those that one run lacks too", async () => {
  await using root = await temporaryFolder();
  const make = async (name: string, recipe: Record<string, unknown>) =>
    await readRun(await makeRun(root.path, name, { started, accuracies: [], recipe }));
  const base = await make("base", {});
  const other = await make("other", {
    lr: 0.1,
    preparation: { height: 64, mean: [0.5, 0.5, 0.5] },
    decay: 1,
  });
  assert.deepEqual(differences([base, await make("same", {})]), []);
  assert.deepEqual(differences([base, other]), [
    { setting: "lr", values: ["0.004", "0.1"] },
    { setting: "preparation.height", values: ["32", "64"] },
    { setting: "decay", values: [undefined, "1"] },
  ]);
});

Deno.test("report data of a run: configuration and metrics override what was stored", async () => {
  await using root = await temporaryFolder();
  const path = await makeRun(root.path, "a", { started, accuracies: [0.6, 0.8] });
  const bare = await readReportData(path);
  const rates = bare.learningRate!.map(({ rate }) => rate);
  assert(Math.abs(Math.max(...rates) - 0.004) < 1e-4 && rates[0] < 0.0002 && rates.at(-1)! < 1e-6);
  assert.deepEqual([bare.learningRate![0].epoch, bare.learningRate!.at(-1)?.epoch], [0, 3]);
  await Deno.writeTextFile(
    join(path, "report_data.json"),
    JSON.stringify({
      ...{ run: { dataset: "old", seconds: 9 }, notes: ["a note"], learningRate: [] },
      epochs: [{ epoch: 1, waiting: 0.5, training: { loss: 7 } }],
      settings: { lr: 7, extra: true },
    }),
  );
  const { run, epochs, notes, settings, learningRate } = await readReportData(path);
  assert.deepEqual([run?.dataset, run?.seconds, notes], ["pets", 9, ["a note"]]);
  assert.deepEqual(epochs?.map((one) => [one.waiting, one.training?.loss]), [[0.5, 1], [
    undefined,
    undefined,
  ]]);
  assert.deepEqual([settings?.lr, settings?.extra, learningRate], [0.004, true, []]);
  await Deno.writeTextFile(join(path, "report_data.json"), '{"notes": 1}');
  await assert.rejects(readReportData(path), /report_data\.json: notes is 1, a list is wanted/);
});
