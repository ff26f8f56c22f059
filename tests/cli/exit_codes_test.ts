import assert from "node:assert/strict";
import { quote } from "../../cli/shell.ts";
import { demoWords, type Result, resultOf, root, runDemo } from "./fixtures/run_demo.ts";

const throwing: [error: string, code: number, said: string][] = [
  ["shape", 1, "error: Cannot add: [2] and [3] do not broadcast, equal sizes are wanted\n"],
  ["data", 1, "error: Cannot decode: the data ends at byte 7 (in cats/\\x1b[31m7.jpg)\n"],
  ["checkpoint", 1, "error: Cannot load: fc.weight is missing\n"],
  ["device", 3, "error: Cannot open a device: there is no adapter\n"],
  ["usage", 2, "error: Cannot demonstrate: nothing to see\nhint: look elsewhere\n"],
  [
    "diverged",
    4,
    "error: Cannot go on: the loss is NaN at step 12\nhint: try a smaller --learning-rate\n",
  ],
];

for (const [error, code, said] of throwing) {
  Deno.test(`exit codes: a ${error} error is ${code}, in one paragraph`, async () => {
    const result = await runDemo(["--ending", "throw", "--error", error]);
    assert.deepEqual(result, { code, out: "", err: said });
  });
}

Deno.test("exit codes: work that is done is 0, and data goes to standard output", async () => {
  const { code, out, err } = await runDemo(["--steps", "3"]);
  assert.equal(code, 0, err);
  assert.equal(JSON.parse(out).options.steps, 3);
});

Deno.test("exit codes: npm's -- behind a task is forgiven", async () => {
  const { code, out, err } = await runDemo(["--base", "/x", "--", "--steps", "3", "--", "--y"]);
  assert.equal(code, 0, err);
  const { options, positionals } = JSON.parse(out);
  assert.equal(options.steps, 3);
  assert.deepEqual(positionals.images, ["/x/--y"]);
});

Deno.test("exit codes: an unknown option is 2, and names the right one", async () => {
  const { code, err } = await runDemo(["--step", "3"]);
  assert.equal(code, 2);
  const [error, hint] = err.split("\n");
  assert.equal(error, "error: Cannot demonstrate: unknown option --step; did you mean --steps?");
  assert.match(hint, /^hint: .*deno run tests\/cli\/fixtures\/demo\.ts --help lists every option$/);
});

Deno.test("exit codes: an internal error hides its stack unless asked for", async () => {
  const quiet = await runDemo(["--ending", "throw"]);
  assert.equal(quiet.code, 1);
  assert.match(
    quiet.err,
    /^error: internal error: RangeError: index 3 is out of range\nhint: .*--debug/,
  );
  assert.doesNotMatch(quiet.err, /demo_main/);
  const loud = await runDemo(["--ending", "throw", "--debug"]);
  assert.match(loud.err, /at .*demo_main\.ts:\d+/);
});

Deno.test("exit codes: a promise nobody waited for is told the same way", async () => {
  const { code, err } = await runDemo(["--ending", "reject"]);
  assert.equal(code, 1);
  assert.match(err, /^error: internal error: Error: nobody waited for this\nhint: .*\n$/);
});

Deno.test("exit codes: --json makes the error an object on standard output", async () => {
  const { code, out } = await runDemo(["--json", "--ending", "throw", "--error", "device"]);
  assert.equal(code, 3);
  assert.deepEqual(JSON.parse(out), {
    error: "Cannot open a device: there is no adapter",
    code: 3,
  });
  const misspelt = await runDemo(["--json", "--sede", "1"]);
  assert.equal(JSON.parse(misspelt.out).code, 2);
});

Deno.test("exit codes: a missing file is 1 and named", async () => {
  const result = await runDemo(["--ending", "read", "nowhere/a b.png"], ["--allow-read"]);
  assert.deepEqual(result, {
    code: 1,
    out: "",
    err: "error: Cannot read nowhere/a b.png: there is no such file or folder\n",
  });
});

Deno.test("exit codes: a folder in place of a file is 1 and named", async () => {
  const { code, err } = await runDemo(["--ending", "read", "cli"], ["--allow-read"]);
  assert.equal(code, 1);
  assert.equal(err, "error: Cannot read cli: it is a folder, a file is wanted\n");
});

Deno.test("exit codes: a missing permission is 2, and its command grants it", async () => {
  const { code, err } = await runDemo(["--ending", "read", "cli/exit.ts"]);
  assert.equal(code, 2);
  const [error, hint] = err.split("\n");
  assert.equal(
    error,
    "error: Cannot demonstrate: Deno was not given the permission to read cli/exit.ts",
  );
  const match = /^hint: run (npx )?deno run (.*) (\S+demo\.ts) --ending read cli\/exit\.ts$/.exec(
    hint,
  );
  assert(match !== null, hint);
  const again = await runDemo(["--ending", "read", "cli/exit.ts"], match[2].split(" "));
  assert.deepEqual(again, { code: 0, out: "", err: "" });
});

const isLinux = Deno.build.os === "linux", fullDevice = { ignore: !isLinux };
if (!isLinux) console.log("skipped: a full device; there is no /dev/full");

/** Runs the demo by a shell that sends one of its outputs to a full device. */
async function onFullDevice(
  args: readonly string[],
  redirection: string,
  flags: readonly string[] = [],
): Promise<Result> {
  const line = [Deno.execPath(), ...demoWords(args, flags)].map(quote).join(" ");
  return await resultOf(
    new Deno.Command("sh", {
      args: ["-c", `${line} ${redirection}`],
      cwd: root,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(30_000),
    }).spawn(),
  );
}

Deno.test(
  "exit codes: results that find the disk full are 1, with JSON too",
  fullDevice,
  async () => {
    const error = "Cannot write standard output: the disk is full";
    const plain = await onFullDevice([], ">/dev/full");
    assert.deepEqual(plain, { code: 1, out: "", err: `error: ${error}\n` });
    const { code, err } = await onFullDevice(["--json"], ">/dev/full");
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(err.trimEnd().split("\n").at(-1) ?? ""), { error, code });
  },
);

Deno.test("exit codes: notes that find the disk full stop no work", fullDevice, async () => {
  const { code, out } = await onFullDevice(["--ending", "work"], "2>/dev/full");
  assert.deepEqual({ code, out }, { code: 0, out: "worked\n" });
  for (const error of ["data", "usage", "diverged", "internal"]) {
    const args = ["--json", "--ending", "throw", "--error", error];
    const { code, out } = await onFullDevice(args, "2>/dev/full");
    assert.equal(JSON.parse(out).code, code);
    assert(code > 0);
  }
  const both = await onFullDevice(["--json", "--ending", "throw"], ">/dev/full 2>&1");
  assert.deepEqual(both, { code: 1, out: "", err: "" });
});

Deno.test("exit codes: a full disk is 1, and the path is named", fullDevice, async () => {
  // Deno lets nothing less write to a device.
  const args = ["--ending", "write", "/dev/full"];
  const { code, err } = await runDemo(args, ["--allow-all"]);
  assert.deepEqual({ code, err }, {
    code: 1,
    err: "error: Cannot write /dev/full: the disk is full\n",
  });
});

Deno.test("exit codes: --json is heard in each of its forms", async () => {
  for (const form of [["--json"], ["--json=true"], ["--no-json", "--json"]]) {
    const { code, out } = await runDemo([...form, "--ending", "throw"]);
    assert.equal(JSON.parse(out).code, code);
  }
  assert.equal((await runDemo(["--json", "--no-json", "--ending", "throw"])).out, "");
});
