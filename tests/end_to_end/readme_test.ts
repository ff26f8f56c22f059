/** The README's quick start, run as a newcomer would: in a fresh copy, line by line. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { copyProject, root, shell } from "./processes.ts";

/** Lines of the `sh` blocks under a heading. */
function commandsUnder(readme: string, heading: string): string[] {
  const section = readme.split(`## ${heading}\n`)[1].split("\n## ")[0];
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]);
  return blocks.flatMap((block) => block.trim().split("\n"));
}

Deno.test("the quick start of the README runs as it stands", async (t) => {
  const readme = await Deno.readTextFile(join(root, "README.md"));
  const commands = commandsUnder(readme, "Quick start");
  assert.ok(commands.length >= 4, "the quick start has its commands");
  const copy = await Deno.makeTempDir({ prefix: "fovea-readme-" });
  await copyProject(copy);
  try {
    for (const line of commands) {
      await t.step(line, async () => {
        const result = await shell(line, { cwd: copy, timeoutMs: 400_000 });
        assert.equal(result.code, 0, `${line} ended with ${result.code}:\n${result.err}`);
        const accuracy = /test accuracy (\d+\.\d+) %/.exec(result.err)?.[1];
        if (line === "deno task train") {
          assert.ok(Number(accuracy) >= 87, `test accuracy ${accuracy} %, 87 or more is wanted`);
        }
      });
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});
