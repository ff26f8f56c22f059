/**
 * Every command that is printed can be pasted: it is run by a shell as it stands, in the folder in
 * which the user stood, for a project and a user with a space and a quote in their folders' names.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { quote } from "../../cli/shell.ts";
import { namesIn } from "../data/support.ts";
import { copyProject, interrupted, path, type Result, shell, spawn } from "./processes.ts";

const folder = await Deno.makeTempDir({ prefix: "fovea's test " });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const project = join(folder, "the project"), away = join(folder, "ada's $HOME");
await copyProject(project);
await Deno.mkdir(away);

const config = quote(join(project, "deno.json"));
/** A task, started from the user's own folder. */
const task = (name: string): string => `deno task --quiet --config ${config} ${name}`;
/** An entry file, started from the user's own folder with the usual permissions. */
const file = (name: string, flags = ""): string =>
  `deno run --no-prompt --allow-read ${flags} ${quote(join(project, `cli/${name}.ts`))}`;

/** Runs a line where the user stands. */
const run = (line: string, cwd = away): Promise<Result> => shell(line, { cwd });

/** The command behind a word at the start of a line. */
function printed(err: string, word: string, end = ""): string {
  const [, line] = new RegExp(`^${word}(.+?)${end}$`, "m").exec(err) ?? [];
  assert(line, `no "${word}" in\n${err}`);
  return line;
}

/** Runs a printed line, which must succeed. */
async function paste(line: string, cwd = away): Promise<Result> {
  const result = await run(line, cwd);
  assert.equal(result.code, 0, `${line}\n${result.err}`);
  return result;
}

/** Starts a training and stops it by Ctrl-C after its first reading. */
async function stopped(line: string, cwd = away): Promise<string> {
  const words = ["sh", "-c", `exec ${line}`];
  const { code, err } = await interrupted(spawn(words, { cwd, env: { PATH: path() } }));
  assert.equal(code, 130, err);
  return err;
}

const isPosix = Deno.build.os !== "windows", options = { ignore: !isPosix };

Deno.test("printed commands: of a task from another folder, to its end", options, async () => {
  const first = await run(`${task("train")} --epochs 1`);
  assert.equal(first.code, 0, first.err);
  const next = printed(first.err, "try     ");
  assert.match(next, /^deno task --config \S.* predict --weights /);
  assert.match((await paste(next)).out, /ankle boot|boot/i);
  assert.deepEqual(await namesIn(away), [], "its run lies in the project");
});

Deno.test("printed commands: a folder the task may not write into", options, async () => {
  const refused = await run(`${task("train")} --runs "my runs" --epochs 1`);
  assert.equal(refused.code, 2);
  assert.doesNotMatch(refused.err, /^train /m, "told before the first step");
  assert.deepEqual(await namesIn(away), []);
  const granted = await paste(printed(refused.err, "hint: run "));
  assert.equal((await namesIn(join(away, "my runs"))).length, 1);
  await paste(printed(granted.err, "try     "));
});

Deno.test("printed commands: of an entry file from another folder", options, async () => {
  const first = await run(`${file("train", "--allow-write=it\\'s")} --runs "it's" --epochs 1`);
  assert.equal(first.code, 0, first.err);
  const next = printed(first.err, "try     ");
  assert.match(next, /^deno run --allow-read \S.*predict\.ts' --weights /);
  await paste(next);
});

Deno.test("printed commands: a stopped run goes on, three times over", options, async () => {
  const options = "--log-every 100 --test-each-epoch";
  const start = `${file("train", "--allow-write=.")} --runs more --epochs 2 ${options}`;
  const first = printed(await stopped(start), "saved after step [\\d,]+; ", " goes on");
  assert.match(
    first,
    /--allow-write=more\/\S+ .* --log-every 100 --test-each-epoch --resume more\//,
  );
  const second = printed(await stopped(first), "saved after step [\\d,]+; ", " goes on");
  assert.equal(second, first);
  await paste(printed((await paste(second)).err, "try     "));
});

Deno.test("printed commands: a task that goes on with a run of its own", options, async () => {
  const start = `${task("train")} --epochs 2`;
  const line = printed(await stopped(start), "saved after step [\\d,]+; ", " goes on");
  assert.match(line, /^deno task --config \S.* train --resume /);
  await paste(line);
  // From within the project it is the same run under a shorter name.
  const inside = printed(
    await stopped("deno task --quiet train --epochs 2", join(project, "cli")),
    "saved after step [\\d,]+; ",
    " goes on",
  );
  assert.match(inside, /^deno task train --resume \.\.\/runs\//);
  await paste(inside, join(project, "cli"));
});

Deno.test("printed commands: a run elsewhere is gone on with by no task", options, async () => {
  await stopped(`${file("train", "--allow-write=other")} --runs other --epochs 2`);
  const [name] = await namesIn(join(away, "other")), folder = `other/${name}`;
  const before = await namesIn(join(away, folder));
  const refused = await run(`${task("train")} --resume ${folder}`);
  assert.equal(refused.code, 2);
  assert.deepEqual(await namesIn(join(away, folder)), before);
  await paste(printed(refused.err, "hint: run "));
});

Deno.test(
  "printed commands: permissions add up, one refusal after the other",
  options,
  async () => {
    const entry = quote(join(project, "cli/train.ts"));
    let line = `deno run --no-prompt ${entry} --runs grown --epochs 1`, refusals = 0;
    for (;;) {
      const { code, err } = await run(line);
      if (code === 0) break;
      assert.equal(code, 2, err);
      assert(++refusals < 3, err);
      line = printed(err, "hint: run ");
    }
    assert(refusals > 0);
  },
);

for (const [kind, start] of Object.entries({ tasks: task, "entry files": file })) {
  Deno.test(`printed commands: hints and examples of ${kind}`, options, async () => {
    for (const name of ["train", "predict", "evaluate", "models", "inspect", "runs", "report"]) {
      const wrong = await run(`${start(name)} --wrong`);
      assert.equal(wrong.code, 2);
      const { out } = await paste(printed(wrong.err, "hint: ", " lists every option"));
      assert.match(out, /^Examples$/m);
      const [, text] = /^Examples\n([^]*?)\n\nUsage\n/m.exec(out) ?? [];
      const lines = text.replaceAll(/ \\\n +/g, " ").split("\n").filter((l) => /^ {2}\S/.test(l));
      assert(lines.length >= 2, out);
      for (const line of lines) {
        // Understood by the shell, by Deno and by the command; trainings and downloads take time.
        await paste(`${line} --help`);
        if (name === "predict" && !line.includes("--download")) await paste(line);
      }
    }
  });
}
