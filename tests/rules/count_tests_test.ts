import assert from "node:assert/strict";
import { fromFileUrl, join } from "../../cli/std.ts";
import { closingLine, countsIn } from "../../tools/count_tests.ts";

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

/** Runs the tool over one test file with the given source. */
async function count(source: string): Promise<{ readonly code: number; readonly last?: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "some_test.ts");
    await Deno.writeTextFile(file, source);
    const tool = fromFileUrl(new URL("../../tools/count_tests.ts", import.meta.url));
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-run", tool, "--no-config", "--no-check", file],
      stdout: "piped",
      stderr: "null",
    }).output();
    return { code, last: new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("count_tests: the last line counts, and the exit code is the tests' own", async () => {
  const good = await count("Deno.test('a', () => {}); Deno.test.ignore('b', () => {});");
  assert.deepEqual(good, { code: 0, last: "1 passed, 0 failed, 1 skipped" });
  const bad = await count("Deno.test('a', () => {}); Deno.test('b', () => { throw 1; });");
  assert.deepEqual(bad, { code: 1, last: "1 passed, 1 failed" });
  const broken = await count("const = 'a'; Deno.test('a', () => {});");
  assert.equal(broken.code, 1);
  assert.doesNotMatch(broken.last ?? "", /passed/);
});
