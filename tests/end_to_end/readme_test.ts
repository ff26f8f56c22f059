/** The README's quick start, run as a newcomer would: in a fresh copy, line by line. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { root, spawned } from "./processes.ts";

/** Lines of the `sh` blocks under a heading. */
function commandsUnder(readme: string, heading: string): string[] {
  const section = readme.split(`## ${heading}\n`)[1].split("\n## ")[0];
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]);
  return blocks.flatMap((block) => block.trim().split("\n"));
}

/** The project's files as git would check them out, with what is not committed yet. */
async function freshCopy(): Promise<string> {
  const listed = await spawned(["git", "ls-files", "--cached", "--others", "--exclude-standard"]);
  assert.equal(listed.code, 0, listed.err);
  const copy = await Deno.makeTempDir({ prefix: "fovea-readme-" });
  for (const file of listed.out.trim().split("\n")) {
    const to = join(copy, file);
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(join(root, file), to).catch((error) => {
      // Listed by git, but deleted in the work tree.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
  return copy;
}

Deno.test("the quick start of the README runs as it stands", async (t) => {
  const readme = await Deno.readTextFile(join(root, "README.md"));
  const commands = commandsUnder(readme, "Quick start");
  assert.ok(commands.length >= 4, "the quick start has its commands");
  const copy = await freshCopy(), path = `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`;
  try {
    for (const line of commands) {
      await t.step(line, async () => {
        const words = ["sh", "-c", line];
        const result = await spawned(words, { cwd: copy, env: { PATH: path }, timeoutMs: 400_000 });
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
