/**
 * Runs the tests, and closes with `N passed, N failed` alone on a line, which is what CI reads. The
 * exit code is that of the tests.
 *
 *     deno task test                       all fast tests
 *     deno task test --slow                all tests, and more cases of each
 *     deno task test tests/cli --filter x  words for `deno test`
 *     deno task test -- --seed=7           words for the tests themselves
 */

import { fileURLToPath } from "node:url";

/**
 * Pins the packages of the tests. It is not the project's lock file, since `deno task` and every
 * command would download whatever stands in that one.
 */
const lock = fileURLToPath(new URL("../tests/deno.lock", import.meta.url));

/** What the tests may do: they start processes, and serve and fetch on this machine alone. */
const permissions = [
  ...["--allow-read", "--allow-write", "--allow-run", "--allow-env"],
  "--allow-net=127.0.0.1,localhost",
];

/** What a run of tests came to. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Tests that this machine cannot run, such as those of a missing device. */
  readonly skipped: number;
}

// deno-lint-ignore no-control-regex
const colour = /\x1b\[[\d;]*m/g;
const closing =
  /^(?:ok|FAILED) \| (\d+) passed[^|\n]*\| (\d+) failed(?:[^|\n]*\| (\d+) ignored)?/gm;

/** The counts in Deno's closing line; `undefined` where the run ended before any. */
export function countsIn(output: string): Counts | undefined {
  const matches = [...output.replace(colour, "").matchAll(closing)];
  const last = matches.at(-1);
  if (last === undefined) return undefined;
  return { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) };
}

/** `3 passed, 0 failed`, and the skipped ones where there are any. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** The words of `deno test` for those of this tool. */
export function testWords(args: readonly string[]): string[] {
  const words = args.filter((word) => word !== "--slow");
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const forDeno = words.slice(0, end);
  const forTests = [...words.slice(end + 1), ...(isSlow(args) ? ["--slow"] : [])];
  const tail = forTests.length === 0 ? [] : ["--", ...forTests];
  return ["test", `--lock=${lock}`, "--frozen", ...permissions, ...forDeno, ...tail];
}

function isSlow(args: readonly string[]): boolean {
  return args.includes("--slow");
}

/**
 * What the tests' environment gets on top of ours. Without the backend's name wgpu also starts
 * OpenGL on Linux and may take it without a word. The few runs that ended with a damaged heap, in
 * a thread beside the one that exits, were all of that kind; why is not known.
 */
export function testEnvironment(
  args: readonly string[],
  { os, backend }: { readonly os: string; readonly backend: string | undefined },
): Record<string, string> {
  return {
    ...(os === "linux" && !backend ? { DENO_WEBGPU_BACKEND: "vulkan" } : {}),
    ...(isSlow(args) ? { FOVEA_SLOW: "1" } : {}),
  };
}

/** Runs the tests, passing their output on as it comes. */
async function runTests(args: readonly string[]): Promise<number> {
  const isColoured = Deno.stdout.isTerminal() && !Deno.noColor;
  const child = new Deno.Command(Deno.execPath(), {
    args: testWords(args),
    env: {
      // A pipe is no terminal, so that Deno must be told that a person reads the output.
      ...(isColoured ? { FORCE_COLOR: "1" } : {}),
      ...testEnvironment(args, {
        os: Deno.build.os,
        backend: Deno.env.get("DENO_WEBGPU_BACKEND"),
      }),
    },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const decoder = new TextDecoder();
  let tail = "";
  for await (const chunk of child.stdout) {
    for (let at = 0; at < chunk.length;) at += Deno.stdout.writeSync(chunk.subarray(at));
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
  }
  const { code } = await child.status;
  const counts = countsIn(tail);
  if (counts === undefined) console.error("error: the tests ended before they could be counted");
  else console.log(closingLine(counts));
  return counts === undefined ? code || 1 : code;
}

if (import.meta.main) Deno.exit(await runTests(Deno.args));
