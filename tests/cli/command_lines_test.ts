/** Printed commands as a shell reads them; the end-to-end test runs them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "npm:fast-check@4";
import { CommandLines } from "../../cli/command_lines.ts";
import {
  covers,
  formatFlags,
  parseFlags,
  type Permissions,
  withMore,
} from "../../cli/permission_flags.ts";
import { isPrintable } from "../../cli/printable.ts";
import { quote } from "../../cli/shell.ts";
import { root } from "./fixtures/run_demo.ts";

const permissions = ["--allow-read"];
const deno = "/usr/bin/deno";

/** The commands of a user who stands in a folder, by the task or by the entry file. */
function linesFor(name: string, base?: string, program = deno): CommandLines {
  const url = new URL(`../../cli/${name}.ts`, import.meta.url).href;
  return new CommandLines({ url, args: base === undefined ? [] : ["--base", base] }, program);
}

const isPosix = Deno.build.os !== "windows";

/** What `sh` makes of a line's words. */
async function wordsOf(line: string): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `for word in ${line}; do printf '%s\\0' "$word"; done`],
  }).output();
  assert.equal(code, 0, `${line}\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}

Deno.test("shell: words come back from sh as they were", { ignore: !isPosix }, async () => {
  const strange = fc.constantFrom(
    "'",
    '"',
    "$(id)",
    "`id`",
    "\\",
    "\n",
    "\x1b[2J",
    "\u202e",
    "!",
    " ",
  );
  const word = fc.array(fc.oneof(strange, fc.string({ unit: "grapheme" })), { maxLength: 6 })
    .map((parts) => parts.join("").replaceAll("\0", ""));
  const words = fc.array(word, { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(words, async (words) => {
      const line = words.map(quote).join(" ");
      assert(isPrintable(line.replaceAll("\n", "")), line);
      assert.deepEqual(await wordsOf(line), words);
    }),
    { numRuns: 30 },
  );
});

Deno.test("shell: plain words are left alone, others quoted", () => {
  for (const word of ["a", "runs/x-1.png", "--lr=1e-3", "user@host:80"]) {
    assert.equal(quote(word), word);
  }
  for (const word of ["", "a b", "$HOME", "*", "a;b", "~", "ü", "=ls"]) {
    assert.equal(quote(word), `'${word}'`);
  }
});

Deno.test("command lines: a task's stay tasks, wherever the user stands", () => {
  const words = ["--top", "3", { path: join(root, "runs/a b.png") }];
  const line = (base: string) => linesFor("predict", base).line({ words, permissions });
  assert.equal(line(root), "deno task predict --top 3 'runs/a b.png'");
  assert.equal(line(join(root, "cli")), "deno task predict --top 3 '../runs/a b.png'");
  const config = quote(join(root, "deno.json")), picture = quote(join(root, "runs/a b.png"));
  const far = "/a/folder/that/is/far/away/and/deep/enough/for/absolute/paths/to/be/shorter";
  assert.equal(line(far), `deno task --config ${config} predict --top 3 ${picture}`);
});

Deno.test("command lines: what a task may not do is printed without it", () => {
  const folder = join(root, "examples/my runs"), more = new Map([["write", [folder]]]);
  const next = { words: ["--resume", { path: folder }], permissions, more };
  assert.equal(
    linesFor("train", root).line(next),
    "deno run --allow-read '--allow-write=examples/my runs' cli/train.ts --resume 'examples/my runs'",
  );
  const own = new Map([["write", [join(root, "runs/x")]]]);
  const line = linesFor("train", root).line({ words: [], permissions, more: own });
  assert.equal(line, "deno task train");
});

Deno.test("command lines: an entry file leads to the others beside it", () => {
  const line = linesFor("train").line({ name: "predict", words: ["x"], permissions });
  assert.match(line, /^deno run --allow-read \S*cli\/predict\.ts x$/);
  const url = "https://example.com/fovea@1/cli/train.ts";
  const remote = new CommandLines({ url, args: [] }, deno);
  const next = remote.line({ name: "evaluate", permissions });
  assert.equal(next, "deno run --allow-read https://example.com/fovea@1/cli/evaluate.ts");
});

Deno.test("command lines: npx where npm keeps Deno for itself", () => {
  const start = (program: string) => linesFor("train", root, program).line({ permissions });
  assert.equal(start("/home/a/.npm/_npx/1a2b/node_modules/deno/deno"), "npx deno task train");
  assert.equal(start(join(root, "node_modules/deno/deno")), "npx deno task train");
  for (
    const path of ["/usr/lib/node_modules/deno/deno", "/usr/bin/deno", "/x/node_modules/deno/deno"]
  ) {
    assert.equal(start(path), "deno task train");
  }
});

Deno.test("command lines: a path is never taken for an option", () => {
  const { lines } = { lines: linesFor("predict") };
  assert.equal(
    lines.line({ words: [{ path: "-x.png" }], permissions: [] }).endsWith(" ./-x.png"),
    true,
  );
});

Deno.test("permission flags: more is allowed than before, and what was wanted", () => {
  const path = fc.constantFrom("/", "/a", "/a/b", "/a/b/c", "/ab", "/d e");
  const values = fc.uniqueArray(path, { maxLength: 3 });
  const some: fc.Arbitrary<Permissions> = fc.dictionary(
    fc.constantFrom("read", "write", "ffi"),
    values,
  ).map((record) => new Map(Object.entries(record)));
  fc.assert(fc.property(some, some, (had, wanted) => {
    const sum = withMore(had, wanted);
    assert(covers(sum, had) && covers(sum, wanted));
    const again = parseFlags(formatFlags(sum, (path) => path), "/");
    assert(covers(again, sum) && covers(sum, again));
  }));
});

Deno.test("permission flags: a comma, at which Deno splits, is never printed in a path", () => {
  const wanted = new Map([["write", ["/home/a,b/runs", "/home/c"]]]);
  assert.deepEqual(formatFlags(wanted, (path) => path), ["--allow-write=/home,/home/c"]);
});
