import assert from "node:assert/strict";
import { type Result, spawnDemo } from "./fixtures/run_demo.ts";

/** Sends each signal once the time since the demo got ready has come, and waits for the end. */
async function interrupted(
  args: readonly string[],
  signals: readonly (readonly [atMs: number, signal: Deno.Signal])[],
): Promise<Result & { readonly signal: string | null }> {
  const child = spawnDemo(args);
  const out = new Response(child.stdout).text();
  const timers: ReturnType<typeof setTimeout>[] = [];
  let err = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    // The first text says that the demo is ready.
    if (err === "") {
      for (const [atMs, signal] of signals) {
        timers.push(setTimeout(() => child.kill(signal), atMs));
      }
    }
    err += text;
  }
  const { code, signal } = await child.status;
  for (const timer of timers) clearTimeout(timer);
  return { code, signal, out: await out, err };
}

const options = { ignore: Deno.build.os === "windows" };
const long = ["--ending", "work", "--steps", "1000"];

Deno.test(
  "signals: the first Ctrl-C finishes the step, saves and ends with 130",
  options,
  async () => {
    const { code, err, out } = await interrupted(long, [[200, "SIGINT"]]);
    assert.equal(code, 130);
    assert.equal(out, "");
    assert.match(err, /\nsaving\n(.*\n)?saved\n$/);
  },
);

Deno.test("signals: the second Ctrl-C ends it at once", options, async () => {
  const { code, err } = await interrupted(long, [[200, "SIGINT"], [600, "SIGINT"]]);
  assert.equal(code, 130);
  assert.match(err, /saving\n$/);
});

Deno.test("signals: the second Ctrl-C ends even what hears nothing", options, async () => {
  const began = performance.now();
  const { code, err } = await interrupted(["--ending", "busy"], [[100, "SIGINT"], [900, "SIGINT"]]);
  assert.equal(code, 130);
  assert.match(err, /heard\nbusy\n$/);
  assert(performance.now() - began < 4500);
});

Deno.test("signals: one key press that arrives twice counts once", options, async () => {
  const { code, err } = await interrupted(long, [[200, "SIGINT"], [203, "SIGINT"]]);
  assert.equal(code, 130);
  assert.match(err, /saved\n$/);
});

for (const [signal, ends] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`signals: ${signal} saves too and ends with ${ends}`, options, async () => {
    const { code, err } = await interrupted(long, [[200, signal]]);
    assert.equal(code, ends);
    assert.match(err, /saved\n$/);
  });
}

Deno.test("signals: a command that does not listen dies of Ctrl-C as usual", options, async () => {
  const { signal } = await interrupted(["--ending", "freeze"], [[100, "SIGINT"]]);
  assert.equal(signal, "SIGINT");
});

Deno.test("signals: listening does not keep a finished command alive", options, async () => {
  const began = performance.now();
  const { code, out } = await interrupted(["--ending", "work", "--steps", "2"], []);
  assert.equal(code, 0);
  assert.equal(out, "worked\n");
  assert(performance.now() - began < 10_000);
});
