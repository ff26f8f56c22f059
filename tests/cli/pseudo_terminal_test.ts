import assert from "node:assert/strict";
import { tasks } from "../../cli/identity.ts";
import { quote } from "../../cli/shell.ts";
import { demoWords, root } from "./fixtures/run_demo.ts";

/** Whether there is util-linux's `script`, which runs a command under a pseudo-terminal. */
async function hasScript(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const help = await new Deno.Command("script", { args: ["--version"], stdout: "piped" })
      .output();
    return help.success;
  } catch {
    return false;
  }
}

/** Runs the demo as on a person's terminal: with colours, a bar, and prompts if it asks. */
async function onTerminal(
  args: readonly string[],
  { env = {}, typed = "", flags = [], shell = (line) => line }: {
    readonly env?: Record<string, string>;
    readonly typed?: string;
    readonly flags?: readonly string[];
    /** What a shell does with the line. */
    readonly shell?: (line: string) => string;
  } = {},
): Promise<{ readonly code: number; readonly text: string }> {
  const words = demoWords(args, flags).filter((word) => word !== "--no-prompt");
  const line = shell([Deno.execPath(), ...words].map(quote).join(" "));
  const child = new Deno.Command("script", {
    // The width is set inside; a pseudo-terminal of `script` without a parent has none.
    args: ["-qec", `stty cols 100 rows 30; ${line}`, "/dev/null"],
    cwd: root,
    env: { NO_COLOR: "", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    signal: AbortSignal.timeout(30_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  // Deno drops what was typed before its prompt appeared.
  const timer = setTimeout(() => writer.write(new TextEncoder().encode(typed)), 1500);
  const text = await new Response(child.stdout).text();
  const { code } = await child.status;
  clearTimeout(timer);
  await writer.close().catch(() => {});
  return { code, text };
}

const escape = "\u001b";
const eraseLine = `\r${escape}[K`;
const colour = new RegExp(`${escape}\\[\\d+m`, "g");
const ignore = !await hasScript();
if (ignore) console.log("tests of the pseudo-terminal are skipped: there is no `script` command");

Deno.test("pseudo-terminal: colour and progress ask for no permission", { ignore }, async () => {
  const { code, text } = await onTerminal(["--ending", "work", "--steps", "12"]);
  assert.equal(code, 0, text);
  assert.doesNotMatch(text, /[Pp]ermission|requests|Allow/);
  assert(text.includes(eraseLine) && text.includes(`${escape}[36m━`), "a coloured, live bar");
  assert.match(text, /worked/);
});

Deno.test("pseudo-terminal: the bar fits and the last reading stays", { ignore }, async () => {
  const { text } = await onTerminal(["--ending", "work", "--steps", "12"]);
  const frames = text.split(eraseLine).slice(1, -1);
  assert(frames.length >= 2, text);
  for (const frame of frames) {
    const plain = frame.replaceAll(colour, "");
    assert(plain.length < 100, plain);
  }
  assert.match(text, /100 %.*12\/12\r\n/);
});

Deno.test(
  "pseudo-terminal: errors and help are coloured, NO_COLOR is heard",
  { ignore },
  async () => {
    const colourful = await onTerminal(["--wrong"]);
    assert.equal(colourful.code, 2);
    assert(colourful.text.includes(`${escape}[31merror:${escape}[39m Cannot`));
    const plain = await onTerminal(["--help"], { env: { NO_COLOR: "1" } });
    assert.equal(plain.code, 0);
    assert(!plain.text.includes(escape), plain.text);
  },
);

Deno.test(
  "pseudo-terminal: a permission refused at the prompt is one paragraph",
  { ignore },
  async () => {
    const { code, text } = await onTerminal(["--ending", "read", "deno.json"], { typed: "n\n" });
    assert.equal(code, 2, text);
    assert.match(text, /Cannot demonstrate: Deno was not given the permission to read deno\.json/);
  },
);

Deno.test("pseudo-terminal: a dumb one gets no escapes", { ignore }, async () => {
  const args = ["--ending", "work", "--steps", "12"], flags = ["--allow-env=TERM"];
  const { code, text } = await onTerminal(args, { env: { TERM: "dumb" }, flags });
  assert.equal(code, 0, text);
  assert(!text.includes(escape), text);
  assert.match(text, /100 %.*12\/12\r\n/);
  const wrong = await onTerminal(["--wrong"], { env: { TERM: "dumb" }, flags });
  assert(!wrong.text.includes(escape), wrong.text);
});

Deno.test("pseudo-terminal: the tasks may read what kind of terminal it is", () => {
  for (const name of ["train", "predict", "evaluate", "models", "inspect"]) {
    assert.match(tasks.get(name) ?? "", /--allow-env=TERM /);
  }
});

Deno.test("pseudo-terminal: help keeps to its width", { ignore }, async () => {
  for (const columns of [40, 60, 80, 200]) {
    const { text } = await onTerminal(["--help"], {
      env: { NO_COLOR: "1" },
      shell: (line) => `stty cols ${columns}; ${line}`,
    });
    for (const line of text.split("\r\n")) {
      // A path cannot be broken.
      const isWord = !line.trim().replace(/ \\$/, "").includes(" ");
      assert(line.length <= columns || isWord, `${columns} columns: ${line}`);
    }
  }
});
