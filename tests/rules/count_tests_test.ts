import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { closingLine, countsIn, testEnvironment, testWords } from "../../tools/count_tests.ts";

Deno.test("count_tests: Deno's closing line is read, with steps, colours and skipped ones", () => {
  const cases: [string, string][] = [
    ["ok | 3 passed | 0 failed (79ms)\n", "3 passed, 0 failed"],
    [
      "\nFAILED | 1 passed (1 step) | 6 failed (1 step) | 1 ignored (1 step) (245ms)\n\n",
      "1 passed, 6 failed, 1 skipped",
    ],
    [
      "\x1b[0m\x1b[32mok\x1b[0m | 12 passed | 0 failed | 2 ignored \x1b[38;5;245m(1s)\x1b[0m",
      "12 passed, 0 failed, 2 skipped",
    ],
    [
      "ok | 9 passed | 0 failed (1ms)\nok | 0 passed | 0 failed | 4 filtered out (7ms)",
      "0 passed, 0 failed",
    ],
  ];
  for (const [output, line] of cases) {
    const counts = countsIn(output);
    assert(counts !== undefined);
    assert.equal(closingLine(counts), line);
  }
  assert.equal(countsIn("error: Type checking failed."), undefined);
});

Deno.test("count_tests: words go to Deno or to the tests", () => {
  const words = (...args: string[]) =>
    testWords(args).filter((word) => !/^--(allow-|lock=|frozen$)/.test(word));
  assert.deepEqual(words(), ["test"]);
  assert.deepEqual(words("--slow", "tests/cli"), ["test", "tests/cli", "--", "--slow"]);
  assert.deepEqual(words("--filter", "x", "--", "--seed=7"), [
    ...["test", "--filter", "x", "--", "--seed=7"],
  ]);
  assert.deepEqual(words("--", "--seed=7", "--slow"), [
    ...["test", "--", "--seed=7", "--slow"],
  ]);
});

Deno.test("count_tests: Linux gets Vulkan alone, unless the user names a backend", () => {
  const environment = (os: string, backend?: string, ...args: string[]) =>
    testEnvironment(args, { os, backend });
  assert.deepEqual(environment("linux"), { DENO_WEBGPU_BACKEND: "vulkan" });
  assert.deepEqual(environment("linux", ""), { DENO_WEBGPU_BACKEND: "vulkan" });
  assert.deepEqual(environment("linux", "gl"), {});
  assert.deepEqual(environment("darwin"), {});
  assert.deepEqual(environment("windows", undefined, "--slow"), { FOVEA_SLOW: "1" });
});

/** Runs the tool over one file of the fixtures. */
async function count(name: string): Promise<{ readonly code: number; readonly last?: string }> {
  const path = (from: string) => fileURLToPath(new URL(from, import.meta.url));
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-run", "--allow-env=DENO_WEBGPU_BACKEND"],
      ...[path("../../tools/count_tests.ts"), "--no-check", path(`fixtures/${name}`)],
    ],
    stdout: "piped",
    stderr: "null",
  }).output();
  return { code, last: new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) };
}

Deno.test("count_tests: the last line counts, and the exit code is the tests' own", async () => {
  assert.deepEqual(await count("two_good.ts"), { code: 0, last: "1 passed, 0 failed, 1 skipped" });
  assert.deepEqual(await count("one_bad.ts"), { code: 1, last: "1 passed, 1 failed" });
  assert.deepEqual(await count("not_there.ts"), { code: 1, last: "" });
});
